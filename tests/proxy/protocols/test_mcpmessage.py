"""What a message means, whichever way it came. The ways have tests of their own: test_mcp.py, test_mcpstdio.py."""

from __future__ import annotations

from proxy.protocols.mcpmessage import run_of, trace_of, unsupported

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_place_in_a_trace_is_none_where_it_is_not_one() -> None:
    for meta in (None, [], {}, {"traceparent": 1}, {"traceparent": "00-0-0-0"}):
        assert trace_of(meta) is None
    assert trace_of({"traceparent": PARENT, "tracestate": 7}) == (PARENT, None)
    assert trace_of({"traceparent": PARENT, "tracestate": "a=b"}) == (PARENT, "a=b")


def test_a_session_names_a_run_that_does_not_tell_its_id() -> None:
    assert run_of("s-1") == run_of("s-1") != run_of("s-2")
    assert "s-1" not in run_of("s-1")


def test_a_revision_that_is_not_spoken_is_refused_with_those_that_are() -> None:
    no = unsupported("x" * 1000, ["2026-07-28"])
    assert no.rpc == -32022
    assert no.data["requested"] == "x" * 64
    assert no.data["supported"] == ["2026-07-28"]
