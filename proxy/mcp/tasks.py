"""Tasks of MCP servers: whose each is. To a server all who come with one credential of the sidecar's are the same."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b
from typing import Any, Final

from proxy.errors import Refusal
from proxy.mcp.sessions import BadSession, Sessions

LIST: Final = "tasks/list"
STATUS: Final = frozenset({"notifications/tasks/status", "notifications/tasks"})
"""How it goes on with one is told so: by 2025-11-25, and by the extension of 2026-07-28."""

OF_ONE: Final = frozenset({"tasks/get", "tasks/result", "tasks/cancel", "tasks/update"})
"""The methods that name a task."""


class Tasks:
    """As many as there may be sessions, and as many of one principal."""

    def __init__(self) -> None:
        self._whose = Sessions()

    def begun(self, backend: str, principal: str, said: Mapping[str, Any]) -> None:
        """A call was answered: where it goes on as a task, that is the caller's. One that is somebody's stays so."""
        task = said.get("task")
        id = task.get("taskId") if isinstance(task, dict) else said.get("taskId")
        if isinstance(id, str):
            with suppress(BadSession):
                self._whose.bind(backend, _key(id), principal)

    def is_of(self, backend: str, principal: str, id: Any) -> bool:
        """Whether a task of this id is this principal's."""
        if not isinstance(id, str):
            return False
        try:
            return bool(self._whose.of(backend, _key(id), principal))
        except Refusal:
            return False

    def listed(self, backend: str, principal: str, said: Mapping[str, Any]) -> dict[str, Any]:
        """A list of tasks with those of this principal alone."""
        found = said.get("tasks")
        own = [
            one
            for one in (found if isinstance(found, list) else ())
            if isinstance(one, dict) and self.is_of(backend, principal, one.get("taskId"))
        ]
        return {**said, "tasks": own}


def _key(id: str) -> str:
    """An id of any length and kind, in little room."""
    return blake2b(id.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()
