"""decide(): the only place where anything is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from rules.obligations import Obligation
from rules.schema import Problem


class Effect(Enum):
    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided, by which rules, on what terms, under which revision of the rules.

    `code` is empty for an allowed call, else `unknown_tool`, `schema_violation` or `denied`. `rules` are the sorted
    ids of the rules behind it. `waived` maps a waived obligation to its reason.
    """

    effect: Effect
    code: str
    revision: str
    rules: tuple[str, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    waived: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    @property
    def denied(self) -> bool:
        return self.effect is Effect.DENY
