"""The heart: what happens to every call, in order."""

from __future__ import annotations

import asyncio
from pathlib import Path

from proxy.firewall import Regime
from rules.load import load
from tests.doors import house
from tests.wire import perform, reply, wall


def test_the_checks_of_a_call_in_their_order(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, house.TOOLS, house.POLICY) as w:
            told = await w.tell("POST", "/crm/things", b'{"name": "a"}')
            assert told.record["checks"] == [
                *("identity", "visible", "contract", "rules", "retry", "intent"),
                *("breaker", "bulkhead", "keep", "clean", "timeout"),  # on the way back
            ]
            assert (await w.tell("GET", "/crm/secret")).record["checks"] == ["identity"]
            assert (await w.tell("GET", "/crm/things/0")).record["checks"] == ["identity", "visible", "contract"]
            told = await w.tell("POST", "/crm/payments", b'{"cents": 999}')
            assert told.record["checks"] == ["identity", "visible", "contract", "rules"]
            assert told.record["decision"] == "deny"

    perform(play())


def test_rules_may_change_while_it_runs(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, house.TOOLS, house.POLICY) as w:
            assert (await w.tell("GET", "/crm/secret")).reply.status == 403
            (tmp_path / "rules" / "policy.yaml").write_text("rules: [{id: all, allow: crm.secret}]")
            before = w.sidecar.firewall.regime
            w.sidecar.firewall.regime = Regime(load(tmp_path / "rules"), before.guards, before.send)
            told = await w.tell("GET", "/crm/secret")
            assert told.reply.status == 200
            assert told.record["rules"] == ["all"]
            assert (await w.tell("GET", "/crm/things/7")).reply.json["code"] == "unknown_tool"

    perform(play())


def test_a_regime_knows_how_many_calls_use_it(tmp_path: Path) -> None:
    async def play() -> None:
        go_on, asked = asyncio.Event(), asyncio.Event()

        async def slow(_: bytes) -> bytes:
            asked.set()
            await go_on.wait()
            return reply()

        async with wall(tmp_path, house.TOOLS, house.POLICY, slow) as w:
            regime = w.sidecar.firewall.regime
            call = asyncio.create_task(w.call("GET", "/crm/things/7"))
            await asked.wait()
            assert regime.calls == 1
            assert (await w.call("GET", "/crm/nothing")).status == 403
            assert regime.calls == 1
            go_on.set()
            assert (await call).status == 200
            assert regime.calls == 0

    perform(play())


def test_a_hidden_tools_arguments_are_not_even_read(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, house.TOOLS, house.POLICY) as w:
            plain = (await w.tell("GET", "/crm/secret")).reply.json
            for path, body in (("/crm/secret?a=1&a=2", b""), ("/crm/secret", b'{"a":1,"a":2}')):
                told = await w.tell("GET", path, body)
                assert told.reply.json | {"call_id": ""} == plain | {"call_id": ""}

    perform(play())


def test_refusals_of_decisions_say_nothing_of_the_policy(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, house.TOOLS, house.POLICY) as w:
            told = await w.tell("POST", "/crm/payments", b'{"cents": 999}')
            assert "100" not in told.reply.json["detail"] + told.reply.json["suggestion"]

    perform(play())
