"""Request targets: what is one thing passes unchanged, all else is refused."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import Refusal
from proxy.protocols import target

PIECES = st.sampled_from(
    [
        "/",
        ".",
        "..",
        "%2e",
        "%2F",
        "%5c",
        "%25",
        "%00",
        "2e",
        "a",
        ";",
        "?",
        "=",
        "&",
        "#",
        "\\",
        "%",
        "%c3%a9",
        "@",
        ":",
    ]
)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_no_path_that_passes_means_another(text: str) -> None:
    try:
        path, query = target.split("/" + text)
    except Refusal:
        return
    assert path + ("?" + query if "?" in text else "") == "/" + text
    once = unquote(path)
    for form in (once, unquote(once), once.replace("\\", "/")):
        segments = form.split("/")
        assert ".." not in segments
        assert "." not in segments
    assert "//" not in path
    assert "#" not in path + query
    assert "\0" not in unquote(once)


@given(st.text(max_size=20))
def test_any_text_ends_in_a_path_or_a_refusal(text: str) -> None:
    with suppress(Refusal):
        target.pairs(target.split(text)[1])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", []),
        ("a", [("a", "")]),
        ("a=", [("a", "")]),
        ("a=b=c", [("a", "b=c")]),
        ("a=1&a=2", [("a", "1"), ("a", "2")]),
        ("&&a=1&", [("a", "1")]),
        ("a+b=c+d%2B", [("a b", "c d+")]),
        ("%C3%A9=%26%3D", [("é", "&=")]),
    ],
)
def test_queries(query: str, found: list[tuple[str, str]]) -> None:
    assert target.pairs(query) == found


def test_slashes_that_only_a_contract_can_allow() -> None:
    assert target.has_slash("a%2fb")
    assert target.has_slash("a%2Fb")
    assert not target.has_slash("a%252fb")
    assert not target.has_slash("a;b")
