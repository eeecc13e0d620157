"""tests/mcp/published.py: it finds what is wrong, and nothing in what the specification itself says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.corpora.shared import corpus
from tests.mcp.published import LEGACY, MODERN, PROTOCOL, heads_disagree, problems, wrong
from tests.mcp.tap import Exchange, Part, Said

META = {
    PROTOCOL: MODERN,
    "io.modelcontextprotocol/clientInfo": {"name": "c", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "add", "arguments": {}, "_meta": META}}
RESULT = {"jsonrpc": "2.0", "id": 1, "result": {"resultType": "complete", "content": [{"type": "text", "text": "2"}]}}


def talk(asked: Any, answered: Any, **headers: str) -> list[Said]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    exchange = Exchange(Part("POST /mcp HTTP/1.1", named, json.dumps(asked).encode()), None)
    return [Said("client", asked, exchange), Said("server", answered, exchange)]


def test_examples_of_the_specification_are_right() -> None:
    examples = [each for each in corpus("mcp/spec_examples") if each["version"] == MODERN]
    assert len(examples) > 50
    assert [each["id"] for each in examples if problems(MODERN, each["value"], each["type"])] == []


def test_a_right_conversation_has_nothing_wrong() -> None:
    assert wrong(MODERN, talk(CALL, RESULT)) == []
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    assert wrong(LEGACY, talk(ping, {"jsonrpc": "2.0", "id": 1, "result": {}})) == []


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ({**CALL, "method": "tools/cal"}, RESULT),
        ({**CALL, "params": {"arguments": {}, "_meta": META}}, RESULT),
        ({**CALL, "params": {"name": "add"}}, RESULT),
        (CALL, {**RESULT, "id": None}),
        (CALL, {**RESULT, "result": {"content": []}}),
        (CALL, {**RESULT, "result": {"resultType": "complete"}}),
        (CALL, {**RESULT, "result": {"resultType": "complete", "content": [{"type": "text"}]}}),
        (CALL, {"jsonrpc": "2.0", "id": 1, "error": {"code": "x", "message": "y"}}),
    ],
)
def test_each_fault_is_found(asked: Any, answered: Any) -> None:
    assert wrong(MODERN, talk(asked, answered)) != []


def test_headers_have_to_say_what_the_body_says() -> None:
    right = {"mcp_protocol_version": MODERN, "mcp_method": "tools/call", "mcp_name": "add"}
    assert heads_disagree(talk(CALL, RESULT, **right)) == []
    for name, value in ((*right,) and [(each, "other") for each in right]) + [("mcp_session_id", "1")]:
        assert len(heads_disagree(talk(CALL, RESULT, **right | {name: value}))) == 1
