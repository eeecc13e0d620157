"""Params written from arguments, made anew, and read again. How they are read first is played in test_mcp."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.errors import Refusal
from proxy.model import Call
from proxy.protocols import jsonrpc, mcpparams
from proxy.protocols.again import again
from proxy.protocols.masking import masked
from proxy.protocols.restoring import restored
from proxy.telemetry.tracecontext import inside
from redaction.pseudonyms import ANY, Pseudonyms, Restoring
from tests.counts import examples
from tests.proxy.protocols.mcptools import CATALOG, META, ask, called, message, modern, sent

TRACING = {"traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01", "tracestate": "a=b"}
MIRRORED = {"name": "mirror", "arguments": {"q": "xx", "n": 42}}
MIRRORS = (("Mcp-Param-Q", "xx"), ("Mcp-Param-N", "42"))


class Upper:
    """Takes out every `x`."""

    def text(self, text: str, name: str) -> str:
        return text.replace("x", "<X>")

    markup = text

    def json(self, body: bytes) -> bytes:
        return body.replace(b"x", b"<X>")


class Odd(Upper):
    def __init__(self, made: bytes) -> None:
        self._made = made

    def json(self, body: bytes) -> bytes:
        return self._made


def mirror() -> Call:
    return called(modern("tools/call", MIRRORED, *MIRRORS))


def test_message_and_headers_are_masked_together() -> None:
    call = mirror()
    made = masked(call, Upper())
    assert made is not None
    assert made.arguments == {"q": "<X><X>", "n": 42}
    assert sent(made) == {"name": "mirror", "arguments": made.arguments, "_meta": META}
    head = dict(made.outgoing.headers)
    assert (head["mcp-param-q"], head["mcp-param-n"], head["mcp-name"]) == ("<X><X>", "42", "mirror")
    assert dict(call.outgoing.headers)["mcp-param-q"] == "xx"
    assert len(made.outgoing.headers) == len(call.outgoing.headers)


def test_what_is_of_the_protocol_is_not_masked() -> None:
    params = {"name": "search", "arguments": {"q": "x"}, "_meta": {"progressToken": "x-1", "com.example/x": "x"}}
    made = masked(called(ask(message("tools/call", params))), Upper())
    assert made is not None
    assert sent(made) == {**params, "arguments": {"q": "<X>"}}
    assert made.aside == {"_meta": {"com.example/x": "x"}}  # so whoever looks again finds it still


def test_answers_to_a_server_are_masked_and_its_state_is_not() -> None:
    answers = {"a": {"action": "accept", "content": {"name": "x"}}}
    params = {"name": "search", "arguments": {"q": "x"}, "inputResponses": answers, "requestState": "x"}
    made = masked(called(modern("tools/call", params)), Upper())
    assert made is not None
    assert sent(made)["inputResponses"] == made.aside["inputResponses"]
    assert made.aside["inputResponses"]["a"]["content"] == {"name": "<X>"}
    assert (sent(made)["requestState"], made.aside["requestState"]) == ("x", "x")


@pytest.mark.parametrize("made", [b'{"q":1,"q":2}', b"{", b'{"Q":"y"}', b"[1]", b'{"q":"y","n":1,"N":2}'])
def test_what_would_mean_something_else_is_not_sent(made: bytes) -> None:
    call = called(ask(message("tools/call", {"name": "search", "arguments": {"q": "x", "n": 1}})))
    assert masked(call, Odd(made)) is None


def test_the_name_of_a_resource_is_masked_in_the_head_as_well() -> None:
    made = masked(called(modern("resources/read", {"uri": "repo://src/x"})), Upper())
    assert made is not None
    assert sent(made)["uri"] == "repo://src/<X>"
    assert dict(made.outgoing.headers)["mcp-name"] == "repo://src/<X>"


def known(value: str) -> tuple[Restoring, str]:
    run = Pseudonyms(bytes(16))
    return Restoring(run, frozenset({ANY})), run.give("A", value)


def test_values_stand_again_in_message_and_headers() -> None:
    restoring, token = known("ann@corp.test")
    answers = {"a": {"action": "accept", "content": {"mail": token}}}
    params = {"name": "mirror", "arguments": {"q": token}, "inputResponses": answers}
    call = called(modern("tools/call", params, ("Mcp-Param-Q", token)))
    made = restored(call, restoring, CATALOG)
    assert made.arguments == {"q": "ann@corp.test"} == sent(made)["arguments"]
    assert dict(made.outgoing.headers)["mcp-param-q"] == "ann@corp.test"
    assert sent(made)["inputResponses"]["a"]["content"] == {"mail": "ann@corp.test"}


def test_a_value_does_not_make_another_resource_of_it() -> None:
    restoring, token = known("secret/y")
    call = called(ask(message("resources/read", {"uri": f"repo://{token}"})))
    assert call.tool.short == "resources/file"
    with pytest.raises(Refusal):
        restored(call, restoring, CATALOG)


def test_a_message_that_was_kept_is_read_again() -> None:
    call = mirror()
    placed, outgoing = again(call.tool, call.outgoing, CATALOG)
    assert (placed.arguments, placed.problems, outgoing) == (call.arguments, [], call.outgoing)
    kept = called(ask(message("resources/read", {"uri": "repo://src/a"})))
    assert again(kept.tool, kept.outgoing, CATALOG)[0].arguments == {"uri": "repo://src/a"}
    for tool, outgoing in (
        (CATALOG.tools["gh.search"], call.outgoing),
        (CATALOG.tools["gh.resources/secret"], kept.outgoing),
        (call.tool, call.outgoing._replace(body=b"[]")),
        (call.tool, call.outgoing._replace(body=b'{"name":"mirror","more":1}')),
    ):
        with pytest.raises(Refusal):
            again(tool, outgoing, CATALOG)


@pytest.mark.parametrize("meta", [{}, {"progressToken": 1}, {"com.example/a": {}}, {"a/b": {"_meta": {}}}])
@pytest.mark.parametrize("arguments", [{}, {"deep": {"_meta": {}}}, {"q": ',"params":{"_meta":{}'}])
@pytest.mark.parametrize("id", [b"1", b'",\\"params\\":{\\"_meta\\":{"', b""])
def test_the_place_in_a_trace_is_put_in(meta: dict[str, Any], arguments: dict[str, Any], id: bytes) -> None:
    call = called(ask(message("tools/call", {"name": "search", "arguments": arguments, "_meta": meta})))
    written = inside(jsonrpc.request(id, "tools/call", call.outgoing.body), TRACING)
    assert json.loads(written)["params"] == {"name": "search", "arguments": arguments, "_meta": {**meta, **TRACING}}


def test_an_answer_has_no_place_in_a_trace() -> None:
    answer = called(ask(b'{"jsonrpc":"2.0","id":1,"result":{"params":{"_meta":{}}}}'))
    written = jsonrpc.reply(b"1", answer.outgoing.body)
    assert json.loads(written)["result"] == {"params": {"_meta": {}}}


@given(st.dictionaries(st.text(max_size=4), st.text(max_size=4) | st.integers() | st.just({}), max_size=3))
@settings(max_examples=examples(300), deadline=None, database=None)
def test_what_is_masked_is_what_is_sent(arguments: dict[str, Any]) -> None:
    call = called(ask(message("tools/call", {"name": "search", "arguments": arguments})))
    made = masked(call, Upper())
    if made is not None:
        assert sent(made)["arguments"] == made.arguments == json.loads(json.dumps(arguments).replace("x", "<X>"))


@pytest.mark.parametrize("uri", ["a/../b", "a/./b", "a/%2E%2e/b", "a/%25252e./b", "a/..;x/b", "a\\b", "a%5cb", "a%0ab"])
def test_a_uri_that_leads_elsewhere(uri: str) -> None:
    assert mcpparams.climbs(f"file:///{uri}")


@pytest.mark.parametrize("uri", ["a/b", "a/..b/c..", "a/...", "a%20b", "ä/%C3%A4", "a?b=c#d"])
def test_a_uri_that_leads_where_it_says(uri: str) -> None:
    assert not mcpparams.climbs(f"file:///{uri}")
