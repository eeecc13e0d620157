"""Reply headers. Locations and cookies as agents see them are played in tests/doors/test_reply_heads.py."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.replies.replyheaders import PASSED, BadHeaders, Seat, content_type, kept, located
from proxy.replies.replyheaders import value as value_of
from rules.urls import Url

URL = Url("http", "crm.internal", 80, "/api")


def test_names_become_small_and_strangers_end_here() -> None:
    assert kept([("ETag", "a"), ("X-Evil", "b"), ("Toolwall-Call", "c"), ("Vary", "d"), ("vary", "e")]) == [
        ("etag", "a"),
        ("vary", "d"),
        ("vary", "e"),
    ]
    assert not any(name.startswith("toolwall") or name in ("content-length", "connection") for name in PASSED)


@pytest.mark.parametrize(
    "headers",
    [
        [("ETag", "a\rb")],
        [("X-Unknown", "a\0")],
        [("ETag", "\x7f")],
        [("ETag\n", "a")],
        [("Content-Type", "a"), ("CONTENT-TYPE", "a")],
        [("Content-Length", "1"), ("content-length", "1")],
        [("Transfer-Encoding", "gzip")],
        [("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")],
    ],
)
def test_heads_that_no_honest_server_sends(headers: list[tuple[str, str]]) -> None:
    with pytest.raises(BadHeaders):
        kept(headers)


@given(st.text(max_size=40))
def test_whatever_a_location_says_it_stays_inside(place: str) -> None:
    [*found], removed = located([("location", place)], Seat(URL, "/crm", "/things/7"))
    assert len(found) + removed == 1
    for _, value in found:
        assert value.startswith("/crm/")
        assert not value.startswith("//")


@given(st.text(max_size=40), st.sampled_from(["http://crm.internal/api", "/api", "//crm.internal/api/", "/api/"]))
def test_where_no_prefix_stands_before_it_too(rest: str, begin: str) -> None:
    [*found], _ = located([("location", begin + rest)], Seat(URL, "", "/things/7"))
    for _, value in found:
        assert value.startswith("/")
        assert not value.startswith(("//", "/\\"))


def test_a_default_port_is_a_port() -> None:
    for place in ("http://crm.internal/api/a", "http://crm.internal:80/api/a", "http://CRM.internal:080/api/a"):
        assert located([("location", place)], Seat(URL, "/crm", "/")) == ([("location", "/crm/a")], 0)


@given(st.text(alphabet='<>;,="\\ /:@ar.next', max_size=60))
def test_whatever_a_link_says_it_stays_inside(value: str) -> None:
    for end in ("", "<http://crm.internal/api/a>; rel=next"):
        found, _ = located([("link", value + end)], Seat(URL, "/crm", "/things/7", "http://door"))
        for _, link in found:
            assert all(place.startswith(("/crm/", "http://door/crm/")) for place in re.findall("<([^>]*)>", link))


def test_a_header_that_stands_twice_is_one_value() -> None:
    headers = [("Content-Type", "a/b"), ("X", "y"), ("content-type", "c/d")]
    assert value_of(headers, "content-type") == "a/b, c/d"
    assert value_of(headers, "etag") == ""


@pytest.mark.parametrize(
    ("header", "parsed"),
    [
        ("Text/Plain", ("text/plain", None)),
        ('text/plain; x=1; Charset="UTF-8"', ("text/plain", "utf-8")),
        ("", ("", None)),
        ("a/b, c/d; charset=x", ("a/b, c/d", "x")),
        ("text/plain; charset = 'Latin1'", ("text/plain", "latin1")),
        ("text/plain; charset=utf-8; CHARSET=UTF-8", ("text/plain", "utf-8")),
        ("text/plain; charset=utf-8; charset=utf-16", ("text/plain", "utf-8,utf-16")),
    ],
)
def test_media_type_and_charset(header: str, parsed: tuple[str, str | None]) -> None:
    assert content_type([("Content-Type", header)]) == parsed
