"""Intent: on disk before the first byte of an effect leaves (law 5)."""

from __future__ import annotations

from pathlib import Path

from tests.doors import house
from tests.wire import Wall, perform, reply, wall


def test_the_intent_is_there_when_the_backend_is_asked(tmp_path: Path) -> None:
    async def play() -> None:
        walls: list[Wall] = []
        intents: list[int] = []

        async def looking(_: bytes) -> bytes:
            intents.append(len(walls[0].records("intent")))
            return reply()

        async with wall(tmp_path, house.TOOLS, house.POLICY, looking) as w:
            walls.append(w)
            told = await w.tell("POST", "/crm/things", b'{"name": "a"}')
            await w.tell("DELETE", "/crm/things/7")
            await w.tell("GET", "/crm/things/7")
            assert intents == [1, 2, 2]
            [first, _] = w.records("intent")
            for name in ("call", "tool", "principal", "run", "step", "arguments_hash", "rules", "revision"):
                assert first[name] == told.record[name]
            assert first["seq"] < told.record["seq"]

    perform(play())


def test_no_effect_without_an_intent(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, house.TOOLS, house.POLICY) as w:
            w.sidecar.firewall.entries.ledger.close()
            for method, path, body in (("POST", "/crm/things", b'{"name": "a"}'), ("GET", "/crm/things/7", b"")):
                answer = await w.call(method, path, body)
                assert answer.status == 500
                assert answer.json["code"] == "internal"
                assert answer.json["executed"] == ("no" if method == "POST" else "unknown")
            assert [request.split(b" ")[0] for request in w.backend.requests] == [b"GET"]

    perform(play())
