"""What is left to undo of a run: the ledger read backwards. Nothing but rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from proxy.ledger.pending import is_pending

Entries = Sequence[Mapping[str, Any]]
"""What the ledger holds of one call, in order."""

State = Literal["done", "undone", "unknown", "undoing", "none"]
"""Of an effect: `unknown`, nobody knows whether it was carried out; `undoing`, nobody knows it of the call that was to
undo it; `none`, nothing was done."""


class Effect(NamedTuple):
    """A call of a run and what became of it. `by` is the call that undid it, or was to. `once` is the name of its
    action, with how long a repeat is known."""

    call: str
    tool: str
    state: State
    by: str = ""
    once: Mapping[str, Any] | None = None


def effects(calls: Iterable[Entries]) -> Iterator[Effect]:
    """The effects of a run, of which these are all calls, the last one first."""
    calls = list(calls)
    undoing = _undoing(calls)
    for entries in calls:
        state = _state(entries)
        if state == "none" or _said(entries, "undoes"):
            continue
        call = str(entries[0]["call"])
        by = undoing.get(call, ("", "none"))
        if state == "done" and by[1] in ("done", "unknown"):
            state = "undone" if by[1] == "done" else "undoing"
        yield Effect(call, str(_said(entries, "tool")), state, by[0], _said(entries, "once") or None)


def _undoing(calls: Iterable[Entries]) -> dict[str, tuple[str, State]]:
    """The last call that was to undo another and had an end that counts, by the call that it undoes."""
    found: dict[str, tuple[str, State]] = {}
    for entries in calls:
        undoes, state = _said(entries, "undoes"), _state(entries)
        if undoes and state != "none":
            found.setdefault(str(undoes), (str(entries[0]["call"]), state))
    return found


def _said(entries: Entries, name: str) -> Any:
    """What the first entry that says it says."""
    return next((each[name] for each in entries if each.get(name)), "")


def _state(entries: Entries) -> State:
    """What became of a call."""
    kinds = {each.get("kind") for each in entries}
    if "undone" in kinds:
        return "undone"
    settled = next((each["as"] for each in entries if each.get("kind") == "settled"), "")
    if settled:
        return "done" if settled == "done" else "none"
    last = [each for each in entries if each.get("kind") in ("intent", "call")][-1:]
    if not last:
        return "none"
    return "unknown" if is_pending(last[0]) else "done" if _acted(last[0]) else "none"


def _acted(record: Mapping[str, Any]) -> bool:
    """Whether the backend did what a finished call asked for: it did not decline it."""
    if record.get("replayed") or record.get("executed") != "yes":
        return False
    told = record.get("once")
    if isinstance(told, dict) and "state" in told:
        return bool(told["state"] == "done")
    of_mcp = record.get("mcp")
    if isinstance(of_mcp, dict) and of_mcp.get("error"):  # which a server may give with any status
        return False
    return 200 <= int(record.get("upstream_status", 0)) < 400
