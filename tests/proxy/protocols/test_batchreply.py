"""Answers in a batch: whatever a reply holds, the document stays one, and nothing of the reply is lost."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.protocols import strictjson
from proxy.protocols.batchreply import written
from tests.counts import examples

KINDS = ["", "application/json", "application/problem+json", "text/plain", "text/html; charset=utf-8", "image/png",
         "text/plain; charset=latin-1", "application/octet-stream", "application/x-ndjson"]  # fmt: skip
TOKENS = [b'"', b"\\", b"}", b"]", b",", b"{", b"[", b":", b"\x00", b"\n", b"1", b"e", b"\xff", b"\xc3\xa4", b"null"]
PIECES = st.lists(st.sampled_from(TOKENS), max_size=8)


def came(answer: Any) -> bytes:
    """The bytes of a reply, as an agent gets them back."""
    [member] = answer.keys() - {"status", "headers"}
    said: str = answer[member]
    return {"text": said.encode, "base64": lambda: base64.b64decode(said)}[member]()


@settings(max_examples=examples(300), deadline=None)
@given(PIECES | st.just([b'{"a":', b"1}"]) | st.binary(max_size=20).map(lambda data: [data]), st.sampled_from(KINDS))
def test_every_answer_is_one_json_object_and_keeps_its_bytes(pieces: list[bytes], kind: str) -> None:
    body = b"".join(pieces)
    data = written(200, [("Content-Type", kind)], body)
    [answer, after] = strictjson.parse(b"[" + data + b', "after"]', 10)
    assert after == "after"
    assert (answer["status"], answer["headers"]) == (200, {"content-type": kind})
    if "body" in answer:
        assert body.strip() in data
        assert answer["body"] == json.loads(body)
    elif body:
        assert came(answer) == body


def test_headers_are_an_object_and_cookies_a_list() -> None:
    pairs = [("Link", "<a>"), ("Set-Cookie", "a=b, c"), ("link", "<b>"), ("X-Name", 'q"\\\u2028ä')]
    answer = json.loads(written(404, pairs, b""))
    assert answer == {
        "status": 404,
        "headers": {"link": "<a>, <b>", "set-cookie": ["a=b, c"], "x-name": 'q"\\\u2028ä'},
    }


@pytest.mark.parametrize(
    "body", [b"[" * 201 + b"]" * 201, b"[1, 2", b"1 2", b"\xef\xbb\xbf1", b'{"a":1,"a":1}', b"Infinity"]
)
def test_what_not_every_reader_takes_is_text(body: bytes) -> None:
    assert came(json.loads(written(200, [("Content-Type", "application/json")], body))) == body
