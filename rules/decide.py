"""decide(): the only place where anything is judged. Pure, total, and independent of the order of rules and files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple

from redaction.detector import Pattern
from rules.facts import Facts, Principal
from rules.obligations import DEFAULT_APPROVAL_S, Approval, Obligation, merge, only
from rules.related import Question
from rules.relations import NO_RELATIONS, Relations
from rules.rule import Effect, Example, Rule
from rules.schema import Problem
from rules.tools import Catalog, Tool
from rules.when import Asking

__all__ = ["Decision", "Effect", "Plan", "Ruleset"]

MOST_STANDINGS = 10_000
"""Pairs of principal and tool that are remembered; beyond, all are found anew."""

MOST_QUESTIONS = 32
"""Of one call to services; what is not asked cannot be told."""

_NEEDS_APPROVAL = frozenset({"irreversible", "admin"})


class Decision(NamedTuple):
    """What was decided, by which rules, on what terms, under which revision of the rules.

    `code` is empty for an allowed call, else `unknown_tool`, `schema_violation` or `denied`. `rules` are the sorted
    ids of the rules behind it. `waived` maps a waived obligation to its reason.
    """

    effect: Effect
    code: str
    revision: str
    rules: tuple[str, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    waived: Mapping[str, str] = MappingProxyType({})
    problems: tuple[Problem, ...] = ()

    @property
    def denied(self) -> bool:
        return self.effect is Effect.DENY


@dataclass(frozen=True, slots=True)
class Plan:
    """The rules about one tool, found once at load. `uses` are the variables that their conditions need."""

    allows: tuple[Rule, ...]
    denies: tuple[Rule, ...]
    uses: frozenset[str]

    def asks(self, relations: Relations) -> bool:
        """Whether a condition asks for what only a service can tell."""
        whens = [rule.when for rule in (*self.allows, *self.denies) if rule.when]
        return any(one.relation in relations.services for when in whens for one in when.lookups)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the rules say of one principal and one tool before any argument is known.

    `hiding` deny whatever the arguments are. `granted`: no rule is needed, for it is plumbing of a backend that the
    principal may use. `denies` and `allows` are the rules that their conditions decide:
    of a deny with what `to` says (True, or None for "cannot tell"), of an allow only those that are about the caller.
    """

    hiding: tuple[Rule, ...]
    denies: tuple[tuple[Rule, bool | None], ...]
    allows: tuple[Rule, ...]
    granted: bool = False

    @property
    def visible(self) -> bool:
        return (bool(self.allows) or self.granted) and not self.hiding


