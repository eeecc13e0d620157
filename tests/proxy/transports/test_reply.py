"""Heads of replies, byte for byte."""

from __future__ import annotations

import pytest

from proxy.transports.reply import bodiless, head, length

NOON = 1_700_000_000
"""Tue, 14 Nov 2023 22:13:20 GMT."""


def test_a_head_says_who_when_and_that_nobody_may_keep_it() -> None:
    lines = (
        head(200, [("content-type", "text/plain"), ("x", "ä")], "Content-Length: 2\r\n", NOON).decode().split("\r\n")
    )
    assert lines == [
        "HTTP/1.1 200 OK",
        "Server: toolwall",
        "Date: Tue, 14 Nov 2023 22:13:20 GMT",
        "Cache-Control: private, no-store",
        "content-type: text/plain",
        "x: ä",
        "Content-Length: 2",
        "",
        "",
    ]


def test_the_time_is_that_of_each_second() -> None:
    assert b"22:13:20 GMT" in head(200, [], "", NOON)
    assert b"22:13:21 GMT" in head(200, [], "", NOON + 1)
    assert b"22:13:20 GMT" in head(200, [], "", NOON)


@pytest.mark.parametrize("status", [299, 599, 799])
def test_a_status_without_a_phrase_of_its_own(status: int) -> None:
    assert head(status, [], "", NOON).startswith(b"HTTP/1.1 %d \r\n" % status)


@pytest.mark.parametrize("value", ["a\r\nx: y", "a\nb", "a\rb", "a\0b", "a\r\n\r\n<html>"])
def test_a_field_cannot_break_the_head(value: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        head(200, [("x", value)], "", NOON)
    with pytest.raises(ValueError, match="control character"):
        head(200, [(value, "x")], "", NOON)


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304), ("GET", 101)])
def test_replies_that_end_with_their_head(method: str, status: int) -> None:
    assert bodiless(method, status)
    assert length(method, status, 0) == ""


def test_how_long_a_body_is() -> None:
    assert not bodiless("GET", 205)
    assert length("GET", 205, 0) == "Content-Length: 0\r\n"
    assert length("GET", 200, 12) == "Content-Length: 12\r\n"
    assert length("HEAD", 403, 12) == "Content-Length: 12\r\n"  # what a GET would have got (RFC 9110, 8.6)
    assert length("GET", 304, 12) == ""
