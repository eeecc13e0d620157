"""How "no" is said: one object for every protocol, written for a model to act on (RFC 9457 over HTTP)."""

from __future__ import annotations

import json
from typing import Any

import orjson

from proxy.errors import CODES, Refusal

MEDIA_TYPE = "application/problem+json"


def problem(refusal: Refusal, call_id: str, tool: str) -> dict[str, Any]:
    """The public object of a refusal. `tool` is empty where the caller may not know it."""
    row = CODES[refusal.code]
    said: dict[str, Any] = {
        "status": refusal.status,
        "code": refusal.code,
        "executed": refusal.executed,
        "title": row.title,
        "detail": refusal.detail,
        "tool": tool,
        "call_id": call_id,
        "retry": refusal.retry,
        "suggestion": refusal.suggestion,
        "errors": list(refusal.errors),
        **refusal.extra,
    }
    return {name: value for name, value in said.items() if value not in ("", [])}


def reply(refusal: Refusal, call_id: str, tool: str) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, headers and body of the HTTP reply."""
    body = _encoded(problem(refusal, call_id, tool)) + b"\n"
    headers = [
        ("Content-Type", MEDIA_TYPE),
        ("Toolwall-Call", call_id),
        ("Toolwall-Refused", refusal.code),
        *refusal.headers,
    ]
    if refusal.retry_after is not None:
        headers.append(("Retry-After", str(refusal.retry_after)))
    return refusal.status, headers, body


def _encoded(said: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(said)
    except TypeError:  # an integer beyond 64 bits
        return json.dumps(said, ensure_ascii=False).encode()


def ending(body: bytes, form: str) -> bytes:
    """The body of a refusal as the last event (`event`) or line (`line`) of a reply whose head is out."""
    return b"event: error\ndata: %b\n\n" % body.strip() if form == "event" else body.strip() + b"\n"
