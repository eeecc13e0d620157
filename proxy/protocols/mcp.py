"""MCP over HTTP, both eras: one message is one call of one tool. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from proxy.protocols.rest import RestAsk


class Message(NamedTuple):
    """One JSON-RPC message. `id` is its JSON text, empty for a notification; a response has `said`, its members
    `result` or `error`."""

    kind: Literal["request", "notification", "response"]
    id: bytes
    method: str
    params: Mapping[str, Any]
    said: Mapping[str, Any]


class McpAsk(RestAsk):
    """One message of a client. `find` reads it; what it says of itself is known from then on."""

    message: Message
    modern = False
    """Whether it is of the era without sessions (2026-07-28 and later)."""

    revision = ""
    session = ""
    """Mcp-Session-Id."""
