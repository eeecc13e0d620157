"""Obligations: what a rule demands besides yes or no. Each kind is one frozen dataclass and has one guard."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

DEFAULT_APPROVAL_S = 15 * 60.0
"""How long an approval that only the tool's effect demands may take: long enough to reach a person at work."""


@dataclass(frozen=True, slots=True)
class Approval:
    """A human has to say yes before anything is sent.

    `by` is the role of the approver; empty means any approver. The approval is void `within_s` seconds after it was
    asked for.
    """

    by: str
    within_s: float

    def as_text(self) -> str:
        """In words."""
        return f"an approval by {self.by or 'any approver'} within {lasting(self.within_s)}"


Obligation = Approval


def lasting(seconds: float) -> str:
    """A duration as rules files write it, in the largest unit that keeps it whole: `15m`."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size:.0f}{unit}"
    return f"{seconds * 1000:g}ms"


def merge(obligations: Iterable[Obligation]) -> tuple[Obligation, ...]:
    """All obligations in one, independent of their order: the stricter wins.

    Two approvals by different roles are both needed; of two by the same role the shorter time counts. An approval
    by anybody is covered by one that names a role.
    """
    asked = tuple(obligations)
    if len(asked) < 2:
        return asked
    shortest: dict[str, float] = {}
    for one in asked:
        shortest[one.by] = min(one.within_s, shortest.get(one.by, one.within_s))
    if len(shortest) > 1 and "" in shortest:
        anybody = shortest.pop("")
        shortest = {by: min(within, anybody) for by, within in shortest.items()}
    return tuple(Approval(by, within) for by, within in sorted(shortest.items()))
