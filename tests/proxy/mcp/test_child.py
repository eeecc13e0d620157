"""A child: its lines, its errors and its end."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from proxy.mcp.child import MOST_ERROR_LINE, CannotStart, Child, Endless
from tests.mcpwire import played

ENVIRON: Mapping[str, str] = {"PATH": "/usr/bin:/bin", "NAMED": "yes"}


@asynccontextmanager
async def child(*command: str, most: int = 1000) -> AsyncIterator[Child]:
    one = await Child.start(command, ENVIRON, most)
    try:
        yield one
    finally:
        await one.end()
        one.close()


@played
async def test_what_cannot_be_started_says_why() -> None:
    with pytest.raises(CannotStart, match="no-such-command cannot be run: No such file"):
        await Child.start(["no-such-command"], ENVIRON, 10)


@played
async def test_a_line_that_does_not_end_is_not_kept() -> None:
    async with child("sh", "-c", "while :; do printf xxxxxxxxxxxxxxxxxxxx; done") as one:
        with pytest.raises(Endless):
            [line async for line in one.lines()]
    async with child("sh", "-c", 'printf "12345678901\\n"', most=10) as one:
        with pytest.raises(Endless):
            [line async for line in one.lines()]


@played
async def test_a_message_is_one_line_and_is_written_as_long_as_somebody_may_read_it() -> None:
    async with child("cat") as one:
        with pytest.raises(ValueError, match="end of a line"):
            one.put(b"a\nb")
        await one.write(b'{"a":1}')
        async for line in one.lines():
            assert line.data == b'{"a":1}'
            break
        await one.end()
        assert one.code == 0
        with pytest.raises(OSError):
            await one.write(b"{}")


@played
async def test_what_it_says_to_operators_is_read_beside_and_a_long_line_in_part() -> None:
    async with child("sh", "-c", 'echo "$NAMED$HOME" >&2; head -c 9000 /dev/zero | tr "\\0" x >&2; exit 4') as one:
        lines = [line async for line in one.errors()]
        assert lines[0].data == b"yes"
        assert not lines[1].is_whole
        assert len(lines[1].data) > MOST_ERROR_LINE
        assert [line async for line in one.lines()] == []
        await one.end()
        assert one.code == 4


@played
async def test_one_that_ignores_that_it_should_end_is_ended_and_may_be_ended_twice() -> None:
    script = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(99)"
    async with child(sys.executable, "-c", script) as one:
        async for line in one.lines():
            assert line.data == b"1"
            break
        await one.end()
        assert one.code is None
        assert [line async for line in one.lines()] == []
