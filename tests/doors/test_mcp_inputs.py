"""What a server wants to know before it answers (2026-07-28): judged like what it asks in the era with sessions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.mcpwire import FOUND, Client, Server, last, mcp_wall, played

MAIL = "ann@example.com"
POLICY = """
rules:
  - {id: all, allow: crm.*}
  - {id: asks, allow: crm.elicitation/create, when: 'args.message != "no"'}
"""
MAY = {"method": "elicitation/create", "params": {"message": f"may {MAIL}?", "requestedSchema": {"type": "object"}}}


def wanting(**inputs: Any) -> dict[str, Any]:
    return {"resultType": "input_required", "inputRequests": inputs, "requestState": "opaque-1"}


@pytest.mark.parametrize(
    "wanted",
    [
        wanting(a={"method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 1}}),
        wanting(a=MAY, b={"method": "roots/list"}),
        wanting(a={"method": "elicitation/create", "params": {"message": "no"}}),
        wanting(a={"method": "tools/call", "params": {"name": "drop"}}),
        wanting(a={"method": 7}),
        wanting(a={"method": "ping"}),
        wanting(**{f"a{number}": MAY for number in range(33)}),
        {"content": [], "inputRequests": {"a": {"method": "roots/list"}}},
        wanting(a={"method": "elicitation/create", "params": []}),
        wanting(a="elicitation/create"),
        {"resultType": "input_required", "inputRequests": [MAY]},
    ],
)
@played
async def test_what_no_rule_allows_to_be_asked_is_not_asked(tmp_path: Path, wanted: dict[str, Any]) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server, POLICY) as w:
        server.says["tools/call"] = lambda _: wanted
        said = await Client(w, modern=True).call("find", text="x")
        result = last(said)["result"]
        assert result["isError"] is True
        assert "inputRequests" not in result
        record = next(each for each in reversed(w.records()) if each["tool"] == "crm.find")
        assert record["code"] == "reply_refused"
        is_open = wanted.get("resultType") == "input_required"  # then the server itself says that it did nothing yet
        assert (record["executed"], "carried out" in str(result)) == ("no" if is_open else "yes", not is_open)


@played
async def test_what_may_be_asked_is_asked_clean_and_answered(tmp_path: Path) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server, POLICY) as w:
        client = Client(w, modern=True)
        server.says["tools/call"] = lambda _: wanting(a=MAY)
        result = last(await client.call("find", text="x"))["result"]
        assert result["requestState"] == "opaque-1"
        params = {"message": "may <EMAIL_ADDRESS>?", "requestedSchema": {"type": "object"}}
        assert result["inputRequests"] == {"a": {"method": "elicitation/create", "params": params}}
        tools = [record["tool"] for record in w.records()]
        assert tools == ["crm.elicitation/create", "crm.find"]
        server.says["tools/call"] = lambda _: FOUND
        answers = {"a": {"action": "accept", "content": {}}}
        arguments = {"text": "x"}
        again = await client.ask(
            "tools/call", name="find", arguments=arguments, inputResponses=answers, requestState="opaque-1"
        )
        assert last(again)["result"] == FOUND
        sent = server.calls("tools/call")[-1].message["params"]
        assert (sent["inputResponses"], sent["requestState"]) == (answers, "opaque-1")


@pytest.mark.parametrize("method", ["tools/list", "server/discover", "completion/complete"])
@played
async def test_other_messages_ask_for_nothing(tmp_path: Path, method: str) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server, POLICY) as w:
        server.says[method] = lambda _: wanting(a=MAY)
        client = Client(w, modern=True)
        said = await client.ask(method, **({} if method != "completion/complete" else {
            "ref": {"type": "ref/prompt", "name": "none"}, "argument": {"name": "a", "value": ""},
        }))  # fmt: skip
        assert "error" in last(said), said.raw


@pytest.mark.parametrize("shows", ["off", "redacted"])
@played
async def test_the_record_shows_what_went_along_as_it_shows_arguments(tmp_path: Path, shows: str) -> None:
    server = Server()
    keys = "restore: true\nreply: {operators: {EMAIL_ADDRESS: pseudonym}}\n"
    config = f"ledger: {{arguments: {shows}}}"
    async with mcp_wall(tmp_path, server, POLICY, keys=keys, config=config) as w:
        client = Client(w, modern=True)
        run = [("Toolwall-Run", "r-1")]
        server.says["tools/call"] = lambda _: {"content": [{"type": "text", "text": MAIL}]}
        first = client.message("tools/call", {"name": "find", "arguments": {"text": "x"}})
        token = last(await client.send(first, run))["result"]["content"][0]["text"]
        assert token.startswith("<EMAIL_ADDRESS_")
        assert "aside" not in w.records()[-1]
        said = {"action": "accept", "content": {"who": token, "other": "bob@example.org"}}
        more = {"inputResponses": {"a": said}, "requestState": "s-1", "_meta": {"example.com/note": "bob@example.org"}}
        await client.send(client.message("tools/call", {"name": "find", "arguments": {"text": "y"}, **more}), run)
        sent = server.calls("tools/call")[-1].message["params"]
        assert sent["inputResponses"]["a"]["content"] == {"who": MAIL, "other": "bob@example.org"}
        record = w.records()[-1]
        if shows == "redacted":
            assert record["arguments"] == {"text": "y"}
            told = {"action": "accept", "content": {"who": token, "other": "<EMAIL_ADDRESS>"}}
            note = {"example.com/note": "<EMAIL_ADDRESS>"}
            assert record["aside"] == {"inputResponses": {"a": told}, "requestState": "s-1", "_meta": note}
        else:
            assert not {"aside", "arguments"} & record.keys()
        assert b"example.org" not in w.ledger()
        assert MAIL.encode() not in w.ledger()
