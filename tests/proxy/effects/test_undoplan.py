"""What the ledger leaves to undo."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.effects.undoplan import effects

ONCE = {"name": "aa", "asked": "bb", "first": "c1", "lasts_s": 600.0}


def intent(call: str = "c1", **more: Any) -> dict[str, Any]:
    return {"kind": "intent", "call": call, "tool": "crm.pay", "once": ONCE, **more}


def ended(call: str = "c1", executed: str = "yes", state: str = "done", **more: Any) -> dict[str, Any]:
    return {
        "kind": "call",
        "call": call,
        "tool": "crm.pay",
        "effect": "write",
        "attempts": 1,
        "upstream_status": 200,
        "executed": executed,
        "once": {**ONCE, "state": state},
        **more,
    }


def settled(found: str, call: str = "c1") -> dict[str, Any]:
    return {"kind": "settled", "call": call, "as": found}


@pytest.mark.parametrize(
    ("entries", "state"),
    [
        ([intent(), ended()], "done"),
        ([intent()], "unknown"),
        ([intent(), ended(executed="unknown", state="unknown")], "unknown"),
        ([intent(), ended(executed="unknown", state="unknown"), settled("done")], "done"),
        ([intent(), ended(), {"kind": "undone", "call": "c1"}], "undone"),
        ([intent(once=None), ended(once=None)], "done"),
    ],
)
def test_what_became_of_an_effect(entries: list[dict[str, Any]], state: str) -> None:
    [effect] = effects([entries])
    assert (effect.call, effect.tool, effect.state) == ("c1", "crm.pay", state)


@pytest.mark.parametrize(
    "entries",
    [
        [intent(), ended(executed="yes", state="declined")],
        [intent(), ended(executed="no", state="")],
        [intent(once=None), ended(once=None, upstream_status=404)],
        [intent(once=None), ended(once=None, mcp={"method": "tools/call", "error": "tool_error"})],
        [intent(), ended(executed="unknown", state="unknown"), settled("not-done")],
        [ended(executed="no", replayed="c0")],
        [settled("not-done")],
        [{"kind": "other", "call": "c1"}],
    ],
)
def test_what_is_no_effect(entries: list[dict[str, Any]]) -> None:
    assert list(effects([entries])) == []


@pytest.mark.parametrize(
    ("undo", "state"),
    [
        ([intent("u", undoes="c1"), ended("u", undoes="c1")], "undone"),
        ([intent("u", undoes="c1")], "undoing"),
        ([intent("u", undoes="c1"), ended("u", "unknown", "unknown", undoes="c1")], "undoing"),
        ([intent("u", undoes="c1"), settled("done", "u")], "undone"),
        ([intent("u", undoes="c1"), settled("not-done", "u")], "done"),
        ([ended("u", "no", "", undoes="c1")], "done"),
        ([intent("u", undoes="c1"), ended("u", state="declined", undoes="c1")], "done"),
    ],
)
def test_what_a_call_that_was_to_undo_it_makes_of_it(undo: list[dict[str, Any]], state: str) -> None:
    [effect] = effects([undo, [intent(), ended()]])
    assert (effect.call, effect.state) == ("c1", state)
    assert effect.by == ("u" if state != "done" else "")


def test_the_last_word_on_an_undo_counts() -> None:
    failed = [intent("u1", undoes="c1"), settled("not-done", "u1")]
    [effect] = effects([[intent("u2", undoes="c1"), ended("u2", undoes="c1")], failed, [intent(), ended()]])
    assert (effect.state, effect.by) == ("undone", "u2")
