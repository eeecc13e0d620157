"""Where messages hold base64. What becomes of it is tested through the socket: tests/proxy/replies/test_contents.py."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import Refusal
from proxy.protocols.mcpcontent import BadContent, Part, parts, refuse_binary

IMAGE = {"type": "image", "data": "aGk=", "mimeType": "image/png"}


@pytest.mark.parametrize("spelt", ["Data", "BLOB", "Type", "mimetype", "Resource", "CONTENT", "reſource"])
def test_a_name_that_some_readers_take_for_a_part_s_is_no_part(spelt: str) -> None:
    with pytest.raises(BadContent):
        list(parts({"content": [{"type": "image", spelt: "aGk="}]}))


@pytest.mark.parametrize("said", [None, [], "data", {}, {"content": 7}, {"content": ["data"]}, {"data": "aGk="}])
def test_what_has_no_parts_has_none(said: Any) -> None:
    assert list(parts(said)) == []


@pytest.mark.parametrize(
    "said",
    [
        {"result": {"content": [IMAGE]}},
        {"content": IMAGE},
        {"messages": [{"role": "user", "content": [IMAGE]}]},
        {"inputRequests": {"a": {"params": {"messages": [{"content": IMAGE}]}}}},
        {"content": [{"type": "tool_result", "content": [IMAGE]}]},
    ],
)
def test_a_part_is_found_wherever_the_protocol_has_one(said: dict[str, Any]) -> None:
    [part] = parts(json.loads(json.dumps(said)))
    assert (part.key, part.media_type, part.decoded()) == ("data", "image/png", b"hi")


@given(st.binary(max_size=40))
def test_what_is_written_by_the_book_is_read(data: bytes) -> None:
    assert Part({"data": b64encode(data).decode()}, "data", "").decoded() == data


@given(st.text(max_size=12))
def test_each_value_has_one_text(text: str) -> None:
    try:
        raw = Part({"data": text}, "data", "").decoded()
    except BadContent:
        return
    assert b64encode(raw).decode() == text


def test_without_the_method_that_asks_for_it_nothing_binary_is_answered() -> None:
    with pytest.raises(Refusal) as caught:
        refuse_binary(None, {"result": {"role": "assistant", "content": IMAGE}})
    assert caught.value.code == "unsafe_argument"
    refuse_binary(None, {"result": {"action": "accept", "content": {"data": "no base64"}}})
