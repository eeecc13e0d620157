"""Bodies that are no text by their type: multipart ones, part by part, and binary ones, as the tool says."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from proxy.protocols import parts
from proxy.protocols.parts import BadParts, Part
from proxy.replies import replyheaders
from redaction import binary, streams
from redaction.scanner import Scanner, UnknownType, Unreadable
from rules.tools import Binary

JSON = "application/json"


@dataclass(slots=True)
class Other:
    """What becomes of a body: its bytes, what was found in it, whether some of it passed unseen, and its type, if that
    is another now."""

    body: bytes
    counts: Counter[str] = field(default_factory=Counter)
    passed: bool = False
    media_type: str = ""


def cleaned(scanner: Scanner, body: bytes, content_type: str, how: Binary) -> Other:
    """A body of any type, of which it was not read yet. Raises Unreadable."""
    media_type, charset = replyheaders.content_type([("content-type", content_type)])
    if media_type.startswith("multipart/"):
        return _multipart(scanner, body, content_type, how)
    try:
        done = streams.clean(scanner, body, media_type, charset)
        return Other(done.value, done.counts)
    except UnknownType:
        if how == "refuse":
            raise
    if how == "hash":
        return Other(binary.described(body, media_type), media_type=JSON)
    text = binary.charset_of(body)
    if text is None:
        return Other(body, passed=True)
    done = scanner.clean(body, "text/plain", text)
    return Other(done.value, done.counts)


def _multipart(scanner: Scanner, body: bytes, content_type: str, how: Binary) -> Other:
    try:
        read = parts.read(body, content_type)
        made, counts, passed = [], Counter[str](), False
        for part in read.parts:
            kind = part.value("content-type") or "text/plain"
            if kind.lower().lstrip().startswith("multipart/"):
                raise Unreadable("a part of the body is multipart itself")
            done = cleaned(scanner, part.data, kind, how) if part.data else Other(b"")
            made.append(_with_head(scanner, part, done))
            counts += done.counts
            passed = passed or done.passed
        whole = read._replace(parts=made).written() if made != read.parts else body
    except BadParts as bad:
        raise Unreadable(str(bad)) from None
    return Other(whole, counts, passed)


def _with_head(scanner: Scanner, part: Part, done: Other) -> Part:
    headers = []
    for name, value in part.headers:
        head = scanner.clean_text(value)
        done.counts += head.counts
        new = head.value
        if name.lower() == "content-type" and done.media_type:
            new = done.media_type
        elif name.lower() == "content-length" and len(done.body) != len(part.data):
            new = str(len(done.body))
        headers.append((name, new))
    return part.changed(headers, done.body)
