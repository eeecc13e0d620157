"""What an order to undo has to say, and what is answered where it cannot be carried out."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from proxy import orders
from proxy.config import load_config
from proxy.identity.callers import Callers
from proxy.identity.identity import NotKnown, principal_of
from rules.facts import Principal
from tests.wire import Wall, perform, wall

TOOLS = "  pay: {says: Pay., call: POST /pay, args: {n: {type: integer}}, effect: write}\n"
ORDER: dict[str, Any] = {
    "do": "undo",
    "run": "r",
    "principal": "bot",
    "door": "",
    "dry_run": False,
    "leave": [],
    "by": "ops",
}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "LOOK_S", 0.02)


async def ordered(w: Wall, **said: Any) -> dict[str, Any]:
    order = {name: value for name, value in {**ORDER, **said}.items() if value is not None}
    answer: dict[str, Any] = await asyncio.to_thread(orders.ask, w.folder / "state", order, 5.0)
    return answer


def test_orders_that_cannot_be_carried_out_are_answered(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, once=True) as w:
            await w.call("POST", "/crm/pay", b'{"n":1}')
            assert (await ordered(w))["steps"] == []
            assert "knows the principal eve" in (await ordered(w, principal="eve"))["error"]
            assert "its log says more" in (await ordered(w, run=None))["error"]
            assert "its log says more" in (await ordered(w, leave=7))["error"]
            assert len(w.backend.requests) == 1

    perform(play())


def test_all_who_may_call_are_known_with_their_listeners(tmp_path: Path) -> None:
    (tmp_path / "toolwall.yaml").write_text(
        "listeners:\n"
        "  - {bind: '127.0.0.1:8080', identity: {static: {id: bot, roles: [a]}}}\n"
        "  - {bind: '127.0.0.1:8081', identity: {api_keys: [{id: bot, roles: [b], sha256: '" + "0" * 64 + "'}]}}\n"
    )
    known = Callers(load_config(tmp_path / "toolwall.yaml"))
    assert [(door, one.id) for door, one in known] == [("127.0.0.1:8080", "bot"), ("127.0.0.1:8081", "bot")]
    assert principal_of(known, "bot", "127.0.0.1:8081").roles == {"b"}
    with pytest.raises(NotKnown, match="more than one way"):
        principal_of(known, "bot")


def test_roles_are_those_of_today_and_a_principal_that_is_gone_is_none() -> None:
    known = [("d", Principal("ann", frozenset({"new"})))]
    assert principal_of(known, "ann", "another door").roles == {"new"}
    with pytest.raises(NotKnown, match="any more"):
        principal_of(known, "bob")
