"""JSON that every parser reads alike. The door's own plays hold the long list of what is refused."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import Refusal
from proxy.protocols.strictjson import parse
from tests.corpora.cases import cases, named

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_what_is_json_is_read_as_it_is(value: Any) -> None:
    try:
        text = json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        text = json.dumps(value).encode()
        with pytest.raises(Refusal):
            parse(text, 64)
        return
    assert parse(text, 64) == value


@given(st.binary(max_size=60))
def test_whatever_comes_ends_in_a_value_or_a_refusal(data: bytes) -> None:
    with suppress(Refusal):
        json.dumps(parse(data, 64), allow_nan=False)


OF_THE_BODY = [case for case in cases("requests/bodies") if "kind" not in case and "{" + "body" not in case["body"]]


@pytest.mark.parametrize("case", OF_THE_BODY, ids=named)
def test_what_two_parsers_could_read_differently(case: dict[str, Any]) -> None:
    text = case["body"].replace("{digits}", "1" * 1_001).replace("{open}", "[" * 30_000)
    with pytest.raises(Refusal) as refused:
        parse(text.encode("latin-1"), 16)
    assert refused.value.code == case.get("code", "bad_request")


@pytest.mark.parametrize("depth", [1, 2, 16, 64])
def test_depth_is_counted_exactly(depth: int) -> None:
    assert parse(b"[" * depth + b"]" * depth, depth) is not None
    assert parse(b'{"a":' * depth + b"1" + b"}" * depth, depth) is not None
    with pytest.raises(Refusal, match="too_large"):
        parse(b"[" * (depth + 1) + b"]" * (depth + 1), depth)


def test_many_brackets_side_by_side_are_not_deep() -> None:
    assert len(parse(b"[" + b"[]," * 1_000 + b"{}]", 2)) == 1_001


def test_brackets_in_strings_are_not_deep() -> None:
    assert parse(b'"' + b"[" * 1_000 + b'"', 1) == "[" * 1_000
