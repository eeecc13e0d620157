"""After which entries nobody knows what became of a call."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.ledger.pending import is_pending

LOST: dict[str, Any] = {"kind": "call", "attempts": 1, "effect": "write", "executed": "unknown"}


@pytest.mark.parametrize("entry", [LOST, {"kind": "intent"}, {**LOST, "effect": "admin"}])
def test_what_is_not_known(entry: dict[str, Any]) -> None:
    assert is_pending(entry)


@pytest.mark.parametrize(
    "entry",
    [
        {**LOST, "executed": "yes"},
        {**LOST, "executed": "no"},
        {**LOST, "effect": "read"},
        {**LOST, "attempts": 0},
        {**LOST, "kind": "settled"},
        {**LOST, "kind": "undone"},
        {},
    ],
)
def test_what_is_known_or_was_never_sent(entry: dict[str, Any]) -> None:
    assert not is_pending(entry)
