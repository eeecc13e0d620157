"""A call that the sidecar makes itself is an Ask like any other."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from proxy.errors import Refusal
from proxy.model import Behalf, Carried, Hail, Outgoing
from proxy.protocols.ordered import Ordered, OrderedMessage
from proxy.protocols.placing import Placed
from proxy.protocols.writing import written
from rules.facts import Principal, Run
from rules.load import load
from rules.tools import Catalog, Tool
from tests.rules.mcp.hub import hub

RULES = """
backend: crm
url: https://c.example
tools: {put: {call: 'PUT /a/{id}', args: {id: {type: string}}, effect: write}}
"""
HAIL = Hail("order", "127.0.0.9", run="r", behalf=Behalf("operator ops", undoes="c1"))


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    (tmp_path / "crm.yaml").write_text(RULES)
    return load(tmp_path).catalog


def ordered(tool: str, arguments: dict[str, Any]) -> Ordered:
    return Ordered("orders", HAIL, tool, lambda tool, catalog: written(tool, arguments, Carried(), catalog), "/crm")


def test_it_becomes_a_call(catalog: Catalog) -> None:
    ask = ordered("crm.put", {"id": "x"})
    tool = asyncio.run(ask.find(catalog))
    assert tool is not None
    call = asyncio.run(ask.call("c2", tool, Principal("ann"), Run("r", 2)))
    assert (call.id, call.arguments, call.outgoing.target, call.peer) == ("c2", {"id": "x"}, "/a/x", "127.0.0.9")
    assert (ask.hail().behalf, ask.listener, call.base) == (HAIL.behalf, "orders", "/crm")


def test_a_tool_that_is_gone_is_none(catalog: Catalog) -> None:
    assert asyncio.run(ordered("crm.gone", {}).find(catalog)) is None


def test_what_cannot_be_written_is_refused_without_its_value(catalog: Catalog) -> None:
    ask = ordered("crm.put", {"id": "../4711"})
    tool = asyncio.run(ask.find(catalog))
    assert tool is not None
    with pytest.raises(Refusal) as caught:
        asyncio.run(ask.call("c2", tool, Principal("ann"), Run("r", 2)))
    assert (caught.value.code, "4711" in caught.value.detail) == ("bad_request", False)


def test_to_an_mcp_server_it_is_a_message(tmp_path: Path, catalog: Catalog) -> None:
    rules = hub(tmp_path).catalog

    def make(tool: Tool, catalog: Catalog) -> tuple[Placed, Outgoing]:
        return written(tool, {"title": "x"}, Carried((("authorization", "b"),), ("key=v",), (("sid", "7"),)), catalog)

    ask = OrderedMessage("orders", HAIL, "hub.create", make)
    tool = asyncio.run(ask.find(rules))
    assert tool is not None
    assert (ask.message.kind, ask.message.method, ask.modern, ask.session) == ("request", "tools/call", False, "")
    call = asyncio.run(ask.call("c2", tool, Principal("ann"), Run("r", 2)))
    assert json.loads(call.outgoing.body) == {"_meta": {}, "name": "issue.create", "arguments": {"title": "x"}}
    assert (call.outgoing.method, call.outgoing.target) == ("POST", "?key=v")
    assert {("authorization", "b"), ("cookie", "sid=7")} <= set(call.outgoing.headers)
    assert asyncio.run(OrderedMessage("orders", HAIL, "crm.put", make).find(catalog)) is None
    assert asyncio.run(OrderedMessage("orders", HAIL, "hub.gone", make).find(rules)) is None
