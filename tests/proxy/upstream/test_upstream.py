"""The upstream: one request per call, connections kept and given back. Hostile backends are played in tests/doors."""

from __future__ import annotations

import asyncio
from pathlib import Path

from proxy.upstream.upstream import UpstreamBounds
from tests.doors import house
from tests.wire import answering, perform, reply, wall


def test_a_connection_is_kept_for_the_next_call(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, house.TOOLS, house.POLICY) as w:
            for _ in range(5):
                assert (await w.call("GET", "/crm/things/7")).status == 200
                assert (await w.call("POST", "/crm/any", b"{}")).status == 200
                assert (await w.call("GET", "/crm/raw")).status == 200
                w.backend.answer = answering(reply(b"", status="304 Same"))
                assert (await w.call("HEAD", "/crm/things/7")).status == 304
                w.backend.answer = answering(reply())
            assert len(w.backend.seen) == 1

    perform(play())


def test_only_so_many_connections_and_the_rest_wait_their_time(tmp_path: Path) -> None:
    async def play() -> None:
        go_on = asyncio.Event()

        async def slowly(_: bytes) -> bytes:
            await go_on.wait()
            return reply()

        once = "retry: {attempts: 1}"
        bounds = "bounds: {upstream_connections: 2, connect: 300ms}"
        async with wall(tmp_path, house.TOOLS, house.POLICY, slowly, bounds, backend_keys=once) as w:
            calls = [asyncio.create_task(w.call("POST", "/crm/any", b"{}")) for _ in range(5)]
            await asyncio.sleep(0.7)
            assert len(w.backend.seen) == 2
            go_on.set()
            answers = [await call for call in calls]
            assert sorted(answer.status for answer in answers) == [200, 200, 504, 504, 504]
            late = [answer.json for answer in answers if answer.status == 504]
            assert {(each["code"], each["executed"]) for each in late} == {("timeout", "no")}
            assert (await w.call("GET", "/crm/things/7")).status == 200

    perform(play())


def test_a_body_of_more_than_a_mebibyte(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, house.TOOLS, house.POLICY, config="bounds: {most_body: 4MiB}") as w:
            body = b'"' + b"x" * 3_000_000 + b'"'
            told = await w.tell("POST", "/crm/any", body)
            assert told.reply.status == 200
            assert told.reached[0].endswith(b"\r\n\r\n" + body)

    perform(play())


def test_bounds_are_sane() -> None:
    bounds = UpstreamBounds()
    assert 0 < bounds.connect_s < bounds.idle_s
    assert bounds.keepalive_s < 60  # shorter than what common servers keep a connection
