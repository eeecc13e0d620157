"""Rules: who may use which tools, when, and on what terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Literal

from rules.facts import Principal, caller_of
from rules.naming import matches_pattern
from rules.obligations import Obligation
from rules.related import Question
from rules.returned import Reply, Returned
from rules.when import Asking, When

Links = Literal["caller", "all", "any"]


class Effect(Enum):
    """Whether a rule grants or restricts; also the outcome of a decision."""

    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class To:
    """Whom a rule is about. Each part that is not empty has to match; within a part one match is enough.

    `links` says whose roles count: the caller's, or those of each who acts for another, all of them or any one.
    """

    roles: frozenset[str] = frozenset()
    agents: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    principals: frozenset[str] = frozenset()
    links: Links = "caller"

    def matches(self, principal: Principal) -> bool | None:
        """Yes, no, or None where the agent or user that it asks for, or the roles of a link, are not known."""
        role = self.has_role(principal)
        if role is False or not self.has_principal(principal):
            return False
        if not self.agents and not self.users:
            return role
        answers = (role, _among(principal.agent, self.agents), _among(principal.user, self.users))
        return False if False in answers else None if None in answers else True

    def has_principal(self, principal: Principal) -> bool:
        """Whether the caller is one of those that it asks for, for whomever it acts."""
        ids = {principal.id, caller_of(principal.id)}
        return not self.principals or not self.principals.isdisjoint(ids)

    def has_role(self, principal: Principal) -> bool | None:
        """Whether the roles that count hold one of those that it asks for; None where that cannot be told."""
        if not self.roles:
            return True
        if self.links == "caller" or not principal.chain:
            return not self.roles.isdisjoint(principal.roles)
        answers = {None if link.roles is None else not self.roles.isdisjoint(link.roles) for link in principal.chain}
        decisive = self.links == "any"
        return decisive if decisive in answers else None if None in answers else not decisive


def _among(name: str, wanted: frozenset[str]) -> bool | None:
    if not wanted or name in wanted:
        return True
    return False if name else None


EVERYBODY = To()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as written in `file`, `line`. `tools` are patterns of tool names, whose `*` `covers` explains.

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
        """Whether one of the patterns means this tool. What is denied whatever the arguments is all that a `*` could
        mean; see `matches_pattern`."""
        across = self.effect is Effect.DENY and self.when is None
        return any(matches_pattern(pattern, tool, across) for pattern in self.tools)

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
    `returned` is what has to come of it. `related` is all that is so of what conditions ask for by `related(...)`; None
    where nothing is said of that.
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
    related: frozenset[Question] | None = None
