"""What if: edits of one call, each tried out, that would change how it is decided."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import islice, product
from typing import Any, Final, NamedTuple

from rules.cel import arguments_in
from rules.decide import Decision, Ruleset, violations
from rules.examples import outcome_of
from rules.facts import Facts, Principal
from rules.problems import NO_EXAMPLE
from rules.rule import Effect, Rule

MOST_TRIED = 500
"""Edits of one call that are tried: deciding takes some 20 us, and an operator waits for the answer."""

MOST_TOLD = 8
"""Edits that are told; whoever asks wants a way, not all of them."""

MOST_SHOWN = 80
"""Characters of a value in an explanation."""

_TEXT: Final = re.compile(r"""r?(?:"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)')""")
_NUMBER: Final = re.compile(r"(?<![\w.])-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,9})?(?![\w.])", re.ASCII)
_SOMEBODY_ELSE: Final = "\x00"
"""No agent, user or principal of any rule is called so."""


class Edit(NamedTuple):
    """A change to one part of a call, in words. `near` orders the edits of one part: the least change first."""

    part: str
    says: str
    near: float
    make: Callable[[Facts], Facts]


def shown(value: Any) -> str:
    """A value of a call as JSON, cut where it is long."""
    text = json.dumps(value, ensure_ascii=True, default=lambda strange: type(strange).__name__)
    return text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + " ..."


def turns(ruleset: Ruleset, facts: Facts, decision: Decision) -> tuple[str, ...]:
    """The nearest edits that would turn a decision around, in words: for a refused call those with which it passes.

    Each was tried: made on the call and decided anew.
    """
    before = outcome_of(decision)

    def turned(after: Facts) -> str:
        """What would come out, where that is worth telling; a refusal by another code is not."""
        found = ruleset.decide(after)
        word = outcome_of(found)
        return "" if word == before or word == "schema_violation" or (decision.denied and found.denied) else word

    plan = ruleset.plans.get(facts.tool.name)
    rules = (*plan.allows, *plan.denies) if plan else ()
    found = [*_singles(_edits(facts, rules, decision.denied), facts, turned)]
    if not found and decision.denied:
        found = [*_pairs(_edits(facts, rules, True), facts, turned)]
    return tuple(found[:MOST_TOLD])


def _singles(edits: Iterable[Edit], facts: Facts, turned: Callable[[Facts], str]) -> Iterator[str]:
    """Of each part of the call the nearest edit for each outcome."""
    told: set[tuple[str, str]] = set()
    for edit in sorted(islice(edits, MOST_TRIED), key=lambda one: one.near):
        word = turned(edit.make(facts))
        if word and (edit.part, word) not in told:
            told.add((edit.part, word))
            yield f"{edit.says}: {word}"


def _pairs(edits: Iterable[Edit], facts: Facts, turned: Callable[[Facts], str]) -> Iterator[str]:
    """The same of two edits at once, of different parts."""
    few = sorted(islice(edits, MOST_TRIED), key=lambda one: one.near)
    both = (pair for pair in product(few, few) if pair[0].part > pair[1].part)
    told: set[tuple[str, str, str]] = set()
    for one, other in islice(both, MOST_TRIED):
        word = turned(other.make(one.make(facts)))
        if word and (one.part, other.part, word) not in told:
            told.add((one.part, other.part, word))
            yield f"{one.says}, and {other.says}: {word}"


def _edits(facts: Facts, rules: Iterable[Rule], denied: bool) -> Iterator[Edit]:
    """Edits that could matter to these rules. Of an allowed call only other arguments are of interest."""
    if denied:
        yield from _mended(facts)
        yield from _callers(facts.principal, rules)
    conditions = [rule.when for rule in rules if rule.when]
    for when in conditions:
        for name in arguments_in(when.text):
            yield from _values(name, facts.args, when.text)
    if any("time" in when.uses for when in conditions):
        yield from _times(facts)


