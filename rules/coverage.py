"""Coverage: which rules does no example put to the test?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rules.decide import Ruleset
from rules.examples import Outcome
from rules.rule import Effect, Rule


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many rules there are, and those that no example exercises, by file and line."""

    rules: int
    missing: tuple[Rule, ...]

    @property
    def percent(self) -> int:
        """Rules that are exercised, in whole percent, rounded down; 100 where there are none."""
        return 100 * (self.rules - len(self.missing)) // self.rules if self.rules else 100


def coverage(ruleset: Ruleset, outcomes: Iterable[Outcome]) -> Coverage:
    """A rule that allows is exercised where it grants a call, one that denies where it stops one, alone or with others.

    Only examples that came out as expected count: the others say nothing of what the author meant.
    """
    done = {rule.id for one in outcomes if one.passed for rule in _exercised(ruleset, one)}
    missing = [rule for rule in ruleset.rules if rule.id not in done]
    return Coverage(len(ruleset.rules), tuple(sorted(missing, key=lambda rule: (rule.file, rule.line))))


def _exercised(ruleset: Ruleset, outcome: Outcome) -> list[Rule]:
    """The rules that brought an outcome about. Of a tool that no rule allows a deny says no as well."""
    facts, decision = outcome.facts, outcome.decision
    if facts is None or decision is None or decision.code == "schema_violation":
        return []
    plan = ruleset.plans[facts.tool.name]
    if not decision.denied:
        return [rule for rule in plan.allows if rule.id in decision.rules]
    asking = ruleset.asking(facts)
    return [rule for rule in plan.denies if rule.matches(facts.principal, asking) is not False]


def wanted(rule: Rule) -> str:
    """One line: which example a rule lacks."""
    lacks = "no example is allowed by it" if rule.effect is Effect.ALLOW else "no example is denied by it"
    return f"{rule.file}:{rule.line}: {rule.id} ({rule.effect.value}): {lacks}"
