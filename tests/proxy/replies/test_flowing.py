import asyncio
from collections.abc import AsyncGenerator

import pytest

from proxy.body import Body
from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.record import Record
from proxy.replies.flowing import GRACE_S, REST_S, Flowing
from proxy.scanning import Scans
from redaction.profiles import kinds_of
from redaction.scanner import Scanner
from redaction.streams import stage

STANDARD = Scanner(kinds_of("standard"))
EVENTS, LINES, TEXT = "text/event-stream", "application/x-ndjson", "text/plain"


async def sent(*pieces: bytes | float) -> AsyncGenerator[bytes, None]:
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
        else:
            await asyncio.sleep(piece)


def flow(pieces: AsyncGenerator[bytes, None], kind: str = TEXT, most: int = 10_000_000, idle_s: float = 5.0) -> Body:
    body = Body(pieces, None)
    entry = Entry(None, Record(call="a", started_ns=0, door="d"))  # type: ignore[arg-type]
    return Flowing(body, stage(STANDARD, kind, None), entry, most, idle_s).cleaned(kind, Scans(), apart=False)


async def read(body: Body) -> list[bytes]:
    return [piece async for piece in body]


def test_pieces_come_as_they_are_ready() -> None:
    body = flow(sent(b"words ", GRACE_S * 2, b"ana@", GRACE_S * 2, b"mail.example"))
    assert asyncio.run(read(body)) == [b"words ", b"<EMAIL_ADDRESS>"]


def test_after_long_the_rest_goes_out_as_well() -> None:
    body = flow(sent(b"number 42", REST_S * 1.2, b"!"))
    assert asyncio.run(read(body))[-2:] == [b"42", b"!"]


@pytest.mark.parametrize(("kind", "ending"), [(EVENTS, "event"), (LINES, "line"), (TEXT, "")])
def test_how_a_refusal_is_said(kind: str, ending: str) -> None:
    body = flow(sent(b'"ana@mail.example"\n'), kind)
    assert body.flow
    assert body.flow.ending == ending
    asyncio.run(read(body))
    assert body.flow.trailers() == [("Toolwall-Redacted", "EMAIL_ADDRESS=1")]


def test_silence_and_size_have_bounds() -> None:
    with pytest.raises(Refusal):
        asyncio.run(read(flow(sent(b"1\n", 1.0), LINES, idle_s=0.1)))
    with pytest.raises(Refusal):
        asyncio.run(read(flow(sent(b"1\n" * 10), LINES, most=19)))
    assert asyncio.run(read(flow(sent(b"1\n" * 10), LINES, most=20))) == [b"1\n" * 10]


def test_a_fault_comes_behind_what_was_good_and_large_pieces_are_scanned_apart() -> None:
    async def play() -> None:
        large = b'{"a": "' + b"x" * 300_000 + b'"}\n'
        body = flow(sent(large + b"1\n{\n"), LINES)
        pieces = aiter(body)
        given = b""
        while len(given) < len(large) + 2:
            given += await anext(pieces)
        assert given == large + b"1\n"
        with pytest.raises(Refusal):
            await anext(pieces)

    asyncio.run(play())


def test_closing_ends_what_waits() -> None:
    async def play() -> None:
        body = flow(sent(b"1\n", 100.0), LINES)
        async for _ in body:
            break
        await body.close()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(play())


def test_closing_while_nothing_came_for_a_while() -> None:
    closed = []

    async def close() -> None:
        closed.append(True)

    async def play() -> None:
        source = Body(sent(b"all is well and 42", 100.0), close)
        entry = Entry(None, Record(call="a", started_ns=0, door="d"))  # type: ignore[arg-type]
        body = Flowing(source, stage(STANDARD, TEXT, None), entry, 1_000, 5.0).cleaned(TEXT, Scans(), apart=False)
        assert await anext(aiter(body)) == b"all is well and "
        await body.close()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(play())
    assert closed == [True]
