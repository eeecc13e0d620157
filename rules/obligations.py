"""Obligations: what a rule demands besides yes or no. Each kind is one frozen dataclass and has one guard."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeVar

from rules.amounts import spoken

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


Per = Literal["principal", "agent", "user", "role", "run", "tool", "backend"]
"""Whose calls are counted together: a count is kept for each of them. A run belongs to its principal."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `calls` in any `within_s` seconds, or at most so many at once where that is 0.

    It is kept for each of what `per` names (in alphabetical order), or for all callers together. `owner` is the rule,
    backend or tool that says so: each owner counts for itself.
    """

    owner: str
    per: tuple[Per, ...]
    calls: int
    within_s: float = 0.0

    def as_text(self) -> str:
        """In words."""
        when = f"in {lasting(self.within_s)}" if self.within_s else "at once"
        whose = f"for each {' and '.join(self.per)}" if self.per else "for all callers together"
        return f"at most {self.calls} call{'s' * (self.calls > 1)} {when} {whose}"


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent in all: `most` of each unit (see `amounts`), for each of what `per` names, or all together.

    It begins anew with `each` hour, day or month (UTC); where that is empty, it does not.
    """

    name: str
    per: tuple[Per, ...]
    each: Literal["hour", "day", "month", ""]
    most: tuple[tuple[str, int], ...]

    def as_text(self) -> str:
        """In words."""
        amounts = " and ".join(spoken(unit, amount) for unit, amount in self.most)
        whose = f" for each {' and '.join(self.per)}" if self.per else " for all callers together"
        return f"at most {amounts}{f' each {self.each}' if self.each else ''}{whose} (budget {self.name})"


Obligation = Approval | Limit | Budget


def lasting(seconds: float) -> str:
    """A duration as rules files write it, in the largest unit that keeps it whole: `15m`."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size:.0f}{unit}"
    return f"{seconds * 1000:g}ms"


def merge(obligations: Iterable[Obligation]) -> tuple[Obligation, ...]:
    """All obligations in one, independent of their order: the stricter wins."""
    asked = tuple(obligations)
    if len(asked) < 2:
        return asked
    budgets = sorted(set(only(Budget, asked)), key=lambda one: one.name)
    return (*_approvals(only(Approval, asked)), *budgets, *_limits(only(Limit, asked)))


_Kind = TypeVar("_Kind", bound=Obligation)


def only(kind: type[_Kind], obligations: Iterable[Obligation]) -> list[_Kind]:
    """Those of one kind."""
    return [one for one in obligations if isinstance(one, kind)]


def _approvals(asked: Iterable[Approval]) -> list[Approval]:
    """Two approvals by different roles are both needed; of two by the same role the shorter time counts. An approval
    by anybody is covered by one that names a role.
    """
    shortest: dict[str, float] = {}
    for one in asked:
        shortest[one.by] = min(one.within_s, shortest.get(one.by, one.within_s))
    if len(shortest) > 1 and "" in shortest:
        anybody = shortest.pop("")
        shortest = {by: min(within, anybody) for by, within in shortest.items()}
    return [Approval(by, within) for by, within in sorted(shortest.items())]


def _limits(asked: Iterable[Limit]) -> list[Limit]:
    """All count; of two that would share their counts, only the lower."""
    lowest: dict[tuple[str, tuple[Per, ...], float], Limit] = {}
    for one in sorted(asked, key=lambda one: one.calls, reverse=True):
        lowest[one.owner, one.per, one.within_s] = one
    return [lowest[key] for key in sorted(lowest)]
