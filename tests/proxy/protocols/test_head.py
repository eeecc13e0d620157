"""Heads of requests. What reaches the backend of them is played in tests/doors."""

from __future__ import annotations

import pytest

from proxy.errors import Refusal
from proxy.protocols import head

DOOR = head.Door("d", frozenset({"localhost", "[::1]"}), {}, frozenset({"https://a.example"}))


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("A.Example", "a.example"),
        ("a.example:80", "a.example"),
        ("[::1]:80", "[::1]"),
        ("[::1]", "[::1]"),
        ("a.example:", "a.example:"),
        ("a.example:8o", "a.example:8o"),
        ("a.example:²", "a.example:²"),
        ("a.example:٣", "a.example:٣"),
        ("", ""),
    ],
)
def test_the_name_in_a_host(host: str, name: str) -> None:
    assert head.host_name(host) == name


def test_headers_are_text() -> None:
    assert head.texts([(b"X-A", "é\tb".encode())]) == [("x-a", "é\tb")]
    for value in (b"\xff", b"a\0", b"a\rb", b"\x7f"):
        with pytest.raises(Refusal, match="bad_request"):
            head.texts([(b"X-A", value)])


def test_what_means_one_thing_comes_once() -> None:
    assert head.single([("accept", "a"), ("accept", "b")]) == {"accept": "a"}
    for name in ("host", "cookie", "content-type", "authorization", "connection", "toolwall-key", "traceparent"):
        with pytest.raises(Refusal, match="bad_request"):
            head.single([(name, "a"), (name, "a")])


@pytest.mark.parametrize("named", ["close", "Keep-Alive", "keep-alive, close"])
def test_a_usual_connection_takes_nothing_away(named: str) -> None:
    headers = [("connection", named), ("x-a", "1")]
    assert head.end_to_end(headers, dict(headers)) is headers


def test_what_connection_names_ends_here() -> None:
    headers = [("connection", "close, X-A ,,te"), ("x-a", "1"), ("te", "trailers"), ("x-b", "2")]
    assert head.end_to_end(headers, dict(headers)) == [("connection", "close, X-A ,,te"), ("x-b", "2")]
    for name in ("host", "Content-Type", "cookie", "CONTENT-LENGTH", "toolwall-key"):
        with pytest.raises(Refusal, match="bad_request"):
            head.end_to_end([], {"connection": f"close, {name}"})


def test_cookies() -> None:
    assert head.cookies("") == {}
    assert head.cookies('a=1; b="2"; c=d=e;; f') == {"a": "1", "b": '"2"', "c": "d=e", "f": ""}
    with pytest.raises(Refusal, match="bad_request"):
        head.cookies("a=1; a=1")


def test_a_good_head() -> None:
    page = {"origin": "https://A.example", "sec-fetch-site": "cross-site"}
    for more in ({}, page, {"sec-fetch-site": "none"}, {"transfer-encoding": "Chunked"}, {"expect": "100-Continue"}):
        head.check(DOOR, (1, 1), {"host": "localhost:1", **more})
