"""An update of a folder in words: what stands out comes first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rules.compare.tools import Change
from rules.compare.update import Update

_HEADS: Final = {
    "loosened": "LOOSENED: more calls or replies pass than before",
    "changed": "CHANGED: look yourself, this may be looser",
    "removed": "Removed: the newer document no longer has them",
    "new": "New: no rule allows them unless it is named here",
    "tightened": "Tightened: fewer calls or replies pass",
    "reworded": "Reworded: names and descriptions, which a model reads",
}
MOST_TOLD: Final = 500
"""Tools of one kind; of the others only the number is told."""

Rules = Sequence[str]


def report(name: str, done: Update, allowed: Mapping[str, Rules]) -> Iterator[str]:
    """The lines of a report about the backend `name`; `allowed` says which rules allow a new tool."""
    for kind, head in _HEADS.items():
        found = [change for change in done.changes if change.kind == kind]
        if found:
            yield head
            for change in found[:MOST_TOLD]:
                yield from _change(name, change, allowed.get(change.tool, ()))
            yield from [f"  and {len(found) - MOST_TOLD} more"] if len(found) > MOST_TOLD else []
            yield ""
    if done.conflicts:
        yield "CONFLICTS: edits by hand that the newer document changes too; they stay as they are"
        yield from (f"  {each}" for each in done.conflicts)
        yield ""
    yield summary(done)


def summary(done: Update) -> str:
    """How many of each kind."""
    kinds = [change.kind for change in done.changes]
    told = [f"{kinds.count(kind)} {kind}" for kind in _HEADS if kind in kinds] or ["nothing changed"]
    told += [f"{len(done.conflicts)} conflict{'s' * (len(done.conflicts) != 1)}"] if done.conflicts else []
    told += [f"{len(done.edited)} edited by hand"] if done.edited else []
    return ", ".join(told)


def needs_a_look(done: Update, allowed: Mapping[str, Rules]) -> bool:
    """Whether something may have become looser, or a person has to decide."""
    return any(change.kind in ("loosened", "changed") for change in done.changes) or bool(done.conflicts or allowed)


def _change(name: str, change: Change, allowed: Rules) -> Iterator[str]:
    full = f"{name}.{change.tool}" if change.tool else f"the backend {name}"
    yield f"  {full} ({change.call})"
    if change.kind == "new":
        yield f"    {change.effect}; " + (f"ALLOWED by {', '.join(allowed)}" if allowed else "no rule allows it")
    for kind, line in change.lines:
        yield f"    {'' if kind == change.kind else f'{kind}: '}{line}"
