"""The whole reasoning behind a decision, and what would change it. For operators: it shows rules and values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rules.decide import Decision, Ruleset
from rules.examples import outcome_of
from rules.facts import Facts
from rules.obligations import Approval
from rules.rule import Effect, Rule
from rules.when import Asking, When

MOST_SHOWN = 80
"""Characters of an argument's value in an explanation."""

_ARGUMENT = re.compile(r"\bargs\.([A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True)
class Reason:
    """How one rule about the tool came out. `matched` is None where it cannot tell; `why` is the first thing that
    did not match, or what did.
    """

    rule: Rule
    matched: bool | None
    why: str

    def as_text(self) -> str:
        """One line."""
        word = {True: "matches", False: "does not match", None: "cannot tell"}[self.matched]
        rule = self.rule
        return f"{rule.file}:{rule.line}: {rule.id} ({rule.effect.value}) {word}: {self.why}"


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision with the reason of every rule about the tool. `changes` says in words what would change it."""

    facts: Facts
    decision: Decision
    reasons: tuple[Reason, ...]
    changes: tuple[str, ...]

    def as_text(self) -> str:
        """All of it, for a terminal."""
        facts, decision = self.facts, self.decision
        lines = [f"{facts.tool.name} as {who(facts)}: {outcome_of(decision)}"]
        lines += [f"  the tool is declared in {facts.tool.file}:{facts.tool.line}, effect {facts.tool.effect}"]
        lines += [f"  {problem.path or '/'} {problem.problem}" for problem in decision.problems]
        lines += [f"  {reason.as_text()}" for reason in self.reasons]
        lines += [f"  needs {_need(one)}" for one in decision.obligations]
        lines += [f"  waived: {name}, because: {reason}" for name, reason in decision.waived.items()]
        if self.changes:
            lines += ["What would change it:", *(f"  - {change}" for change in self.changes)]
        return "\n".join([*lines, f"Rules revision {decision.revision}"])


def explain(ruleset: Ruleset, facts: Facts) -> Explanation:
    """Decide once more and say why."""
    decision = ruleset.decide(facts)
    plan = ruleset.plans.get(facts.tool.name)
    rules = sorted((*plan.denies, *plan.allows), key=lambda rule: (rule.file, rule.line)) if plan else []
    asking = Asking(facts, plan.uses if plan else frozenset())
    reasons = tuple(_reason(rule, facts, asking) for rule in rules)
    return Explanation(facts, decision, reasons, tuple(_changes(facts, decision, reasons)))


def who(facts: Facts) -> str:
    """The caller in a few words."""
    principal = facts.principal
    parts = [principal.id]
    parts += [f"roles {', '.join(sorted(principal.roles))}"] if principal.roles else ["no roles"]
    parts += [f"agent {principal.agent}"] if principal.agent else []
    parts += [f"user {principal.user}"] if principal.user else []
    return "; ".join(parts)


def _reason(rule: Rule, facts: Facts, asking: Asking) -> Reason:
    matched = rule.matches(facts.principal, asking)
    to = rule.to.matches(facts.principal)
    if to is not True:
        return Reason(rule, matched, _why_not_to(rule, facts))
    if rule.when is None:
        return Reason(rule, matched, "it has no condition")
    return Reason(rule, matched, _why_when(rule.when, asking, facts))


def _why_not_to(rule: Rule, facts: Facts) -> str:
    principal, to = facts.principal, rule.to
    checks = (
        ("roles", to.roles, not to.roles.isdisjoint(principal.roles)),
        ("principals", to.principals, principal.id in to.principals),
        ("agents", to.agents, principal.agent in to.agents),
        ("users", to.users, principal.user in to.users),
    )
    word, wanted = next((word, wanted) for word, wanted, fits in checks if wanted and not fits)
    known = {"agents": principal.agent, "users": principal.user}.get(word, "known")
    return f"it is about {word} {', '.join(sorted(wanted))}" + (
        "" if known else f"; this caller's {word[:-1]} is unknown"
    )


def _why_when(when: When, asking: Asking, facts: Facts) -> str:
    answer = when.ask(asking)
    values = ", ".join(_values(when, facts))
    given = f" with {values}" if values else ""
    if answer is None:
        return f"`{when.text}` cannot be answered{given}: {when.trouble(asking)}"
    return f"`{when.text}` is {str(answer).lower()}{given}"


def _values(when: When, facts: Facts) -> Iterator[str]:
    """The values of the arguments that a condition names."""
    for name in dict.fromkeys(_ARGUMENT.findall(when.text)):
        if name in facts.args:
            text = json.dumps(facts.args[name], ensure_ascii=True, default=lambda value: type(value).__name__)
            yield f"args.{name} = {text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + ' ...'}"
        else:
            yield f"args.{name} missing"


def _need(one: Approval) -> str:
    return f"an approval by {one.by or 'any approver'} within {one.within_s:g} s"


def _changes(facts: Facts, decision: Decision, reasons: Iterable[Reason]) -> Iterator[str]:
    """Edits, each of which takes away one obstacle."""
    if decision.code == "schema_violation":
        yield from (f"{problem.path or '/'}: it {problem.problem}" for problem in decision.problems)
        return
    against = [one for one in reasons if one.rule.effect is Effect.DENY and one.matched is not False]
    grants = [one for one in reasons if one.rule.effect is Effect.ALLOW]
    if decision.denied:
        yield from (_narrow(one) for one in against)
        if not any(one.matched for one in grants):
            yield from _grant(facts, grants)
    elif decision.obligations and facts.tool.effect in ("irreversible", "admin"):
        yield from _waive(facts, grants)


def _narrow(one: Reason) -> str:
    return f"{one.rule.file}:{one.rule.line}: narrow or remove the rule {one.rule.id}; any deny wins"


def _grant(facts: Facts, grants: Iterable[Reason]) -> Iterator[str]:
    missed = list(grants)
    if not missed:
        name = facts.tool.name
        yield f"no rule allows {name}: add one, such as {{id: ..., allow: {name}, to: {{roles: [...]}}}}"
    for one in missed:
        yield f"{one.rule.file}:{one.rule.line}: {one.rule.id} would allow it, but {one.why}"


def _waive(facts: Facts, grants: Iterable[Reason]) -> Iterator[str]:
    if facts.tool.effect == "admin":
        yield "nothing: a call to an admin tool always needs an approval"
        return
    for one in grants:
        if one.matched and not one.rule.waive and not one.rule.obligations:
            where = f"{one.rule.file}:{one.rule.line}"
            yield f"{where}: `waive: {{approval: REASON}}` in {one.rule.id} would take the approval away"
