"""Answers as Results: whole, and with the status that each counts as."""

from __future__ import annotations

import json

import pytest

from proxy.body import Body
from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.mcp.answering import as_result, failed, is_stream, taken, unmarked
from proxy.mcp.exchange import Answered
from proxy.mcp.heard import heard
from proxy.model import Result
from proxy.record import Record


def entry() -> Entry:
    return Entry(None, Record("c", 0))  # type: ignore[arg-type]


ERROR = heard(b'{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}')
HEADERS = [("Content-Type", "application/json"), ("WWW-Authenticate", "Bearer"), ("X-Other", "y"), ("Retry-After", "3")]


def test_an_answer_is_its_body_and_what_a_client_needs_of_the_head() -> None:
    result = as_result(Answered(200, HEADERS, ERROR))
    assert (result.status, result.body.whole) == (404, b'{"error":{"code":-32601,"message":"no"}}')
    assert result.headers == [
        ("content-type", "application/json"),
        ("www-authenticate", "Bearer"),
        ("retry-after", "3"),
    ]


@pytest.mark.parametrize("status", [401, 403, 405, 429, 500, 503])
def test_a_status_of_http_stays_what_it_is(status: int) -> None:
    result = failed(entry(), Answered(status, HEADERS, None))
    assert result.status == status
    assert json.loads(result.body.whole or b"")["error"]["message"].endswith(f"{status}.")


@pytest.mark.parametrize("status", [200, 204, 302, 304])
def test_a_reply_that_says_nothing_is_no_answer(status: int) -> None:
    with pytest.raises(Refusal) as caught:
        failed(entry(), Answered(status, HEADERS, None))
    assert caught.value.code == "reply_refused"


@pytest.mark.parametrize(
    ("status", "message", "counts"), [(202, None, 202), (200, None, 202), (400, ERROR, 404), (500, None, 500)]
)
def test_what_needs_no_answer_is_taken_or_not(status: int, message: object, counts: int) -> None:
    assert taken(entry(), Answered(status, [], message)).status == counts  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "kind", "streams"),
    [
        (200, "text/event-stream; charset=utf-8", True),
        (200, "application/json", False),
        (404, "text/event-stream", False),
    ],
)
def test_a_stream_is_known_by_its_head(status: int, kind: str, streams: bool) -> None:
    assert is_stream(Result(status, [("content-type", kind)], Body.of(b""))) is streams


def test_no_server_speaks_in_the_sidecars_name() -> None:
    said = {"content": [], "_meta": {"toolwall/refusal": {"code": "denied"}, "toolwall/x": 1, "toolwallet/y": 2}}
    assert unmarked(said) == {"content": [], "_meta": {"toolwallet/y": 2}}
    assert [unmarked(each) for each in ({}, {"_meta": None}, {"_meta": {}}, {"_meta": {"x": 1}})] == [None] * 4
