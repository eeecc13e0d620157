"""Multipart replies (RFC 2046, 5.1): read by one strict grammar, so that no reader finds other parts in them.

Nothing may stand before the first boundary or behind the last, lines end with CRLF, and the boundary stands nowhere
else. What is written back differs only in what was changed.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

MOST_PARTS: Final = 1_000
MOST_HEAD: Final = 4 * 1024
"""Bytes of one part's headers."""

_TYPE: Final = re.compile(r"multipart/[a-z0-9.+-]{1,40}((?:[ \t]*;[ \t]*[^;]+)*)", re.IGNORECASE)
_MARK: Final = r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]"
_BOUNDARY: Final = re.compile(rf"""boundary=(?:"({_MARK})"|([0-9A-Za-z'+_\-.]{{1,70}}))""", re.IGNORECASE)
_WORD: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_LINE: Final = re.compile(rf"({_WORD}):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_AS_IT_IS: Final = ("7bit", "8bit", "binary")


class BadParts(Exception):
    """The body cannot be read in one way alone. The message says why and holds nothing of it."""


class Part(NamedTuple):
    """One part: its headers, its body, and its head as it was sent. Names are as they were sent."""

    headers: list[tuple[str, str]]
    data: bytes
    head: bytes

    def changed(self, headers: list[tuple[str, str]], data: bytes) -> Part:
        """The part with other headers or another body; its head stays as it was sent where nothing in it changed."""
        if headers == self.headers:
            return self._replace(data=data)
        return Part(headers, data, "".join(f"{name}: {value}\r\n" for name, value in headers).encode())

    def value(self, name: str) -> str:
        """The value of a header, whose name is given in lower case; or empty."""
        return next((value for each, value in self.headers if each.lower() == name), "")


class Parts(NamedTuple):
    """A multipart body: its boundary, its parts, and how it ends."""

    mark: bytes
    parts: list[Part]
    end: bytes

    def written(self) -> bytes:
        """The body. Raises BadParts where a part holds the boundary."""
        body = b"".join(b"\r\n" + self.mark + b"\r\n" + part.head + b"\r\n" + part.data for part in self.parts)
        whole = body + b"\r\n" + self.mark + self.end
        if whole.count(self.mark) != len(self.parts) + 1:
            raise BadParts("a part of the body holds its boundary")
        return whole[2:]


def read(body: bytes, content_type: str) -> Parts:
    """The parts of a body. Raises BadParts for anything loose."""
    mark = b"--" + _boundary(content_type)
    if body.count(mark) > MOST_PARTS + 1:
        raise BadParts("the body has too many parts")
    before, *chunks = (b"\r\n" + body).split(b"\r\n" + mark)
    end = chunks.pop() if chunks else b""
    if before or not chunks or end not in (b"--", b"--\r\n") or body.count(mark) != len(chunks) + 1:
        raise BadParts("the multipart body does not begin and end with its boundary")
    return Parts(mark, [_part(chunk) for chunk in chunks], end)


def _boundary(content_type: str) -> bytes:
    found = _TYPE.fullmatch(content_type.strip())
    said = [each.strip() for each in found[1].split(";")] if found else []
    marks = [each for each in said if each.lower().startswith("boundary")]
    mark = _BOUNDARY.fullmatch(marks[0]) if len(marks) == 1 else None
    if mark is None:
        raise BadParts("the multipart body has not one boundary")
    return (mark[1] or mark[2]).encode()


def _part(chunk: bytes) -> Part:
    head, gap, data = chunk.partition(b"\r\n\r\n")
    if not gap or (head and not head.startswith(b"\r\n")) or len(head) > MOST_HEAD:
        raise BadParts("a part of the body has no head, or one that is too long")
    headers = _headers(head[2:]) if head else []
    part = Part(headers, data, head[2:] + b"\r\n" if head else b"")
    if len({name.lower() for name, _ in headers}) != len(headers):
        raise BadParts("a header of a part is given more than once")
    if part.value("content-transfer-encoding").lower() not in ("", *_AS_IT_IS) or part.value("content-encoding"):
        raise BadParts("a part of the body has an encoding")
    return part


def _headers(head: bytes) -> list[tuple[str, str]]:
    try:
        lines = [_LINE.fullmatch(line) for line in head.decode().split("\r\n")]
    except UnicodeDecodeError:  # it holds the head
        raise BadParts("the head of a part is not UTF-8") from None
    if None in lines:
        raise BadParts("the head of a part is not well-formed")
    return [(line[1], line[2]) for line in lines if line]
