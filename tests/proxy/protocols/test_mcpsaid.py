"""How "no" is said over MCP, by kind of message, code and era."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxy.errors import CODES, Refusal
from proxy.protocols import mcpsaid
from proxy.protocols.jsonrpc import NOTHING, VERSION, Malformed, Message

ELSEWHERE = {"unknown_tool", "unknown_session", "unauthenticated", "bad_request", "too_large", "unknown_rest"}
CALL = Message("request", b'"i\\u0064"', "tools/call", {"name": "search"}, {})


def said(no: Refusal, message: Message = CALL, modern: bool = False) -> tuple[int, dict[str, str], Any]:
    no.call_id, no.tool = "c-1", "gh.search"
    revision = "2026-07-28" if modern else "2025-11-25"
    status, headers, raw = mcpsaid.reply(no, message, message.id, revision, modern)
    body = json.loads(raw)
    error = body.get("error", {}) if "jsonrpc" in body else {}
    assert mcpsaid.code_of(no, message, revision) == error.get("code", 0)
    return status, dict(headers), body


def request(method: str, **params: Any) -> Message:
    return Message("request", b"7", method, params, {})


@pytest.mark.parametrize("code", sorted(CODES.keys() - ELSEWHERE))
@pytest.mark.parametrize("modern", [False, True])
def test_a_tool_call_is_refused_in_a_result_that_a_model_reads(code: str, modern: bool) -> None:
    no = Refusal(code, "Not so.", suggestion="Do this.", errors=({"path": "/a", "problem": "is wrong"},), retry_after=9)
    status, headers, body = said(no, modern=modern)
    assert (status, body["jsonrpc"], body["id"]) == (200, "2.0", "id")
    result = body["result"]
    assert result["isError"] is True
    assert result.get("resultType") == ("complete" if modern else None)
    assert [each["type"] for each in result["content"]] == ["text"]
    problem = json.loads(result["content"][0]["text"])
    assert (problem["code"], problem["detail"], problem["suggestion"]) == (code, "Not so.", "Do this.")
    assert (problem["status"], problem["tool"], problem["call_id"]) == (CODES[code].status, "gh.search", "c-1")
    hints = result["_meta"]["toolwall/refusal"]
    assert (hints["code"], hints["retry_after_s"], hints["executed"]) == (code, 9, "no")
    assert (headers["Toolwall-Call"], headers["Toolwall-Refused"], headers["Retry-After"]) == ("c-1", code, "9")
    assert headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("code", "rpc"),
    [
        ("denied", -32602), ("schema_violation", -32602), ("unsafe_argument", -32602), ("duplicate_call", -32602),
        ("limit_reached", -32603), ("reply_refused", -32603), ("timeout", -32603), ("internal", -32603),
    ],
)  # fmt: skip
def test_other_requests_are_refused_with_an_error(code: str, rpc: int) -> None:
    status, headers, body = said(Refusal(code, "Not so."), request("prompts/get", name="p"))
    assert (status, body["id"], body["error"]["code"], body["error"]["message"]) == (200, 7, rpc, "Not so.")
    assert body["error"]["data"]["code"] == code == headers["Toolwall-Refused"]
    assert "result" not in body


def test_hidden_and_unknown_are_said_in_the_same_words() -> None:
    no = Refusal("unknown_tool", "No tool of this name is available to you.")
    status, _, body = said(no)
    assert (status, body["error"]) == (200, {"code": -32602, "message": "Unknown tool: search"})
    for method, params, words in [
        ("prompts/get", {"name": "p"}, "Unknown prompt: p"),
        ("tools/list", {}, "There is nothing of this kind for you."),
    ]:
        assert said(no, request(method, **params))[2]["error"] == {"code": -32602, "message": words}
    assert len(said(no, request("tools/call", name="x" * 9999))[2]["error"]["message"]) < 200


@pytest.mark.parametrize("method", ["resources/read", "resources/subscribe", "resources/unsubscribe"])
def test_an_unknown_resource_has_the_code_of_its_era_and_its_uri(method: str) -> None:
    no = Refusal("unknown_tool", "No tool of this name is available to you.")
    error = {"code": -32002, "message": "Unknown resource: u://x", "data": {"uri": "u://x"}}
    assert said(no, request(method, uri="u://x"))[2]["error"] == error
    if method == "resources/read":
        assert said(no, request(method, uri="u://x"), modern=True)[2]["error"] == {**error, "code": -32602}
    assert len(json.dumps(said(no, request(method, uri="u" * 99_999))[2])) < 3_000


@pytest.mark.parametrize("method", ["nothing", "sampling/createMessage", "notifications/initialized"])
def test_a_method_that_is_not_served(method: str) -> None:
    no = Refusal("unknown_tool")
    status, _, body = said(no, request(method))
    assert (status, body["error"]) == (200, {"code": -32601, "message": "Method not found"})
    assert said(no, request(method), modern=True)[0] == 404


def test_methods_of_the_other_era_are_not_served() -> None:
    assert said(Refusal("unknown_tool"), request("initialize"), modern=True)[2]["error"]["code"] == -32601
    assert said(Refusal("unknown_tool"), request("server/discover"))[2]["error"]["code"] == -32601


def test_a_bad_message() -> None:
    no = Malformed("Not this.", VERSION, data={"supported": ["a"], "requested": "b"})
    status, headers, body = said(no)
    assert (status, headers["Toolwall-Refused"]) == (400, "bad_request")
    assert body["error"] == {"code": -32022, "message": "Not this.", "data": {"supported": ["a"], "requested": "b"}}
    status, _, body = said(Refusal("bad_request", "A head."))
    assert (status, body["error"]["code"], body["id"]) == (400, -32600, "id")
    status, _, body = said(Refusal("too_large", "Too much."), NOTHING)
    assert (status, body["error"]["code"], "id" in body) == (413, -32600, False)
    no = Malformed("Lost.", http=404)
    assert said(no)[0] == 404


def test_a_bad_message_whose_id_is_known_has_it() -> None:
    no = Malformed("Not this.")
    body = json.loads(mcpsaid.reply(no, NOTHING, b"7", "", False)[2])
    assert body["id"] == 7


def test_who_is_not_known_gets_no_message() -> None:
    no = Refusal("unauthenticated", "Who?", headers=(("WWW-Authenticate", "Bearer"),))
    status, headers, body = said(no)
    assert (status, headers["Content-Type"], headers["WWW-Authenticate"]) == (401, "application/problem+json", "Bearer")
    assert (body["code"], "jsonrpc" in body) == ("unauthenticated", False)


@pytest.mark.parametrize("code", ["denied", "limit_reached", "internal"])
def test_what_has_no_answer_is_refused_by_status(code: str) -> None:
    for message in (NOTHING._replace(method="notifications/cancelled"), Message("response", b"", "", {}, {})):
        status, _, body = said(Refusal(code), message)
        assert status == CODES[code].status
        assert ("id" in body, "error" in body) == (False, True)
    assert said(Refusal("unknown_tool"), NOTHING._replace(method="notifications/cancelled"))[0] == 403


def test_a_stream_that_nobody_may_have_is_not_there() -> None:
    status, headers, _ = said(Refusal("unknown_tool"), NOTHING._replace(method="stream"))
    assert (status, headers["Allow"]) == (405, "POST")


def test_a_reply_that_has_begun_ends_with_the_refusal() -> None:
    no = Refusal("timeout", "Too slow.", executed="unknown")
    no.call_id = "c-1"
    said = mcpsaid.response(no, CALL, modern=True)
    assert said.startswith(b'{"jsonrpc":"2.0","id":"i\\u0064",')
    assert b"\n" not in said  # it is one event
    assert json.loads(said)["result"]["_meta"]["toolwall/refusal"]["executed"] == "unknown"


def test_known_secrets_are_taken_out_before_it_is_said() -> None:
    no = Refusal("schema_violation", extra={"example": {"a": "hunter2"}})
    _, _, body = mcpsaid.reply(no, CALL, CALL.id, "", False, lambda text: text.replace(b"hunter2", b"***"))
    assert b"hunter2" not in body
    assert b"***" in body
    no, call = Refusal("unknown_tool"), request("tools/call", name="hunter2")
    assert (
        b"hunter2" not in mcpsaid.reply(no, call, call.id, "", False, lambda text: text.replace(b"hunter2", b"***"))[2]
    )
