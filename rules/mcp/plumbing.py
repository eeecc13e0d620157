"""The methods of MCP that are no tools: what the protocol itself needs, and what a server asks of its client."""

from __future__ import annotations

from typing import Final

MCP: Final = "mcp"
"""The part of a tool's short name under which the protocol's own methods stand: `mcp/ping`."""

MODERN: Final = ("2026-07-28",)
"""The revisions without sessions: each request says what it is."""

LEGACY: Final = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""Those that begin with `initialize`."""

REVISIONS: Final = (*MODERN, *LEGACY)
"""All that are spoken, the newest first."""

STREAM, CLOSE = "stream", "close"
"""GET and DELETE of the sessions' era, which have no method of the protocol's."""

METADATA: Final = "metadata"
"""GET of what says where one signs in at the server (RFC 9728). It is no message either."""

RESPONSE: Final = "response"
"""An answer of the client's to what the server asked: it has no method either."""

LISTEN: Final = "subscriptions/listen"

REST: Final = "rest"
REST_TOOL: Final = "toolwall_rest"
"""What gives the rest of shaped results, and the name of the tool by which a client calls it: it is the sidecar's own,
and no method of the protocol's."""

PLUMBING: Final = (
    *("initialize", "ping", "server/discover"),
    *("tools/list", "prompts/list", "resources/list", "resources/templates/list"),
    *("logging/setLevel", "completion/complete", LISTEN, STREAM, CLOSE, METADATA),
    *("notifications/initialized", "notifications/cancelled", "notifications/progress"),
    *("notifications/roots/list_changed", RESPONSE, "resources/subscribe", "resources/unsubscribe"),
    *("tasks/get", "tasks/result", "tasks/list", "tasks/cancel", "tasks/update"),
)
"""What a client may send without a rule of its own: revisions 2025-11-25 and 2026-07-28. All else does not exist."""

SAMPLING: Final = "sampling/createMessage"
ASKED: Final = (SAMPLING, "elicitation/create", "roots/list")
"""What a server asks of its client: no plumbing, so a rule has to allow it."""

LASTING: Final = frozenset({STREAM, LISTEN})
"""What is open as long as client and server want."""
