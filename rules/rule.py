"""Rules: who may use which tools, when, and on what terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from rules.facts import Principal
from rules.naming import matches_pattern
from rules.obligations import Obligation
from rules.returned import Reply, Returned
from rules.when import Asking, When


class Effect(Enum):
    """Whether a rule grants or restricts; also the outcome of a decision."""

    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class To:
    """Whom a rule is about. Each part that is not empty has to match; within a part one match is enough."""

    roles: frozenset[str] = frozenset()
    agents: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    principals: frozenset[str] = frozenset()

    def matches(self, principal: Principal) -> bool | None:
        """Yes, no, or None where the agent or user that it asks for is not known."""
        if self.roles and self.roles.isdisjoint(principal.roles):
            return False
        if self.principals and principal.id not in self.principals:
            return False
        if not self.agents and not self.users:
            return True
        agent = _among(principal.agent, self.agents)
        user = _among(principal.user, self.users)
        if agent is False or user is False:
            return False
        return None if agent is None or user is None else True


def _among(name: str, wanted: frozenset[str]) -> bool | None:
    if not wanted or name in wanted:
        return True
    return False if name else None


EVERYBODY = To()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as written in `file`, `line`. `tools` are patterns of tool names, in which `*` is any text.

    `obligations` and `waive` (obligation to reason) belong to rules that allow.
    """

    id: str
    effect: Effect
    tools: tuple[str, ...]
    to: To = EVERYBODY
    when: When | None = None
    obligations: tuple[Obligation, ...] = ()
    waive: Mapping[str, str] = field(default_factory=dict)
    says: str = ""
    file: str = ""
    line: int = 0

    def covers(self, tool: str) -> bool:
        """Whether one of the patterns means this tool."""
        return any(matches_pattern(pattern, tool) for pattern in self.tools)

    def matches(self, principal: Principal, asking: Asking) -> bool | None:
        """Yes, no, or None (cannot tell) for one call to a tool that the rule covers."""
        return self.applies(self.to.matches(principal), asking)

    def applies(self, to: bool | None, asking: Asking) -> bool | None:
        """The same, where it is known already whether the rule is about the caller."""
        if to is False or self.when is None:
            return to
        answer = self.when.ask(asking)
        return answer if answer is False or to is True else None


@dataclass(frozen=True, slots=True)
class Example:
    """A call and what should come of it, as written in `file`, `line`.

    `expect` is `allow`, `deny`, `approval` or a refusal code. `at` is when it is called (None: when it is run), `peer`
    the caller's IP address, `step` the number of the call in its run. With `reply` the backend gives this answer, and
    `returned` is what has to come of it.
    """

    principal: Principal
    tool: str
    args: Mapping[str, Any]
    expect: str
    file: str = ""
    line: int = 0
    at: datetime | None = None
    peer: str = ""
    step: int = 1
    reply: Reply | None = None
    returned: Returned | None = None
