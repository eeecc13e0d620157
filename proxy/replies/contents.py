"""Binary content in messages of MCP, each part of it by the rule for bodies that are no text."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any, Final

from proxy.protocols import jsonrpc
from proxy.protocols.mcpcontent import BadContent, Part, parts
from proxy.replies.otherbodies import JSON, Other, cleaned
from redaction.scanner import Scanner, Unreadable
from rules.tools import Binary

_SIGNS: Final = (b'"data"', b'"blob"', b"\\u00")
"""A name may be written with escapes, and a lenient reader takes another case for the same."""


def may_hold(message: bytes) -> bool:
    """Whether a closer look is due; most messages have nothing binary."""
    lower = message.lower()
    return any(sign in lower for sign in _SIGNS)


def treated(scanner: Scanner, message: bytes, how: Binary) -> Other | None:
    """A message in JSON, each binary part as `how` says and all else cleaned; None where it has no such part.

    What passes is not looked at as text, and stays byte for byte. Raises Unreadable.
    """
    if not may_hold(message):
        return None
    try:
        said = json.loads(message)
        before = [(part, part.decoded()) for part in parts(said)]
    except BadContent as bad:
        raise Unreadable(str(bad)) from None
    except ValueError:  # whoever cleans it as what it says that it is says what is wrong
        return None
    return _treated(scanner, message, said, before, how) if before else None


def _treated(scanner: Scanner, message: bytes, said: Any, before: list[tuple[Part, bytes]], how: Binary) -> Other:
    after = [cleaned(scanner, raw, part.media_type, how) if raw else Other(raw) for part, raw in before]
    for part, _ in before:
        part.holder[part.key] = ""
    rest = scanner.clean(jsonrpc.written(said), JSON, None)
    counts = sum((done.counts for done in after), rest.counts)
    passed = any(done.passed for done in after)
    if not counts and all(done.body is raw for (_, raw), done in zip(before, after, strict=True)):
        return Other(message, counts, passed)
    said = json.loads(rest.value)
    for part, done in zip(list(parts(said)), after, strict=True):
        _put(part, done)
    return Other(jsonrpc.written(said), counts, passed)


def _put(part: Part, done: Other) -> None:
    holder = part.holder
    if not done.media_type:
        holder[part.key] = b64encode(done.body).decode()
        return
    del holder[part.key]
    holder["text"] = done.body.decode()
    if part.key == "blob":
        holder["mimeType"] = done.media_type
    else:
        holder.pop("mimeType", None)
        holder["type"] = "text"
