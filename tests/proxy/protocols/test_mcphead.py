"""Headers that repeat what a message says. What refuses a message as a whole is played in test_mcp."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.protocols.jsonrpc import HEADERS, Malformed
from proxy.protocols.mcphead import check_mirrors, decoded, encoded, mirrored, told
from rules.tools import Remote
from tests.counts import examples

MIRROR = Remote("tools/call", "t", (("Value", ("value",)),))


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("us-west1", "us-west1"),
        ("two words", "two words"),
        ("", ""),
        ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
        (" padded ", "=?base64?IHBhZGRlZCA=?="),
        ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
        ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ("=?base64?=", "=?base64?PT9iYXNlNjQ/PQ==?="),
        ("tab\there", "=?base64?dGFiCWhlcmU=?="),
    ],
)
def test_a_text_in_a_header(text: str, header: str) -> None:
    assert encoded(text) == header
    assert decoded("mcp-name", header) == text


@given(st.text())
@settings(max_examples=examples(500), deadline=None, database=None)
def test_what_is_encoded_means_the_same_and_is_plain(text: str) -> None:
    header = encoded(text)
    assert decoded("mcp-name", header) == text
    assert header.isascii()
    assert header.isprintable()
    assert header == header.strip()


@pytest.mark.parametrize("text", ["a?", "YQ?", "YR==?", "_w==?", "YQ==\n?", "/w==?", ""])
def test_base64_has_one_form(text: str) -> None:
    with pytest.raises(Malformed) as no:
        decoded("mcp-name", f"=?base64?{text}=")
    assert no.value.rpc == HEADERS


@given(st.none() | st.booleans() | st.integers() | st.text(max_size=8))
@settings(max_examples=examples(500), deadline=None, database=None)
def test_what_is_mirrored_agrees(value: object) -> None:
    arguments = {"value": value}
    head = dict(mirrored(MIRROR, arguments))
    assert (not head) == (value is None)
    if isinstance(value, int) and abs(value) > 2**53 - 1:
        with pytest.raises(Malformed):
            check_mirrors(head, MIRROR, arguments, required=True)
    else:
        check_mirrors(head, MIRROR, arguments, required=True)


@pytest.mark.parametrize(
    ("said", "text"), [(True, "1"), (1, "true"), ("1", "1.0"), (1.5, "1.5"), ([1], "[1]"), ({}, "{}"), (None, "None")]
)
def test_what_is_not_the_same(said: object, text: str) -> None:
    with pytest.raises(Malformed):
        check_mirrors({"mcp-param-value": text}, MIRROR, {"value": said}, required=False)


def test_only_headers_of_the_protocol_are_looked_at() -> None:
    head = [("mcp-name", "a"), ("x-mcp-name", "b"), ("accept", "c"), ("accept", "d"), ("last-event-id", "7")]
    assert told(head) == ({"mcp-name": "a", "last-event-id": "7"}, "")
    assert "more than once" in told([("last-event-id", "7"), ("last-event-id", "7")])[1]
    assert "encoded" in told([("mcp-x", "ä")])[1]
