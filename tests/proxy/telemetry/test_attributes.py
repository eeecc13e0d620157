from __future__ import annotations

import pytest

from proxy.errors import CODES
from proxy.telemetry.attributes import (
    FAULTS,
    MOST_ITEMS,
    MOST_TEXT,
    fault,
    method,
    name_of,
    of_attempt,
    of_call,
    rpc_status,
    text,
    texts,
)
from tests.proxy.collecting import TOOL, finished, refused


def test_an_allowed_call_has_the_conventions_names() -> None:
    found = of_call(finished(), TOOL)
    assert found["gen_ai.operation.name"] == "execute_tool"
    assert found["gen_ai.tool.name"] == TOOL
    assert found["http.request.method"] == "GET"
    assert found["http.response.status_code"] == 200
    assert found["toolwall.decision"] == "allow"
    assert found["toolwall.rules"] == ("support-may-read",)
    assert found["toolwall.redactions.EMAIL_ADDRESS"] == 2
    assert "error.type" not in found


def test_a_refusal_has_its_code_and_is_no_error() -> None:
    found = of_call(refused("denied", 403), TOOL)
    assert found["toolwall.code"] == "denied"
    assert found["toolwall.executed"] == "no"
    assert "error.type" not in found
    assert "toolwall.upstream.status_code" not in found


def test_no_argument_hash_note_reason_or_excuse_is_told() -> None:
    canary = "canary-5f0c"
    record = finished(
        arguments={"card": canary},
        arguments_hash=canary,
        result_hash=canary,
        notes=[canary],
        reason=canary,
        waived={"approval": canary},
        tool=canary,
    )
    found = of_call(record, "unknown")
    assert canary not in repr(found)
    assert found["toolwall.waived"] == ("approval",)
    assert not any(name.startswith(("url.", "http.url", "http.target", "gen_ai.tool.call.")) for name in found)


def test_every_attribute_has_a_bound() -> None:
    long = "x" * 10_000
    record = finished(agent=long, run=long, rules=(long,) * 1000, redactions={f"KIND_{n}": 1 for n in range(1000)})
    found = of_call(record, TOOL)
    assert len(found) <= 3 + 15 + 4 + 4 + 2 + MOST_ITEMS
    assert found["gen_ai.agent.name"] == "x" * MOST_TEXT
    assert found["toolwall.rules"] == ("x" * MOST_TEXT,) * MOST_ITEMS


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("", ""),
        ("crm", "crm"),
        ("Zürich 東京", "Zürich 東京"),
        ("a\r\nb\x00", "a??b?"),
        ("\ud800", "?"),
        ("\u202e", "?"),
    ],
)
def test_text_prints_and_can_be_encoded(raw: str, said: str) -> None:
    assert text(raw) == said
    text(raw).encode()


def test_texts_are_few() -> None:
    assert texts(str(n) for n in range(10**9)) == tuple(str(n) for n in range(MOST_ITEMS))


@pytest.mark.parametrize(("name", "said"), [("GET", "GET"), ("get", "_OTHER"), ("SECRET", "_OTHER"), ("", "_OTHER")])
def test_a_callers_word_is_no_method(name: str, said: str) -> None:
    assert method(name) == said


def test_faults_are_the_5xx_codes_of_the_table() -> None:
    ours = {"internal", "upstream_unreachable", "upstream_unhealthy", "timeout", "outcome_unknown", "reply_refused"}
    assert ours == FAULTS
    assert not FAULTS & {code for code, row in CODES.items() if row.status < 500}


def test_faults_are_ours_or_the_backends_and_never_the_callers() -> None:
    assert fault(finished()) == ""
    assert fault(finished(status=404, upstream_status=404)) == ""
    assert fault(finished(status=503, upstream_status=503)) == "503"
    assert fault(refused("internal", 500)) == "internal"
    assert fault(refused("limit_reached", 429)) == ""
    assert fault(finished(outcome="client_gone")) == ""


def test_an_attempt_tells_the_template_and_nothing_of_the_path() -> None:
    assert of_attempt("GET", "crm.internal", 443, "/customers/{customer_id}") == {
        "http.request.method": "GET",
        "server.address": "crm.internal",
        "server.port": 443,
        "url.template": "/customers/{customer_id}",
    }
    assert "url.template" not in of_attempt("GET", "crm.internal", 443, "")


@pytest.mark.parametrize(
    ("said", "name", "about"),
    [
        ("tools/call", f"tools/call {TOOL}", {"gen_ai.tool.name", "gen_ai.tool.type", "gen_ai.operation.name"}),
        ("prompts/get", f"prompts/get {TOOL}", {"gen_ai.prompt.name"}),
        ("resources/read", "resources/read", {"toolwall.tool"}),
        ("unknown", "mcp", {"toolwall.tool"}),
    ],
)
def test_a_message_is_named_by_its_method_and_by_whom_it_means(said: str, name: str, about: set[str]) -> None:
    record = finished(mcp={"method": said, "revision": "2026-07-28", "id": 0, "session": "5f0c", "uri": "a://b"})
    found = of_call(record, TOOL)
    assert name_of(record, TOOL) == name
    assert found["mcp.method.name"] == ("_OTHER" if said == "unknown" else said)
    of_all = {"gen_ai.tool.name", "gen_ai.tool.type", "gen_ai.operation.name", "gen_ai.prompt.name", "toolwall.tool"}
    assert found.keys() & of_all == about
    assert found["mcp.protocol.version"] == "2026-07-28"
    assert (found["jsonrpc.request.id"], found["mcp.session.id"], found["mcp.resource.uri"]) == ("0", "5f0c", "a://b")
    assert not found.keys() & {"http.request.method", "http.response.status_code", "error.type"}


def test_the_error_of_a_message_is_the_servers_and_a_refusal_none() -> None:
    failed = finished(mcp={"method": "tools/call", "error": "tool_error"})
    assert (fault(failed), rpc_status(failed)) == ("tool_error", "")
    told = finished(upstream_status=502, mcp={"method": "ping", "error": "-32603"})
    assert (fault(told), rpc_status(told)) == ("-32603", "-32603")
    no = refused("denied", 403, mcp={"method": "ping", "error": "-32602"})
    assert (fault(no), rpc_status(no)) == ("", "-32602")
    assert fault(refused("internal", 500, mcp={"method": "ping", "error": "-32603"})) == "internal"
