"""What can be settled, and what the ledger says of it."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.effects.settling import CannotSettle, settled

ONCE = {"name": "aa", "asked": "bb", "first": "c1", "lasts_s": 600.0}
INTENT: dict[str, Any] = {"kind": "intent", "call": "c1", "tool": "crm.pay", "principal": "ann", "once": ONCE}
LOST: dict[str, Any] = {
    "kind": "call",
    "call": "c1",
    "tool": "crm.pay",
    "effect": "write",
    "attempts": 1,
    "executed": "unknown",
    "once": {**ONCE, "state": "unknown"},
}


@pytest.mark.parametrize("entries", [[INTENT], [INTENT, LOST]])
@pytest.mark.parametrize(("found", "state"), [("done", "done"), ("not-done", "again")])
def test_what_is_not_known_can_be_settled(entries: list[dict[str, Any]], found: str, state: str) -> None:
    entry = settled(entries, found, "ops")
    assert (entry["kind"], entry["call"], entry["as"], entry["by"]) == ("settled", "c1", found, "ops")
    assert entry["once"] == {**ONCE, "state": state}


def test_what_is_repeatable_is_settled_for_the_list_alone() -> None:
    assert "once" not in settled([{**LOST, "once": None}], "done", "ops")


@pytest.mark.parametrize(
    "entries",
    [
        [INTENT, {**LOST, "executed": "yes"}],
        [INTENT, {**LOST, "executed": "no"}],
        [{**LOST, "attempts": 0}],
        [{**LOST, "effect": "read"}],
        [INTENT, LOST, {"kind": "settled", "call": "c1"}],
    ],
)
def test_what_is_known_cannot_be_settled(entries: list[dict[str, Any]]) -> None:
    with pytest.raises(CannotSettle):
        settled(entries, "done", "ops")
