"""Examples: calls that the authors of rules wrote down, run through `decide`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from redaction.scanner import Foreign
from rules.decide import Decision, Ruleset
from rules.facts import Facts, Principal, Run
from rules.obligations import Approval
from rules.related import Question
from rules.returned import Returned, returned
from rules.rule import Example

_SAME = {"approval_pending": "approval"}
"""Until a human has said yes, a call that needs an approval is refused as pending."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one example. `got` is `allow`, `approval` or a refusal code; `decision` is None for no tool.

    `decided` tells whether that was expected. `facts` are what was judged, None for no tool. `returned` is what came
    of its reply, where it has one and the call was not refused.
    """

    example: Example
    got: str
    decided: bool
    decision: Decision | None
    facts: Facts | None = None
    returned: Returned | None = None

    @property
    def passed(self) -> bool:
        """Whether everything came out as expected."""
        return self.decided and self._reply_fits

    @property
    def _reply_fits(self) -> bool:
        wanted = self.example.returned
        return wanted is None or (self.returned is not None and self.returned.fits(wanted))

    @property
    def name(self) -> str:
        """The call in a few words."""
        return f"{self.example.tool} as {caller(self.example.principal)}"

    def expected(self) -> str:
        """What was expected, in a few words."""
        wanted = self.example.returned
        return self.example.expect + (f", reply {_expected(wanted)}" if wanted else "")

    def came(self) -> str:
        """What came, in a few words."""
        return self.got + (f", reply {self.returned.as_text()}" if self.returned else "")

    def as_text(self) -> str:
        """One line for people; for a failure it says what was expected and which rules decided otherwise."""
        line = f"{self.example.file}:{self.example.line}: {self.name}"
        return f"{line}: {self.came() if self.passed else self.trouble()}"

    def trouble(self) -> str:
        """What was expected of a failed example, and what came instead."""
        if not self.decided:
            rules = f", by {', '.join(self.decision.rules)}" if self.decision and self.decision.rules else ""
            return f"expected {self.example.expect}, got {self.got}{rules}"
        return f"expected {self.expected()}, got {self.came()}"


def run(ruleset: Ruleset, now: datetime, foreign: Foreign | None = None) -> tuple[Outcome, ...]:
    """Run all examples as if called at `now` (timezone-aware UTC), in the order in which they were written.

    `foreign` makes what finds kinds that our own patterns do not, if not Presidio in this process.
    """
    return tuple(judge(ruleset, example, now, foreign) for example in ordered(ruleset))


def ordered(ruleset: Ruleset) -> list[Example]:
    """The examples in the order in which they were written."""
    return sorted(ruleset.examples, key=lambda one: (one.file, one.line))


def failures(outcomes: Iterable[Outcome]) -> tuple[Outcome, ...]:
    """Those that did not come out as expected."""
    return tuple(outcome for outcome in outcomes if not outcome.passed)


def judge(ruleset: Ruleset, example: Example, now: datetime, foreign: Foreign | None = None) -> Outcome:
    """Run one example, as if called at its own time or else at `now`."""
    tool = ruleset.catalog.tools.get(example.tool)
    if tool is None:
        return Outcome(example, "unknown_tool", example.expect in ("unknown_tool", "deny"), None)
    run = Run("example", example.step)
    facts = Facts(tool, example.args, example.principal, run, example.at or now, example.peer)
    if example.related is not None:
        facts = stated(ruleset, facts, example.related)
    decision = ruleset.decide(facts)
    got = outcome_of(decision)
    wanted = _SAME.get(example.expect, example.expect)
    decided = wanted == got or (wanted == "deny" and decision.denied)
    shown = None if decision.denied else example.reply
    back = returned(tool, shown, ruleset.detectors, foreign) if shown else None
    return Outcome(example, got, decided, decision, facts, back)


def stated(ruleset: Ruleset, facts: Facts, related: frozenset[Question]) -> Facts:
    """The call, where these relations are so and no others."""
    asked = ruleset.questions(facts, known=True)
    return facts._replace(relations={question: question in related for question in asked})


def outcome_of(decision: Decision) -> str:
    """A decision in one word: `allow`, `approval` or the refusal code."""
    if decision.denied:
        return decision.code
    return "approval" if any(isinstance(one, Approval) for one in decision.obligations) else "allow"


def caller(principal: Principal) -> str:
    """Whom an example speaks of."""
    known = [", ".join(sorted(principal.roles)), principal.agent, principal.user]
    return "; ".join(part for part in known if part) or "anyone"


def _expected(wanted: Returned) -> str:
    return "refused" if wanted.refused else wanted.as_text()
