"""decide(): the only place where anything is judged. Pure, total, and independent of the order of rules and files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rules.facts import Facts, Principal
from rules.obligations import DEFAULT_APPROVAL_S, Approval, Obligation, merge
from rules.rule import Effect, Example, Rule
from rules.schema import Problem
from rules.tools import Catalog, Tool
from rules.when import Asking

__all__ = ["Decision", "Effect", "Plan", "Ruleset"]

_NEEDS_APPROVAL = frozenset({"irreversible", "admin"})


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


@dataclass(frozen=True, slots=True)
class Plan:
    """The rules about one tool, found once at load. `uses` are the variables that their conditions need."""

    allows: tuple[Rule, ...]
    denies: tuple[Rule, ...]
    uses: frozenset[str]

    def hidden_by(self, principal: Principal) -> tuple[Rule, ...]:
        """The rules that deny this principal whatever the arguments are."""
        return tuple([rule for rule in self.denies if rule.when is None and rule.to.matches(principal) is not False])

    def could_allow(self, principal: Principal) -> bool:
        """Whether some rule grants the tool to this principal for some arguments."""
        return True in [rule.to.matches(principal) for rule in self.allows]


class Ruleset:
    """Everything that was loaded, ready to judge. Immutable; safe to use from many threads.

    `revision` names the exact content of all files. Without rules every call is denied.
    """

    def __init__(
        self, revision: str, catalog: Catalog, rules: Iterable[Rule] = (), examples: Iterable[Example] = ()
    ) -> None:
        self.revision = revision
        self.catalog = catalog
        self.rules = tuple(sorted(rules, key=lambda rule: rule.id))
        self.examples = tuple(examples)
        self.plans = {name: _plan(name, self.rules) for name in catalog.tools}

    def visible(self, principal: Principal, tool: Tool) -> bool:
        """Whether some rule could allow the tool to this principal, whatever the arguments."""
        plan = self.plans.get(tool.name)
        return plan is not None and plan.could_allow(principal) and not plan.hidden_by(principal)

    def decide(self, facts: Facts) -> Decision:
        """Judge one call. Never raises, whatever the facts are."""
        plan = self.plans.get(facts.tool.name)
        if plan is None or not plan.could_allow(facts.principal):
            return self._no("unknown_tool")
        if hiding := plan.hidden_by(facts.principal):
            return self._no("unknown_tool", hiding)
        if problems := violations(facts):
            return Decision(Effect.DENY, "schema_violation", self.revision, problems=problems)
        asking = Asking(facts, plan.uses)
        if against := [rule for rule in plan.denies if rule.matches(facts.principal, asking) is not False]:
            return self._no("denied", against)
        granting = [rule for rule in plan.allows if rule.matches(facts.principal, asking)]
        return self._yes(facts.tool, granting) if granting else self._no("denied")

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
    """The obligations of a call that these rules grant, and what they waive.

    An irreversible or admin tool needs an approval. It is waived only where every granting rule waives it, and never
    for an admin tool.
    """
    asked = [obligation for rule in granting for obligation in rule.obligations]
    if tool.effect not in _NEEDS_APPROVAL:
        return merge(asked) if asked else (), {}
    if tool.effect != "admin" and all("approval" in rule.waive for rule in granting):
        return (), {"approval": "; ".join(sorted({rule.waive["approval"] for rule in granting}))}
    return merge(asked or [Approval("", DEFAULT_APPROVAL_S)]), {}


def _plan(tool: str, rules: Sequence[Rule]) -> Plan:
    about = [rule for rule in rules if rule.covers(tool)]
    return Plan(
        tuple(rule for rule in about if rule.effect is Effect.ALLOW),
        tuple(rule for rule in about if rule.effect is Effect.DENY),
        frozenset(name for rule in about if rule.when for name in rule.when.uses),
    )