def _mended(facts: Facts) -> Iterator[Edit]:
    """The arguments as the contract wants them: what is wrong taken from its example, or the whole example."""
    contract, problems = facts.tool.contract, violations(facts)
    example = contract.example() if problems else NO_EXAMPLE
    if not isinstance(example, dict):
        return
    wrong = {problem.path[1:].partition("/")[0].replace("~1", "/").replace("~0", "~") for problem in problems}
    right = {name: value for name, value in facts.args.items() if name not in wrong}
    if not contract.is_open:
        right = {name: value for name, value in right.items() if name in contract.names}
    shown_for_wrong = {name: value for name, value in example.items() if name in wrong}
    for near, args in enumerate(({**right, **shown_for_wrong}, example)):
        yield Edit("args", f"with the arguments {shown(args)}", near, _with_args(args))


def _with_args(args: Mapping[str, Any]) -> Callable[[Facts], Facts]:
    return lambda facts: facts._replace(args=args, problems=())


def _with_arg(name: str, value: Any) -> Callable[[Facts], Facts]:
    return lambda facts: facts._replace(args={**facts.args, name: value})


def _values(name: str, args: Mapping[str, Any], condition: str) -> Iterator[Edit]:
    """Other values of one argument, made from what stands in the condition."""
    now = args.get(name)
    for value in dict.fromkeys(_candidates(now, condition)):
        if value != now or type(value) is not type(now):
            yield Edit(
                f"args.{name}", f"with args.{name} = {shown(value)}", _distance(now, value), _with_arg(name, value)
            )
    if name in args:
        rest = {key: value for key, value in args.items() if key != name}
        yield Edit(f"args.{name}", f"without args.{name}", 1e18, lambda facts: facts._replace(args=rest))


def _candidates(now: Any, condition: str) -> Iterator[Any]:
    for found in _NUMBER.findall(_TEXT.sub('""', condition)):
        number = float(found) if "." in found else int(found)
        yield from (number - 1, number, number + 1)
    for double, single in _TEXT.findall(condition):
        text = double or single
        if "\\" not in text:
            yield text
            if isinstance(now, str):
                yield from (now.replace(text, ""), text + now, now + text)
    if not isinstance(now, str | int | float) or isinstance(now, bool):
        yield from (True, False)


def _distance(now: Any, value: Any) -> float:
    """How far a value is from the present one; of another type is farther than any."""
    if isinstance(now, bool) or isinstance(value, bool) or now is None:
        return 0.0
    if isinstance(now, int | float) and isinstance(value, int | float):
        return abs(float(now) - float(value)) if abs(now) < 1e300 else 1e17
    if isinstance(now, str) and isinstance(value, str):
        return abs(len(now) - len(value)) + (0.0 if value in now or now in value else 1e6)
    return 1e17


def _times(facts: Facts) -> Iterator[Edit]:
    """The hours of the next day and the days of the next week."""
    for step in (*(timedelta(hours=hour) for hour in range(1, 25)), *(timedelta(days=day) for day in range(2, 8))):
        at = facts.now + step
        says = f"at {at.isoformat(timespec='seconds')}"
        yield Edit("time", says, step.total_seconds(), lambda facts, at=at: facts._replace(now=at))  # type: ignore[misc]


def _callers(principal: Principal, rules: Iterable[Rule]) -> Iterator[Edit]:
    """The caller with another role, agent, user or id, as the rules name them."""
    for rule in rules:
        grants = rule.effect is Effect.ALLOW
        for role in sorted(rule.to.roles):
            if grants and role not in principal.roles:
                yield _as(f"with the role {role}", 1, principal, roles=principal.roles | {role})
            elif not grants and role in principal.roles:
                yield _as(f"without the role {role}", 1, principal, roles=principal.roles - {role})
        yield from _identities(principal, rule, grants)


def _identities(principal: Principal, rule: Rule, grants: bool) -> Iterator[Edit]:
    for field, word, wanted in (
        ("agent", "agent", rule.to.agents),
        ("user", "user", rule.to.users),
        ("id", "principal", rule.to.principals),
    ):
        for name in sorted(wanted) if grants else ():
            if getattr(principal, field) != name:
                yield _as(f"as the {word} {name}", 2, principal, **{field: name})
        if wanted and not grants:
            says = f"with a known {word} other than {', '.join(sorted(wanted))}"
            yield _as(says, 3, principal, **{field: _SOMEBODY_ELSE})


def _as(says: str, near: float, principal: Principal, **changed: Any) -> Edit:
    who = replace(principal, **changed)
    part = next(iter(changed))
    return Edit(f"principal.{part}", says, near, lambda facts: facts._replace(principal=who))
