"""Examples: calls that the authors of rules wrote down, run through `decide`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from rules.decide import Decision, Ruleset
from rules.facts import Facts, Run
from rules.obligations import Approval
from rules.rule import Example

_SAME = {"approval_pending": "approval"}
"""Until a human has said yes, a call that needs an approval is refused as pending."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one example. `got` is `allow`, `approval` or a refusal code; `decision` is None for no tool."""

    example: Example
    got: str
    passed: bool
    decision: Decision | None

    def as_text(self) -> str:
        """One line for people; for a failure it says what was expected and which rules decided otherwise."""
        example = self.example
        line = (
            f"{example.file}:{example.line}: {example.tool} as {', '.join(sorted(example.principal.roles)) or 'anyone'}"
        )
        if self.passed:
            return f"{line}: {self.got}"
        rules = f", by {', '.join(self.decision.rules)}" if self.decision and self.decision.rules else ""
        return f"{line}: expected {example.expect}, got {self.got}{rules}"


def run(ruleset: Ruleset, now: datetime) -> tuple[Outcome, ...]:
    """Run all examples as if called at `now` (timezone-aware UTC), in the order in which they were written."""
    ordered = sorted(ruleset.examples, key=lambda one: (one.file, one.line))
    return tuple(_run(ruleset, example, now) for example in ordered)


def failures(outcomes: Iterable[Outcome]) -> tuple[Outcome, ...]:
    """Those that did not come out as expected."""
    return tuple(outcome for outcome in outcomes if not outcome.passed)


def _run(ruleset: Ruleset, example: Example, now: datetime) -> Outcome:
    tool = ruleset.catalog.tools.get(example.tool)
    if tool is None:
        return Outcome(example, "unknown_tool", example.expect in ("unknown_tool", "deny"), None)
    decision = ruleset.decide(Facts(tool, example.args, example.principal, Run("example", 1), now))
    got = outcome_of(decision)
    wanted = _SAME.get(example.expect, example.expect)
    return Outcome(example, got, wanted == got or (wanted == "deny" and decision.denied), decision)


def outcome_of(decision: Decision) -> str:
    """A decision in one word: `allow`, `approval` or the refusal code."""
    if decision.denied:
        return decision.code
    return "approval" if any(isinstance(one, Approval) for one in decision.obligations) else "allow"
