"""One message of MCP as a call of one tool: both eras, what the head has to say, and what goes to the server."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxy.errors import Refusal
from proxy.protocols.jsonrpc import BAD_PARAMS, HEADERS, INVALID, VERSION, Malformed
from proxy.protocols.mcpparams import arguments_of
from proxy.protocols.methods import CLIENT
from rules.facts import Principal, Run
from rules.tools import Remote, Reply
from tests.counts import examples
from tests.proxy.protocols.mcptools import (
    CATALOG,
    DOOR,
    META,
    NEW,
    SLOTS,
    ask,
    called,
    catalog,
    found,
    message,
    modern,
    plumbing,
    sent,
    tool,
)  # fmt: skip
from tests.rules.helpers import corpus

OLD = ("MCP-Protocol-Version", "2025-11-25")
TRACE = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
OTHER = "00-" + "c" * 32 + "-" + "d" * 16 + "-00"


def refused(asked: Any, code: int) -> Malformed:
    with pytest.raises(Malformed) as no:
        called(asked)
    assert no.value.rpc == code
    return no.value


def test_a_call_of_the_era_with_sessions() -> None:
    asked = ask(
        message("tools/call", {"name": "search", "arguments": {"q": "x"}, "_meta": {"progressToken": 7}}, "a-1"),
        OLD, ("Mcp-Session-Id", "s-1"), ("Authorization", "Bearer t"), ("Accept", "text/plain"), ("X-Other", "o"),
    )  # fmt: skip
    call = called(asked)
    assert (call.tool.name, call.arguments, call.base) == ("gh.search", {"q": "x"}, "/gh")
    assert sent(call) == {"name": "search", "arguments": {"q": "x"}, "_meta": {"progressToken": 7}}
    assert (asked.id, asked.modern, asked.revision, asked.session) == (b'"a-1"', False, "2025-11-25", "s-1")
    assert (call.outgoing.method, call.outgoing.target) == ("POST", "")
    assert dict(call.outgoing.headers) == {
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
        "mcp-protocol-version": "2025-11-25",
        "mcp-session-id": "s-1",
        "authorization": "Bearer t",
        "via": "1.1 toolwall",
        "forwarded": 'for="[::1]";host="localhost";proto=http',
    }


def test_a_call_of_the_era_without_sessions() -> None:
    asked = modern("tools/call", {"name": "search", "arguments": {"q": "x"}}, ("Mcp-Session-Id", "s-1"))
    call = called(asked)
    assert (call.tool.name, asked.modern, asked.revision, asked.session) == ("gh.search", True, NEW, "")
    head = dict(call.outgoing.headers)
    assert (head["mcp-protocol-version"], head["mcp-method"], head["mcp-name"]) == (NEW, "tools/call", "search")
    assert "mcp-session-id" not in head
    assert sent(call)["_meta"] == META


@pytest.mark.parametrize("target", ["/gh/mcp", "/gh/mcp/"])
def test_both_paths_mean_the_endpoint(target: str) -> None:
    assert called(ask(message("ping"), target=target)).tool.name == "gh.mcp/ping"
    assert called(ask(message("ping"), target=target[3:], host="gh.example")).base == ""


@pytest.mark.parametrize(
    ("method", "target"), [("POST", "/gh"), ("POST", "/gh/mcp/x"), ("PUT", "/gh/mcp"), ("POST", "/gh/MCP")]
)
def test_nothing_else_is_the_endpoint(method: str, target: str) -> None:
    no = refused(ask(message("ping"), method=method, target=target), INVALID)
    assert (no.http, no.headers) == (405, (("Allow", "POST, GET, DELETE"),))


def test_a_stream_and_the_end_of_a_session() -> None:
    asked = ask(b"", OLD, ("Mcp-Session-Id", "s-1"), ("Last-Event-ID", "e 7"), method="GET")
    call = called(asked)
    assert (call.tool.name, call.outgoing.method, call.outgoing.body) == ("gh.mcp/stream", "GET", b"")
    head = dict(call.outgoing.headers)
    assert (head["accept"], head["last-event-id"], head["mcp-session-id"]) == ("text/event-stream", "e 7", "s-1")
    call = called(ask(b"", OLD, ("Mcp-Session-Id", "s-1"), method="DELETE"))
    assert (call.tool.name, call.outgoing.method) == ("gh.mcp/close", "DELETE")
    assert "content-type" not in dict(call.outgoing.headers)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_the_era_without_sessions_has_messages_alone(method: str) -> None:
    no = refused(ask(b"", ("MCP-Protocol-Version", NEW), method=method), INVALID)
    assert (no.http, no.headers) == (405, (("Allow", "POST"),))


def test_a_stream_has_no_body() -> None:
    refused(ask(b"", ("Content-Length", "2"), method="GET"), INVALID)


@pytest.mark.parametrize("kind", ["text/json", "application/json-rpc", "application/json; charset=latin-1", ""])
def test_a_message_is_json_by_its_type(kind: str) -> None:
    asked = ask(message("ping"))
    asked._raw_headers = ((b"Host", b"localhost"), (b"Content-Type", kind.encode()))
    refused(asked, INVALID)


# The table of the head: what is there, and what becomes of it.
CALL = {"name": "mirror", "arguments": {"q": "x", "n": 42, "deep": {"flag": True}}}
MIRRORS = (("Mcp-Param-Q", "x"), ("Mcp-Param-N", "42"), ("Mcp-Param-Flag", "true"))


@pytest.mark.parametrize("leave", ["MCP-Protocol-Version", "Mcp-Method", "Mcp-Name"])
def test_what_the_head_has_to_say(leave: str) -> None:
    assert called(modern("tools/call", CALL, *MIRRORS)).tool.name == "gh.mirror"
    refused(modern("tools/call", CALL, *MIRRORS, leave=leave), HEADERS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MCP-Protocol-Version", "2025-11-25"),
        ("MCP-Protocol-Version", ""),
        ("Mcp-Method", "tools/Call"),
        ("Mcp-Method", "tools/list"),
        ("Mcp-Method", "=?base64?dG9vbHMvY2FsbA==?="),
        ("Mcp-Name", "Mirror"),
        ("Mcp-Name", "search"),
        ("Mcp-Name", ""),
        ("Mcp-Name", "=?base64?bWlycm9y?"),
        ("Mcp-Name", "=?base64?bWlycm9y=?="),
        ("Mcp-Name", "=?base64?bWlycm!9y?="),
        ("Mcp-Name", "=?BASE64?bWlycm9y?="),
        ("Mcp-Name", "=?base64?/w==?="),
        ("Mcp-Name", "=?base64?="),
        ("Mcp-Name", "mirrör"),
    ],
)
def test_a_head_that_says_something_else(name: str, value: str) -> None:
    refused(modern("tools/call", CALL, *MIRRORS, (name, value), leave=name), HEADERS)


@pytest.mark.parametrize(
    ("name", "value"), [("Mcp-Name", "mirror"), ("Mcp-Param-Q", "x"), ("mcp-method", "tools/call")]
)
def test_a_header_comes_once(name: str, value: str) -> None:
    refused(modern("tools/call", CALL, *MIRRORS, (name, value)), HEADERS)


@pytest.mark.parametrize("name", ["mirror", "=?base64?bWlycm9y?="])
def test_a_name_may_be_encoded(name: str) -> None:
    call = called(modern("tools/call", CALL, *MIRRORS, name=name))
    assert dict(call.outgoing.headers)["mcp-name"] == "mirror"


def test_a_name_of_odd_characters_goes_on_encoded() -> None:
    odd = "ä b\n=?base64?x?="
    encoded = "=?base64?w6QgYgo9P2Jhc2U2ND94Pz0=?="
    call = called(modern("tools/call", {"name": odd}, name=encoded))
    assert (call.tool.name, sent(call)["name"]) == ("gh.odd", odd)
    assert dict(call.outgoing.headers)["mcp-name"] == encoded


@pytest.mark.parametrize(
    ("end", "value", "good"),
    [
        ("N", "42", True), ("N", "42.0", True), ("N", "42.00", True), ("N", "=?base64?NDI=?=", True),
        ("N", "42.5", False), ("N", "+42", False), ("N", "042", False), ("N", "4.2e1", False), ("N", "0x2a", False),
        ("N", "42 ", False), ("N", "", False), ("Q", "X", False), ("Q", "=?base64?eA==?=", True), ("Q", "", False),
        ("Flag", "True", False), ("Flag", "1", False), ("Flag", "false", False), ("Unheard", "of", True),
    ],
)  # fmt: skip
def test_a_header_repeats_an_argument(end: str, value: str, good: bool) -> None:
    name = f"Mcp-Param-{end}"
    asked = modern("tools/call", CALL, *(pair for pair in MIRRORS if pair[0] != name), (name, value))
    if not good:
        refused(asked, HEADERS)
        return
    head = dict(called(asked).outgoing.headers)
    assert {key: head[key] for key in head if key.startswith("mcp-param-")} == {
        "mcp-param-q": "x",
        "mcp-param-n": "42",
        "mcp-param-flag": "true",
    }


@pytest.mark.parametrize("at", range(3))
def test_a_header_that_repeats_an_argument_is_missing(at: int) -> None:
    refused(modern("tools/call", CALL, *(MIRRORS[:at] + MIRRORS[at + 1 :])), HEADERS)


def test_what_is_not_there_is_not_repeated() -> None:
    without = {"name": "mirror", "arguments": {"q": None, "deep": {}}}
    assert called(modern("tools/call", without)).tool.name == "gh.mirror"
    refused(modern("tools/call", without, ("Mcp-Param-Q", "")), HEADERS)
    refused(modern("tools/call", without, ("Mcp-Param-N", "null")), HEADERS)


@pytest.mark.parametrize("number", [2**53, -(2**53), 2**64, 10**30])
def test_an_integer_that_some_read_otherwise_is_not_repeated(number: int) -> None:
    call = {"name": "mirror", "arguments": {"n": number}}
    refused(modern("tools/call", call, ("Mcp-Param-N", str(number))), HEADERS)


@pytest.mark.parametrize(
    ("head", "code"),
    [
        ((), 0),
        ((("Mcp-Method", "tools/call"), ("Mcp-Name", "mirror"), ("Mcp-Param-N", "42")), 0),
        ((("Mcp-Method", "tools/list"),), HEADERS),
        ((("Mcp-Name", "search"),), HEADERS),
        ((("Mcp-Param-N", "43"),), HEADERS),
        ((("MCP-Protocol-Version", NEW),), BAD_PARAMS),
        ((("MCP-Protocol-Version", "2025-06-18"),), 0),
        ((("MCP-Protocol-Version", "1.0"),), VERSION),
        ((("MCP-Protocol-Version", "DRAFT-2026-v1"),), VERSION),
    ],
)
def test_the_head_of_the_era_with_sessions(head: tuple[tuple[str, str], ...], code: int) -> None:
    asked = ask(message("tools/call", CALL), *head)
    if code:
        refused(asked, code)
    else:
        assert called(asked).tool.name == "gh.mirror"


def test_headers_that_repeat_are_written_anew_where_they_came() -> None:
    head = dict(called(ask(message("tools/call", CALL), ("Mcp-Name", "mirror"))).outgoing.headers)
    assert "mcp-name" not in head
    head = dict(called(ask(message("tools/call", CALL), ("Mcp-Method", "tools/call"))).outgoing.headers)
    assert (head["mcp-name"], head["mcp-param-n"]) == ("mirror", "42")


@pytest.mark.parametrize("version", ["1900-01-01", "2025-11-25", "2026-07-29"])
def test_a_revision_that_is_not_spoken(version: str) -> None:
    meta = {**META, "io.modelcontextprotocol/protocolVersion": version}
    no = refused(ask(message("ping", {"_meta": meta}), ("MCP-Protocol-Version", version)), VERSION)
    assert no.data["requested"] == version
    assert no.data["supported"] == [NEW]
    no = refused(ask(message("ping"), ("MCP-Protocol-Version", "1900-01-01")), VERSION)
    assert no.data["supported"][:2] == [NEW, "2025-11-25"]


@pytest.mark.parametrize("version", [1, None, ["2026-07-28"]])
def test_a_revision_is_a_string(version: Any) -> None:
    meta = {"io.modelcontextprotocol/protocolVersion": version}
    with pytest.raises(Malformed):
        found(ask(message("ping", {"_meta": meta}), ("MCP-Protocol-Version", NEW)))


def test_methods_belong_to_an_era() -> None:
    assert found(modern("initialize", {})) is None
    assert found(modern("ping", {})) is None
    assert found(ask(message("server/discover"))) is None
    assert found(ask(message("sampling/createMessage"))) is None  # what servers ask
    assert found(ask(message("notifications/initialized"))) is None  # with an id it is no notification
    assert found(ask(b'{"jsonrpc":"2.0","method":"tools/call","params":{"name":"search"}}')) is None
    assert found(ask(message("tasks/get", {"taskId": "t"}), ("MCP-Protocol-Version", "2025-06-18"))) is None
    assert found(ask(message("tasks/get", {"taskId": "t"}), OLD)) is not None
    assert found(ask(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')) is not None


def test_names_are_compared_as_they_are() -> None:
    for name in ("Search", "search ", "prompts/review", "gh.search", "", "x" * 9999):
        assert found(ask(message("tools/call", {"name": name}))) is None
    assert found(ask(message("prompts/get", {"name": "search"}))) is None


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("repo://readme", "readme"),
        ("repo://src/a.py", "file"),
        ("repo://secret/a", "secret"),
        ("repo://a/..b/c", "file"),
        ("repo://{+path}", None),
        ("repo://a/../secret/a", None),
        ("repo://a/%2e%2E/secret/a", None),
        ("repo://a/%252e%252e/secret/a", None),
        ("repo://a/..%2fsecret/a", None),
        ("repo://a\\..\\secret", None),
        ("repo://a%00", None),
        ("repo://a b", None),
        ("repo://a%20b/%7Bc%7D/ä", "file"),
        ("other://a", None),
    ],
)
def test_the_tool_of_a_resource(uri: str, name: str | None) -> None:
    asked = ask(message("resources/read", {"uri": uri}))
    tool = found(asked)
    assert (tool and tool.short) == (name and f"resources/{name}")


def test_what_rules_judge() -> None:
    assert called(ask(message("tools/call", {"name": "search"}))).arguments == {}
    assert called(ask(message("prompts/get", {"name": "review", "arguments": {"a": "b"}}))).arguments == {"a": "b"}
    assert called(ask(message("resources/read", {"uri": "repo://readme"}))).arguments == {"uri": "repo://readme"}
    said = {"ref": {"type": "ref/prompt", "name": "review"}, "argument": {"name": "a", "value": "b"}}
    assert called(ask(message("completion/complete", {**said, "_meta": {}}))).arguments == said
    assert called(ask(message("tools/list", {"cursor": "c", "_meta": {"x": 1}}))).arguments == {"cursor": "c"}


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/call", {"name": "search", "more": 1}),
        ("tools/call", {"name": "search", "uri": "x"}),
        ("tools/call", {"name": "search", "Arguments": {}}),
        ("tools/call", {"name": "search", "arguments": [1]}),
        ("tools/call", {"name": "search", "arguments": None}),
        ("tools/call", {"name": "search", "_meta": [1]}),
        ("tools/call", {"name": "search", "inputResponses": {}}),
        ("tools/call", {"name": 7}),
        ("tools/call", {}),
        ("resources/read", {"uri": 7}),
        ("resources/read", {"uri": "repo://readme", "arguments": {}}),
        ("resources/subscribe", {}),
        ("tools/list", {"Cursor": "c"}),
        ("tools/list", {"_Meta": {}}),
        ("tools/list", {"_meta": {"TraceParent": "x"}}),
        ("tools/list", {"_meta": {"io.modelcontextprotocol/protocolversion": NEW}}),
        ("initialize", {"protocolVer\u017fion": "2025-11-25"}),  # a letter that Go takes for an s
        ("completion/complete", {"ref": "x", "argument": {}}),
    ],
)
def test_params_that_nobody_judges_or_that_read_in_two_ways(method: str, params: dict[str, Any]) -> None:
    refused(ask(message(method, params)), BAD_PARAMS)


def test_an_argument_that_some_take_for_another() -> None:
    for arguments in ({"q": "x", "Q": "y"}, {"Q": "y"}, {"new": 1, "New": 2}):
        problems = called(ask(message("tools/call", {"name": "search", "arguments": arguments}))).problems
        assert [problem.problem for problem in problems] == ["has a name that some servers take for another's"]
    assert not called(ask(message("tools/call", {"name": "search", "arguments": {"q": "x", "new": 1}}))).problems


def test_what_a_message_is_about_besides() -> None:
    def also(asked: Any) -> list[str | None]:
        found(asked)
        return [each and each.short for each in asked.also]

    argument = {"argument": {"name": "a", "value": "b"}}
    for ref, name in [
        ({"type": "ref/prompt", "name": "review"}, "prompts/review"),
        ({"type": "ref/prompt", "name": "hidden"}, None),
        ({"type": "ref/resource", "uri": "repo://{+path}"}, "resources/file"),
        ({"type": "ref/resource", "uri": "repo://secret/x"}, "resources/secret"),
        ({"type": "ref/other", "name": "review"}, None),
        ({"type": "ref/prompt", "name": 7}, None),
    ]:
        assert also(ask(message("completion/complete", {"ref": ref, **argument}))) == [name]
    assert also(ask(message("resources/subscribe", {"uri": "repo://secret/x"}))) == ["resources/secret"]
    assert also(ask(message("tools/call", {"name": "search"}))) == []


def test_what_a_client_listens_to_it_has_to_see() -> None:
    asked = modern("subscriptions/listen", {"notifications": {"resourceSubscriptions": ["repo://a", "other://b"]}})
    assert found(asked) is not None
    assert [each and each.short for each in asked.also] == ["resources/file", None]
    for wrong in (["repo://a"] * 257, "repo://a", [7], None):
        refused(modern("subscriptions/listen", {"notifications": {"resourceSubscriptions": wrong}}), BAD_PARAMS)
    refused(modern("subscriptions/listen", {"notifications": ["repo://a"]}), BAD_PARAMS)


def test_a_task_whose_answer_would_be_treated_otherwise_is_refused() -> None:
    results = plumbing("tasks/result")
    shaped = Reply(redact=frozenset({"PERSON"}))
    tools = catalog(*results, tool("own", Remote("tools/call", "own"), reply=shaped))
    params: dict[str, Any] = {"name": "search", "task": {"ttl": 60}}
    call = called(ask(message("tools/call", params)), tools)
    assert (sent(call)["task"], call.aside) == ({"ttl": 60}, {"task": {"ttl": 60}})
    refused(ask(message("tools/call", params)), BAD_PARAMS)  # no tasks/result at all
    with pytest.raises(Malformed):
        called(ask(message("tools/call", {**params, "name": "own"})), tools)
    refused(modern("tools/call", params), BAD_PARAMS)


def test_answers_to_what_a_server_asked() -> None:
    answers = {
        "one": {"action": "accept", "content": {"name": "octocat"}},
        "two": {"role": "assistant", "content": {"type": "text", "text": "Paris"}, "model": "m"},
        "three": {"roots": []},
    }
    asked = modern("tools/call", {"name": "search", "inputResponses": answers, "requestState": "blob"})
    call = called(asked)
    assert [each and each.short for each in asked.also] == ["elicitation/create", "sampling/createMessage", None]
    assert call.aside == {"inputResponses": answers, "requestState": "blob"}
    assert sent(call)["inputResponses"] == answers
    assert sent(call)["requestState"] == "blob"
    assert call.same == [{}, call.aside]


@pytest.mark.parametrize("answer", [{}, {"action": "accept", "roots": []}, "x", {"content": {}}])
def test_an_answer_to_nothing(answer: Any) -> None:
    refused(modern("tools/call", {"name": "search", "inputResponses": {"a": answer}}), BAD_PARAMS)


def test_a_response_of_a_client() -> None:
    body = b'{"jsonrpc":"2.0","id":"srv-1","result":{"action":"accept","content":{"a":1}}}'
    asked = ask(body, OLD, ("Mcp-Session-Id", "s-1"))
    call = called(asked)
    assert (call.tool.name, asked.id) == ("gh.mcp/response", b'"srv-1"')
    assert call.arguments == {"result": {"action": "accept", "content": {"a": 1}}}
    assert json.loads(call.outgoing.body) == call.arguments
    assert found(ask(body, ("MCP-Protocol-Version", NEW))) is None  # nobody asks there


def test_what_stays_of_meta() -> None:
    meta = {
        "traceparent": TRACE, "tracestate": "a=b", "baggage": "toolwall.run=r1,user=7", "toolwall/x": 1,
        "progressToken": 9007199254740993, "com.example/y": {"z": 1},
    }  # fmt: skip
    call = called(ask(message("tools/call", {"name": "search", "_meta": meta})))
    assert sent(call)["_meta"] == {
        "progressToken": 9007199254740993,
        "com.example/y": {"z": 1},
    }
    assert call.aside == {"_meta": {"com.example/y": {"z": 1}}}
    assert call.same == call.arguments  # else no call would ever be the same as another


def test_the_message_says_where_it_is_in_a_trace_before_the_head() -> None:
    asked = ask(message("ping", {"_meta": {"traceparent": TRACE, "tracestate": "a=b"}}), ("traceparent", OTHER))
    assert asked.hail().traceparent == OTHER  # nothing is read yet
    found(asked)
    hail = asked.hail()
    assert (hail.protocol, hail.traceparent, hail.tracestate) == ("mcp", TRACE, "a=b")


@pytest.mark.parametrize("wrong", [7, "00-x", TRACE.upper(), ""])
def test_a_trace_that_is_none_leaves_the_head(wrong: Any) -> None:
    asked = ask(message("ping", {"_meta": {"traceparent": wrong}}), ("traceparent", OTHER), ("tracestate", "c=d"))
    found(asked)
    assert (asked.hail().traceparent, asked.hail().tracestate) == (OTHER, "c=d")


def test_a_session_names_the_run_but_not_by_its_id() -> None:
    runs = [ask(b"", ("Mcp-Session-Id", id)).hail().run for id in ("secret-1", "secret-1", "secret-2")]
    assert runs[0] == runs[1] != runs[2]
    assert runs[0].startswith("mcp-")
    assert "secret" not in runs[0]
    assert ask(b"", ("Mcp-Session-Id", "s"), ("Toolwall-Run", "mine")).hail().run == "mine"
    assert ask(b"").hail().run == ""
    for id in ("a b", "ä", "x" * 513):
        with pytest.raises(Malformed):
            ask(b"", ("Mcp-Session-Id", id)).hail()


def test_the_callers_credential_goes_where_the_backend_takes_it() -> None:
    tools = catalog(tool("keyed", Remote("tools/call", "keyed"), credentials=SLOTS))
    body = message("tools/call", {"name": "keyed"})
    head = (("X-Key", "k"), ("Authorization", "Bearer t"), ("Cookie", "sid=s; other=o"))
    call = called(ask(body, *head, target="/gh/mcp?key=a%20b"), tools)
    sent_head = dict(call.outgoing.headers)
    assert (sent_head["x-key"], sent_head["cookie"], call.outgoing.target) == ("k", "sid=s", "?key=a%20b")
    assert "authorization" not in sent_head
    with pytest.raises(Malformed):
        called(ask(body, target="/gh/mcp?other=1"), tools)
    refused(ask(message("ping"), target="/gh/mcp?session=1"), INVALID)


@pytest.mark.parametrize("number", [2**53 + 1, 2**63, 2**64 + 1, -(2**70), 10**200])
def test_integers_go_on_as_they_came(number: int) -> None:
    call = called(ask(message("tools/call", {"name": "search", "arguments": {"n": number}}, number)))
    assert sent(call)["arguments"] == {"n": number}
    assert call.arguments == {"n": number}


def test_arguments_may_be_as_deep_as_any_body() -> None:
    def nested(levels: int) -> bytes:
        deep = b'{"a":' * levels + b"1" + b"}" * levels
        return b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","arguments":%b}}' % deep

    assert called(ask(nested(DOOR.most_depth))).tool.name == "gh.search"
    with pytest.raises(Exception, match="too_large"):
        called(ask(nested(DOOR.most_depth + 1)))


def test_every_example_of_the_specification_is_read() -> None:
    """Requests of clients as they are; params alone in a message of their method."""
    read = 0
    methods = {"GetPromptRequestParams": "prompts/get", "PaginatedRequestParams": "tools/list"}
    tools = catalog(
        tool("prompts/code", Remote("prompts/get", "code_review")),
        *plumbing("notifications/progress"),
    )
    for record in corpus("mcp/spec_examples.jsonl.gz"):
        value, kind = record["value"], record["type"]
        if kind in methods:
            value = {"jsonrpc": "2.0", "id": 1, "method": methods[kind], "params": value}
        elif kind == "ProgressNotificationParams":
            value = {"jsonrpc": "2.0", "method": "notifications/progress", "params": value}
        elif kind == "InputResponses":
            value = json.loads(message("tools/call", {"name": "search", "_meta": META, "inputResponses": value}))
        if "jsonrpc" not in value or value.get("method") not in CLIENT:
            continue
        params = value.get("params", {})
        head = [("Mcp-Method", value["method"])]
        if params.get("_meta"):
            head.append(("MCP-Protocol-Version", record["version"]))
        if "name" in params:
            head.append(("Mcp-Name", params["name"]))
        asked = ask(json.dumps(value).encode(), *head)
        there = found(asked, tools)
        assert there is not None, record["id"]
        call = asyncio.run(asked.call("c", there, Principal("p"), Run("r", 1)))
        assert sent(call) == {**params, "_meta": params.get("_meta", {})}, record["id"]
        read += 1
    assert read >= 6


HEADS = st.lists(
    st.tuples(
        st.sampled_from(["MCP-Protocol-Version", "Mcp-Method", "Mcp-Name", "Mcp-Param-N", "Mcp-Param-Q"]),
        st.one_of(
            st.sampled_from(
                [NEW, "2025-11-25", "tools/call", "mirror", "search", "42", "42.0", "x", "=?base64?eA==?="]
            ),
            st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), max_size=12),
        ),
    ),
    max_size=6,
)


@given(HEADS)
@settings(max_examples=examples(400), deadline=None, database=None)
def test_a_head_agrees_or_is_refused(head: list[tuple[str, str]]) -> None:
    """By any head the same call goes out, or none does."""
    body = message("tools/call", {"name": "mirror", "arguments": {"n": 42, "q": "x"}, "_meta": META})
    names = [name for name, _ in head]
    good = {
        "MCP-Protocol-Version": {NEW},
        "Mcp-Method": {"tools/call"},
        "Mcp-Name": {"mirror"},
        "Mcp-Param-N": {"42", "42.0"},
        "Mcp-Param-Q": {"x", "=?base64?eA==?="},
    }
    agrees = sorted(names) == sorted(good) and all(value.strip() in good[name] for name, value in head)
    asked = ask(body, *head)
    if agrees:
        assert dict(called(asked).outgoing.headers)["mcp-param-q"] == "x"
    else:
        refused(asked, HEADERS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=6), JSON, max_size=4), st.integers() | st.text(max_size=20))
@settings(max_examples=examples(200), deadline=None, database=None)
def test_what_was_judged_is_what_is_sent(arguments: dict[str, Any], id: Any) -> None:
    body = message("tools/call", {"name": "search", "arguments": arguments}, id)
    asked = ask(body)
    call = called(asked)
    assert call.arguments == arguments == sent(call)["arguments"]
    assert json.loads(asked.id) == id
    assert b'"id": ' + asked.id + b"," in body


def test_a_catalog_finds_the_template_that_says_most() -> None:
    assert [each.short for each in CATALOG.templates("gh")] == ["resources/secret", "resources/file"]
    assert not CATALOG.templates("other")


ODD = st.one_of(
    st.sampled_from([None, 7, 1.5, True, "", "x", [], {}, [7], {"a": {"b": 1}}, 2**70, "a" * 9]),
    st.sampled_from([NEW, "2025-11-25", "search", "repo://a", "ref/prompt", "review", TRACE, META]),
    st.sampled_from([{"type": "ref/prompt", "name": 7}, {"type": "ref/resource", "uri": "repo://a"}, {"type": []}]),
    st.sampled_from([{"resourceSubscriptions": 7}, {"resourceSubscriptions": ["repo://a", 7]}]),
    st.sampled_from([{"a": {"action": "accept"}}, {"a": {"roots": []}}, {"a": 7}, {"a": {"role": 1, "action": 2}}]),
)
MEMBERS = [
    "name", "arguments", "uri", "_meta", "cursor", "task", "inputResponses", "requestState", "ref", "argument",
    "context", "level", "requestId", "notifications", "Name", "more",
]  # fmt: skip
BASES: dict[str, dict[str, Any]] = {
    "tools/call": {"name": "search"},
    "prompts/get": {"name": "review"},
    "resources/read": {"uri": "repo://a"},
    "resources/subscribe": {"uri": "repo://readme"},
    "completion/complete": {"ref": {"type": "ref/prompt", "name": "review"}, "argument": {}},
    "subscriptions/listen": {"notifications": {}},
    "initialize": {},
    "tools/list": {},
    "sampling/createMessage": {},
}
FRAMES = st.sampled_from([{}, {}, {"id": 1.5}, {"id": None}, {"params": [1]}, {"result": {}}, {"x": 1}])
MORE_META = st.sampled_from(["traceparent", "baggage", "toolwall/x", "x/y", "progressToken"])


@given(
    st.sampled_from(sorted(BASES)),
    st.dictionaries(st.sampled_from(MEMBERS), ODD, max_size=2),
    st.dictionaries(MORE_META, ODD, max_size=2),
    FRAMES,
    st.booleans(),
)
@example("initialize", {"inputResponses": None}, {}, {}, False)
@settings(max_examples=examples(400), deadline=None, database=None)
def test_whatever_comes_is_a_call_or_refused(
    method: str, more: dict[str, Any], meta: dict[str, Any], frame: dict[str, Any], is_modern: bool
) -> None:
    """Nothing falls through: what is sent is the arguments that were judged, and what goes along."""
    params = {**BASES[method], **({"_meta": {**META, **meta}} if is_modern else {"_meta": meta}), **more}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params, **frame})
    head = [("MCP-Protocol-Version", NEW), ("Mcp-Method", method)] if is_modern else []
    name = params.get("name", params.get("uri"))
    asked = ask(body.encode(), *head, *([("Mcp-Name", name)] if is_modern and isinstance(name, str) else []))
    try:
        there = found(asked)
        call = there and asyncio.run(asked.call("c", there, Principal("p"), Run("r", 1)))
    except Refusal:
        return
    if call:
        assert call.tool.mcp is not None
        assert arguments_of(call.tool.mcp.method, sent(call)) == call.arguments
        along = {name: value for name, value in call.aside.items() if name != "_meta"}
        assert {name: sent(call)[name] for name in along} == along
        assert sent(call).keys() <= {"_meta", "arguments", "name", *call.arguments, *along}
