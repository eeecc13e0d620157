"""Replies as bytes: the head of one HTTP/1.1 reply (RFC 9112, 4 to 6). No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from email.utils import formatdate
from functools import cache
from http import HTTPStatus

_BODILESS = frozenset({204, 304})


def head(status: int, headers: Iterable[tuple[str, str]], framing: str, now: int) -> bytes:
    """Status line and fields. `framing` is the lines that say how the body ends, `now` the time in whole seconds.

    Raises ValueError for a field that would break the head in two, which was refused before.
    """
    lines = [f"{name}: {value}\r\n" for name, value in headers]
    text = f"{_status_line(status)}{_fixed(now)}{''.join(lines)}{framing}\r\n"
    breaks = len(lines) + 5 + framing.count("\n")
    if text.count("\n") != breaks or text.count("\r") != breaks or "\0" in text:
        raise ValueError("a header of the reply holds a control character")
    return text.encode()


def bodiless(method: str, status: int) -> bool:
    """Whether a reply to this method with this status ends with its head, whatever its fields say."""
    return method == "HEAD" or status in _BODILESS or status < 200


def length(method: str, status: int, size: int) -> str:
    """The framing line of a body of `size` bytes that is there as a whole."""
    if status in _BODILESS or status < 200 or (method == "HEAD" and not size):
        return ""
    return f"Content-Length: {size}\r\n"


@cache
def _status_line(status: int) -> str:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n"


_dated = (0, "")


def _fixed(now: int) -> str:
    """What every reply says, made once a second."""
    global _dated
    if _dated[0] != now:
        fixed = f"Server: toolwall\r\nDate: {formatdate(now, usegmt=True)}\r\nCache-Control: private, no-store\r\n"
        _dated = (now, fixed)
    return _dated[1]
