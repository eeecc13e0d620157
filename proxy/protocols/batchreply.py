"""Answers to the calls of a batch, as members of one JSON document that none of them can break. No I/O."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable
from typing import Final

from proxy.errors import Refusal
from proxy.protocols import bodies, strictjson
from proxy.replies import replyheaders

_MOST_DEPTH: Final = 200
"""Of JSON that stands in the document; many readers give up at some hundred levels."""

_UNICODE: Final = frozenset({None, "utf-8", "utf8", "us-ascii", "ascii"})
_TEXT: Final = re.compile(
    r"text/.+|application/(?:.+\+)?(?:json|xml|yaml|x-www-form-urlencoded|x-ndjson|jsonl|javascript)"
)


def written(status: int, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
    """One answer as a JSON object: `status`, `headers` and, where there is one, the body in one of three members.

    `body` is JSON, byte for byte as it came; `text` is text as a string; `base64` is whatever is neither.
    """
    pairs = list(headers)
    head = json.dumps({"status": status, "headers": _headers(pairs)}, ensure_ascii=False).encode()
    return head[:-1] + _member(pairs, body) + b"}"


def _headers(pairs: list[tuple[str, str]]) -> dict[str, str | list[str]]:
    """By name in lower case; several of a name joined by commas (RFC 9110, 5.3), but Set-Cookie, which is a list."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name.lower(), []).append(value)
    return {name: values if name == "set-cookie" else ", ".join(values) for name, values in found.items()}


def _member(headers: list[tuple[str, str]], body: bytes) -> bytes:
    if not body:
        return b""
    media_type, charset = replyheaders.content_type(headers)
    plain = charset in _UNICODE and not replyheaders.value(headers, "content-encoding")
    if plain and bodies.is_json(media_type) and _is_json(body):
        return b', "body": ' + body.strip(b" \t\r\n")
    if plain and _TEXT.fullmatch(media_type) and (text := _text(body)) is not None:
        return b', "text": ' + json.dumps(text, ensure_ascii=False).encode()
    return b', "base64": "' + b64encode(body) + b'"'


def _is_json(body: bytes) -> bool:
    """Whether every reader of JSON takes it, and takes it alike."""
    try:
        strictjson.parse(body, _MOST_DEPTH)
    except Refusal:
        return False
    return True


def _text(body: bytes) -> str | None:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return None
