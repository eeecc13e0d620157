"""Requests under way outside of sessions: whose each is, for ids are no secret, and anybody could take one back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from proxy.model import Call


class UnderWay:
    """Counts them; two of one principal may have the same id. There are as many as calls, which are bounded."""

    def __init__(self) -> None:
        self._all: Counter[tuple[str, str, str]] = Counter()

    def __len__(self) -> int:
        return len(self._all)

    @contextmanager
    def begun(self, call: Call, id: bytes) -> Iterator[None]:
        """For as long as a request of this id is waited for."""
        key = _key(call, json.loads(id)) if id else None
        if key is not None:
            self._all[key] += 1
        try:
            yield
        finally:
            if key is not None:
                self._all[key] -= 1
                if not self._all[key]:
                    del self._all[key]

    def has(self, call: Call, id: Any) -> bool:
        """Whether the caller itself has a request of this id under way at the same server."""
        return _key(call, id) in self._all


def _key(call: Call, id: Any) -> tuple[str, str, str]:
    return call.tool.backend, call.principal.id, json.dumps(id)
