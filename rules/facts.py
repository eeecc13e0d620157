"""Facts: everything that a decision may depend on. What is not in here cannot change a decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from rules.related import Question
from rules.schema import Problem
from rules.tools import Tool

MOST_ID: Final = 1024
"""Characters of a principal's id."""

ON_BEHALF: Final = " for "
"""Stands in the id of a caller between its own and those for whom it acts; nobody's own id has a space."""


class Link(NamedTuple):
    """One of those who act for each other. `roles` are None where nobody has said which it has."""

    id: str
    roles: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling, as proved by a credential: never taken from an ordinary header, field or query.

    `id` is unique and always known. `agent` and `user` are empty where they are not known; a rule that restricts
    by one of them then cannot tell, and denies. `method` says how the identity was proved, for the Record.
    `chain` goes from the user to the agent that calls, each acting for the one before; it is empty where nobody was
    delegated. `claims` are those of its token that the configuration names.
    """

    id: str
    roles: frozenset[str] = frozenset()
    agent: str = ""
    user: str = ""
    method: str = ""
    chain: tuple[Link, ...] = ()
    claims: Mapping[str, Any] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash(self.id)  # which is unique, and asked for on every call


def caller_of(id: str) -> str:
    """The id of who calls, without those for whom it acts."""
    return id.partition(ON_BEHALF)[0]


class Run(NamedTuple):
    """One piece of work of an agent: an id bound to the principal, and the number of this call in it, from 1."""

    id: str
    step: int


class Facts(NamedTuple):
    """One call, ready to be judged. `args` holds every argument under its argument name, as JSON values.

    `now` is timezone-aware UTC. `peer` is the caller's IP address, or empty. `problems` are contract violations
    that were already found while the arguments were placed (an undeclared query name, a number that is none).
    `relations` are what somebody was asked for this call; they come before what the rules themselves say.
    """

    tool: Tool
    args: Mapping[str, Any]
    principal: Principal
    run: Run
    now: datetime
    peer: str = ""
    problems: tuple[Problem, ...] = ()
    relations: Mapping[Question, bool] = MappingProxyType({})