class Ruleset:
    """Everything that was loaded, ready to judge. Immutable; safe to use from many threads.

    `revision` names the exact content of all files. Without rules every call is denied. `detectors` are the author's.
    """

    def __init__(
        self,
        revision: str,
        catalog: Catalog,
        rules: Iterable[Rule] = (),
        examples: Iterable[Example] = (),
        detectors: tuple[Pattern, ...] = (),
        relations: Relations = NO_RELATIONS,
    ) -> None:
        self.revision = revision
        self.catalog = catalog
        self.rules = tuple(sorted(rules, key=lambda rule: rule.id))
        self.examples = tuple(examples)
        self.detectors = detectors
        self.relations = relations
        self.plans = {name: _plan(name, self.rules) for name in catalog.tools}
        self.asking_services = frozenset(name for name, plan in self.plans.items() if plan.asks(relations))
        """The tools about which a service is to be asked before a call is judged."""
        self._standings: dict[tuple[str, Principal], Standing] = {}

    def visible(self, principal: Principal, tool: Tool) -> bool:
        """Whether some rule could allow the tool to this principal, whatever the arguments."""
        return self._standing(principal, tool.name).visible

    def grants(self, principal: Principal, tool: Tool) -> tuple[Rule, ...]:
        """The rules that allow calls of this principal to a tool, for some of its arguments at least."""
        standing = self._standing(principal, tool.name)
        return standing.allows if standing.visible else ()

    def _standing(self, principal: Principal, tool: str) -> Standing:
        """Found once for each principal and tool, since neither changes under one set of rules."""
        standing = self._standings.get((tool, principal))
        if standing is None:
            if len(self._standings) >= MOST_STANDINGS:
                self._standings.clear()
            standing = _stand(self.plans.get(tool, _NO_PLAN), principal)
            if (known := self.catalog.tools.get(tool)) and known.is_plumbing:
                standing = replace(standing, granted=self._uses(principal, known.backend))
            self._standings[tool, principal] = standing
        return standing

    def _uses(self, principal: Principal, backend: str) -> bool:
        """Whether the principal may use anything of an MCP server that is no plumbing."""
        tools = (self.catalog.tools[name] for name in self.catalog.backends[backend].tools)
        return any(self._standing(principal, tool.name).visible for tool in tools if not tool.is_plumbing)

    def decide(self, facts: Facts) -> Decision:
        """Judge one call. Never raises, whatever the facts are."""
        standing = self._standing(facts.principal, facts.tool.name)
        if not standing.visible:
            return self._no("unknown_tool", standing.hiding if standing.allows or standing.granted else ())
        if problems := violations(facts):
            return Decision(Effect.DENY, "schema_violation", self.revision, problems=problems)
        asking = self.asking(facts)
        if against := [rule for rule, to in standing.denies if rule.applies(to, asking) is not False]:
            return self._no("denied", against)
        granting = [rule for rule in standing.allows if rule.applies(True, asking)]
        return self._yes(facts.tool, granting) if granting or standing.granted else self._no("denied")

    def asking(self, facts: Facts) -> Asking:
        """The call as conditions see it."""
        plan = self.plans.get(facts.tool.name, _NO_PLAN)
        return Asking(facts, plan.uses, self.relations)

    def questions(self, facts: Facts, *, known: bool = False) -> tuple[Question, ...]:
        """What is to be asked of services before a call is judged, each once; with `known` what the rules know
        themselves as well. None where the call is refused whatever they say."""
        standing = self._standing(facts.principal, facts.tool.name)
        rules = [*(rule for rule, _ in standing.denies), *standing.allows]
        lookups = [one for rule in rules if rule.when for one in rule.when.lookups]
        wanted = [one for one in lookups if known or one.relation in self.relations.services]
        if not wanted or not standing.visible or violations(facts):
            return ()
        asking = self.asking(facts)
        return tuple(dict.fromkeys(question for one in wanted if (question := one.question(asking))))[:MOST_QUESTIONS]

    def _no(self, code: str, rules: Sequence[Rule] = ()) -> Decision:
        return Decision(Effect.DENY, code, self.revision, tuple(rule.id for rule in rules))

    def _yes(self, tool: Tool, granting: Sequence[Rule]) -> Decision:
        obligations, waived = terms(tool, granting)
        ids = tuple(rule.id for rule in granting)
        return Decision(Effect.ALLOW, "", self.revision, ids, obligations, waived)

    def __repr__(self) -> str:
        return f"Ruleset({self.revision}, {self.catalog!r}, {len(self.rules)} rules)"


def violations(facts: Facts) -> tuple[Problem, ...]:
    """What was found while the arguments were placed, then what the contract finds at other places."""
    found = facts.tool.contract.check(facts.args)
    if not facts.problems:
        return found
    known = {problem.path for problem in facts.problems}
    return facts.problems + tuple(problem for problem in found if problem.path not in known)


def terms(tool: Tool, granting: Sequence[Rule]) -> tuple[tuple[Obligation, ...], Mapping[str, str]]:
    """The obligations of a call that these rules grant, with those of its contract, and what the rules waive.

    An irreversible or admin tool needs an approval. It is waived only where every granting rule waives it, and never
    for an admin tool.
    """
    asked = [*tool.limits, *(obligation for rule in granting for obligation in rule.obligations)]
    if tool.effect not in _NEEDS_APPROVAL:
        return merge(asked) if asked else (), {}
    if tool.effect != "admin" and all("approval" in rule.waive for rule in granting):
        return merge(asked), {"approval": "; ".join(sorted({rule.waive["approval"] for rule in granting}))}
    if not only(Approval, asked):
        asked.append(Approval("", DEFAULT_APPROVAL_S))
    return merge(asked), {}


def _stand(plan: Plan, principal: Principal) -> Standing:
    denies = [(rule, to) for rule in plan.denies if (to := rule.to.matches(principal)) is not False]
    return Standing(
        hiding=tuple(rule for rule, _ in denies if rule.when is None),
        denies=tuple((rule, to) for rule, to in denies if rule.when is not None),
        allows=tuple(rule for rule in plan.allows if rule.to.matches(principal)),
    )


def _plan(tool: str, rules: Sequence[Rule]) -> Plan:
    about = [rule for rule in rules if rule.covers(tool)]
    return Plan(
        tuple(rule for rule in about if rule.effect is Effect.ALLOW),
        tuple(rule for rule in about if rule.effect is Effect.DENY),
        frozenset(name for rule in about if rule.when for name in rule.when.uses),
    )


_NO_PLAN = Plan((), (), frozenset())
