"""The whole reasoning behind a decision, and what would change it. For operators: it shows rules and values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rules.cel import arguments_in, bare
from rules.decide import Decision, Ruleset, violations
from rules.examples import outcome_of
from rules.facts import Facts, Principal
from rules.obligations import Approval, Obligation, lasting, only
from rules.rule import Effect, Rule
from rules.schema import Problem
from rules.tools import Tool
from rules.whatif import shown, turns
from rules.when import PARTS, Asking, When

UNKNOWN: Final = "depends on the arguments, which are not known"

_FIELD: Final = re.compile(r"\b(principal|tool|run|network)\.(\w+)|\b(time)\b", re.ASCII)
_LOOK: Final[Mapping[str, Callable[[Facts, str], Any]]] = {
    "principal": lambda facts, name: PARTS["principal"](facts)[name],
    "tool": lambda facts, name: getattr(facts.tool, name),
    "run": lambda facts, name: getattr(facts.run, name),
    "network": lambda facts, name: facts.peer,
    "time": lambda facts, name: facts.now.isoformat(timespec="seconds"),
}


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
    """A decision with the reason of every rule about the tool. `problems` are breaches of the contract, also of a
    tool that is hidden. `terms` says what is needed or waived and who says so, `changes` what would change the answer.

    With `blind` the arguments are not known: of the decision only "hidden" is certain.
    """

    facts: Facts
    decision: Decision
    problems: tuple[Problem, ...]
    reasons: tuple[Reason, ...]
    terms: tuple[str, ...]
    changes: tuple[str, ...]
    blind: bool = False

    @property
    def outcome(self) -> str:
        """`allow`, `approval`, a refusal code, or UNKNOWN."""
        if self.blind and self.decision.code != "unknown_tool":
            return UNKNOWN
        return outcome_of(self.decision)

    def as_text(self) -> str:
        """All of it, for a terminal."""
        lines = [f"{self.facts.tool.name} as {who(self.facts.principal)}: {self.outcome}"]
        lines += [f"  {line}" for line in (*self._about(), *(reason.as_text() for reason in self.reasons), *self.terms)]
        if self.changes:
            lines += ["What would change it:", *(f"  - {change}" for change in self.changes)]
        return "\n".join([*lines, f"Rules revision {self.decision.revision}"])

    def _about(self) -> Iterator[str]:
        tool = self.facts.tool
        guessed = " (guessed by the importer)" if tool.guessed else ""
        yield f"the tool is declared in {tool.file}:{tool.line}, effect {tool.effect}{guessed}"
        if tool.undo:
            yield f"it is undone by {tool.undo.tool}, within {lasting(tool.undo.within_s)}"
        if tool.settle_by:
            yield f"{tool.settle_by.tool} tells whether it was done, where its answer was lost"
        if tool.is_plumbing:
            yield "MCP needs it: without a rule it is allowed to whoever may use anything else of its backend"
        if self.decision.code == "unknown_tool":
            yield "it is hidden: whatever the arguments, no rule allows it to this caller, or a deny takes it away"
        if self.blind:
            return
        yield "the arguments break the contract:" if self.problems else "the arguments fit the contract"
        yield from (f"  {problem.path or '/'} {problem.problem}" for problem in self.problems)


def explain(ruleset: Ruleset, facts: Facts, *, blind: bool = False) -> Explanation:
    """Decide once more and say why. `blind`: the arguments are not known, those of `facts` count for nothing."""
    decision = ruleset.decide(facts)
    plan = ruleset.plans.get(facts.tool.name)
    rules = sorted((*plan.denies, *plan.allows), key=lambda rule: (rule.file, rule.line)) if plan else []
    asking = ruleset.asking(facts)
    reasons = tuple(_reason(rule, facts, asking, blind) for rule in rules)
    problems = () if blind else violations(facts)
    certain = not blind or decision.code == "unknown_tool"
    return Explanation(
        facts,
        decision,
        problems,
        reasons,
        terms=() if blind else tuple(_terms(facts, decision, rules)),
        changes=tuple(_changes(ruleset, facts, decision, reasons, blind)) if certain else (),
        blind=blind,
    )


def who(principal: Principal) -> str:
    """The caller in a few words."""
    parts = [principal.id]
    parts += [f"roles {', '.join(sorted(principal.roles))}"] if principal.roles else ["no roles"]
    parts += [f"agent {principal.agent}"] if principal.agent else []
    parts += [f"user {principal.user}"] if principal.user else []
    parts += [f"chain {' > '.join(link.id for link in principal.chain)}"] if principal.chain else []
    return "; ".join(parts)


def _reason(rule: Rule, facts: Facts, asking: Asking, blind: bool) -> Reason:
    to = rule.to.matches(facts.principal)
    if to is not True:
        matched = to if to is False or (blind and _needs_arguments(rule)) else rule.matches(facts.principal, asking)
        return Reason(rule, matched, _why_not_to(rule, facts.principal))
    if rule.when is None:
        return Reason(rule, True, "it has no condition")
    if blind and _needs_arguments(rule):
        return Reason(rule, None, f"`{rule.when.text}` asks for arguments, which are not known")
    return Reason(rule, rule.when.ask(asking), _why_when(rule.when, asking, facts))


def _needs_arguments(rule: Rule) -> bool:
    return rule.when is not None and "args" in rule.when.uses


def _why_not_to(rule: Rule, principal: Principal) -> str:
    to = rule.to
    checks = (
        ("roles", to.roles, to.has_role(principal) is True),
        ("principals", to.principals, to.has_principal(principal)),
        ("agents", to.agents, principal.agent in to.agents),
        ("users", to.users, principal.user in to.users),
    )
    missed = [(word, wanted) for word, wanted, fits in checks if wanted and not fits]
    about = " and ".join(f"{word} {', '.join(sorted(wanted))}" for word, wanted in missed)
    known = {"agents": principal.agent, "users": principal.user, "roles": to.has_role(principal) is not None}
    unknown = [word[:-1] for word, _ in missed if not known.get(word, "known")]
    return f"it is about {about}" + "".join(f"; this caller's {word} is unknown" for word in unknown)


def _why_when(when: When, asking: Asking, facts: Facts) -> str:
    answer = when.ask(asking)
    values = ", ".join(_values(when, asking, facts))
    given = f" with {values}" if values else ""
    if answer is None:
        return f"`{when.text}` cannot be answered{given}: {when.trouble(asking)}"
    return f"`{when.text}` is {str(answer).lower()}{given}"


def _values(when: When, asking: Asking, facts: Facts) -> Iterator[str]:
    """The values of what a condition names."""
    for name in arguments_in(when.text):
        yield f"args.{name} = {shown(facts.args[name])}" if name in facts.args else f"args.{name} missing"
    for part, name, time in dict.fromkeys(_FIELD.findall(bare(when.text))):
        if (part or time) in when.uses:
            yield f"{part}.{name} = {shown(_LOOK[part](facts, name))}" if part else f"time = {_LOOK[time](facts, '')}"
    for one in when.lookups:
        answer = asking.related(one)
        yield f"{one.text} = {'not known' if answer is None else str(answer).lower()}"


def _terms(facts: Facts, decision: Decision, rules: Iterable[Rule]) -> Iterator[str]:
    """What an allowed call needs and what is waived, with who says so."""
    granting = [rule for rule in rules if rule.effect is Effect.ALLOW and rule.id in decision.rules]
    if decision.denied:
        return
    for need in decision.obligations:
        says = [f"{rule.file}:{rule.line}: {rule.id}" for rule in granting if _asks_for(need, rule)]
        says = says or [_contract_says(need, facts.tool)]
        needs = "needs " * isinstance(need, Approval)
        yield f"{needs}{need.as_text()}; so {'say' if len(says) > 1 else 'says'} {' and '.join(says)}"
    for name, reason in decision.waived.items():
        by = ", ".join(f"{rule.file}:{rule.line}: {rule.id}" for rule in granting if name in rule.waive)
        yield f"waived: {name}, because: {reason}; so says {by}"


def _asks_for(need: Obligation, rule: Rule) -> bool:
    if isinstance(need, Approval):
        return any(one.by in (need.by, "") for one in only(Approval, rule.obligations))
    return need in rule.obligations


def _contract_says(need: Obligation, tool: Tool) -> str:
    return f"its effect, {tool.effect}" if isinstance(need, Approval) else f"the contract in {tool.file}"


def _changes(
    ruleset: Ruleset, facts: Facts, decision: Decision, reasons: Iterable[Reason], blind: bool
) -> Iterator[str]:
    """Edits of the call that were tried, then edits of the rules, each of which takes away one obstacle."""
    if not blind:
        yield from turns(ruleset, facts, decision)
    if decision.code == "schema_violation":
        yield from (f"{problem.path or '/'}: it {problem.problem}" for problem in decision.problems)
        return
    doubt = (True,) if blind else (True, None)  # a call that is not known is no doubt about it
    against = [one for one in reasons if one.rule.effect is Effect.DENY and one.matched in doubt]
    grants = [one for one in reasons if one.rule.effect is Effect.ALLOW]
    if decision.denied:
        yield from (_narrow(one) for one in against)
        if not any(one.matched for one in grants):
            yield from _grant(facts, grants)
    elif only(Approval, decision.obligations) and facts.tool.effect in ("irreversible", "admin"):
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
        if one.matched and not one.rule.waive and not only(Approval, one.rule.obligations):
            where = f"{one.rule.file}:{one.rule.line}"
            yield f"{where}: `waive: {{approval: REASON}}` in {one.rule.id} would take the approval away"
