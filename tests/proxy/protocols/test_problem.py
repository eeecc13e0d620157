"""How "no" is said over HTTP (RFC 9457)."""

from __future__ import annotations

import json

import pytest

from proxy.errors import CODES, Refusal
from proxy.protocols.problem import ending, problem, reply


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_said_alike(code: str) -> None:
    status, headers, body = reply(Refusal(code, "why"), "c1", "crm.get")
    said = json.loads(body)
    assert status == said["status"] == CODES[code].status
    assert said["code"] == code
    assert said["retry"] == CODES[code].retry
    assert said["executed"] == "no"
    assert dict(headers)["Toolwall-Refused"] == code
    assert dict(headers)["Toolwall-Call"] == "c1"
    assert dict(headers)["Content-Type"] == "application/problem+json"


def test_what_says_nothing_is_left_out() -> None:
    assert "tool" not in problem(Refusal("denied"), "c1", "")
    assert "errors" not in problem(Refusal("denied"), "c1", "")
    assert problem(Refusal("denied", errors=({"path": "/a"},)), "c1", "")["errors"] == [{"path": "/a"}]


def test_what_a_refusal_brings_along() -> None:
    _, headers, body = reply(
        Refusal("approval_pending", retry_after=30, extra={"approval_id": "a1"}, headers=(("Location", "/x"),)), "c", ""
    )
    assert dict(headers)["Retry-After"] == "30"
    assert dict(headers)["Location"] == "/x"
    assert json.loads(body)["approval_id"] == "a1"


def test_a_note_is_never_said() -> None:
    assert b"SECRET" not in reply(Refusal("denied", note="SECRET"), "c", "")[2]


def test_at_the_end_of_a_reply_that_has_begun() -> None:
    body = reply(Refusal("reply_refused", "It is\ntoo large."), "id", "crm.x")[2]
    event = ending(body, "event")
    assert event.startswith(b"event: error\ndata: {")
    assert event.endswith(b"}\n\n")
    assert event.count(b"\n") == 3
    assert json.loads(ending(body, "line")) == json.loads(body)
