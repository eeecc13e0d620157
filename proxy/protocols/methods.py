"""The methods of MCP: who may send which message, and in which revisions of the protocol there is one. No I/O.

What is not in these tables is not passed on, in either direction.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from rules.mcp.plumbing import LEGACY, MODERN, REVISIONS

__all__ = ["CLIENT", "LEGACY", "MODERN", "REVISIONS", "SERVER", "is_served"]

_LAST: Final = LEGACY[0]
Kind = Literal["request", "notification"]


class Method(NamedTuple):
    """One kind of message, in the revisions from `since` to `until`."""

    kind: Kind
    since: str = LEGACY[-1]
    until: str = MODERN[0]

    def is_in(self, revision: str) -> bool:
        """Whether a revision has it. Where none is named it is one that begins with `initialize`."""
        return self.since <= (revision or _LAST) <= self.until


_ASKED: Final = Method("request")
_ONCE: Final = Method("request", until=_LAST)
_TASKS: Final = Method("request", _LAST, _LAST)
_NEW: Final = Method("request", MODERN[0])
_TOLD: Final = Method("notification")
_TOLD_ONCE: Final = Method("notification", until=_LAST)

CLIENT: Final = {
    "initialize": _ONCE,
    "ping": _ONCE,
    "server/discover": _NEW,
    "tools/list": _ASKED,
    "tools/call": _ASKED,
    "prompts/list": _ASKED,
    "prompts/get": _ASKED,
    "resources/list": _ASKED,
    "resources/templates/list": _ASKED,
    "resources/read": _ASKED,
    "resources/subscribe": _ONCE,
    "resources/unsubscribe": _ONCE,
    "completion/complete": _ASKED,
    "logging/setLevel": _ONCE,
    "subscriptions/listen": _NEW,
    "tasks/get": Method("request", _LAST),
    "tasks/cancel": Method("request", _LAST),
    "tasks/result": _TASKS,
    "tasks/list": _TASKS,
    "tasks/update": _NEW,
    "notifications/initialized": _TOLD_ONCE,
    "notifications/cancelled": _TOLD,
    "notifications/progress": _TOLD_ONCE,
    "notifications/roots/list_changed": _TOLD_ONCE,
    "notifications/tasks/status": Method("notification", _LAST, _LAST),
}
"""What a client may send."""

SERVER: Final = {
    "ping": _ONCE,
    "sampling/createMessage": _ONCE,
    "roots/list": _ONCE,
    "elicitation/create": Method("request", "2025-06-18", _LAST),
    "tasks/get": _TASKS,
    "tasks/result": _TASKS,
    "tasks/list": _TASKS,
    "tasks/cancel": _TASKS,
    "notifications/cancelled": _TOLD,
    "notifications/progress": _TOLD,
    "notifications/message": _TOLD,
    "notifications/tools/list_changed": _TOLD,
    "notifications/prompts/list_changed": _TOLD,
    "notifications/resources/list_changed": _TOLD,
    "notifications/resources/updated": _TOLD,
    "notifications/elicitation/complete": Method("notification", _LAST, _LAST),
    "notifications/tasks/status": Method("notification", _LAST),
    "notifications/tasks": Method("notification", MODERN[0]),
    "notifications/subscriptions/acknowledged": Method("notification", MODERN[0]),
}
"""What a server may send besides answers."""


def is_served(table: dict[str, Method], method: str, kind: str, revision: str) -> bool:
    """Whether a message of this kind and method may be sent, by the table of who sends it."""
    found = table.get(method)
    return found is not None and found.kind == kind and found.is_in(revision)
