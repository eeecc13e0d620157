"""Rules that do not do what they look like, grant more than they look like, or are put to no test."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Final

from rules import examples
from rules.coverage import coverage
from rules.decide import Ruleset
from rules.facts import Principal
from rules.lint.conditions import Answer, judge
from rules.lint.findings import Finding, finding
from rules.lint.kinds import MOST_TOOLS
from rules.lint.places import Places
from rules.listing import visible
from rules.obligations import Approval, merge, only
from rules.rule import EVERYBODY, Effect, Rule, To
from rules.tools import Tool

MOST_JUDGED: Final = 200
"""Tools of one rule for which its condition is read. A pattern that means more is about many of a kind."""

MOST_COMPARED: Final = 600
"""Rules that are compared with each other: the work grows with the square."""

MOST_CALLERS: Final = 200
"""Callers whose tools are counted."""

_MISTAKES: Final = ("when-unknown-argument", "when-wrong-type")


def about_policy(ruleset: Ruleset, places: Places, now: datetime) -> Iterator[Finding]:
    """Findings about the rules. Examples are run as if called at `now`."""
    if not ruleset.rules:
        yield finding("no-rules", ("", 0), "", "there are no rules, so every call is refused")
        return
    yield from _examples(ruleset, places, now)
    for rule in ruleset.rules:
        tools = [tool for name, tool in ruleset.catalog.tools.items() if rule.covers(name)]
        yield from _condition(rule, tools, places)
        if rule.effect is Effect.ALLOW:
            yield from _shadow(rule, tools, ruleset, places)
            yield from _grant(rule, tools, places)
    yield from _doubles(ruleset, places)
    yield from _crowds(ruleset)


def _examples(ruleset: Ruleset, places: Places, now: datetime) -> Iterator[Finding]:
    if not ruleset.examples:
        yield finding("no-examples", ("", 0), "", "there are no examples")
        return
    for rule in coverage(ruleset, examples.run(ruleset, now)).missing:
        yield finding("rule-without-example", places.rule(rule), rule.id, "is put to the test by no example")


def _condition(rule: Rule, tools: list[Tool], places: Places) -> Iterator[Finding]:
    if rule.when is None or not tools:
        return
    answers = {tool.name: judge(rule.when, tool, rule.to) for tool in tools[:MOST_JUDGED]}
    whole = len(answers) == len(tools)
    place = places.rule(rule, "when")
    told: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, answer in answers.items():
        for each in answer.told:
            told[each].append(name)
    mistaken = any(kind in _MISTAKES for kind, _ in told)
    if whole and _never(rule, answers) and not mistaken:
        because = next((words for kind, words in told if kind == "when-decided"), "has a condition that is never true")
        yield finding("rule-never-matches", place, rule.id, f"{because}: it never matches")
        return
    for (kind, words), names in told.items():
        everywhere = len(names) == len(tools)
        where = "" if everywhere or len(tools) == 1 else f" in {_some(names)}"
        yield finding(kind, place, rule.id, words + where, level=None if everywhere else "warning")
    if whole and all(answer.yes and not answer.no and not answer.doubt for answer in answers.values()) and not told:
        yield finding("when-always", place, rule.id, "has a condition that is always true")


def _never(rule: Rule, answers: dict[str, Answer]) -> bool:
    """Whether a rule has no effect on any call. A deny that cannot tell denies."""
    denies = rule.effect is Effect.DENY
    return not any(answer.yes or (denies and answer.doubt) for answer in answers.values())


def _shadow(rule: Rule, tools: list[Tool], ruleset: Ruleset, places: Places) -> Iterator[Finding]:
    shadows: set[str] = set()
    for tool in tools:
        over = [deny for deny in ruleset.plans[tool.name].denies if _covers(deny, rule)]
        if not over:
            return
        shadows |= {deny.id for deny in over}
    if tools:
        words = f"grants nothing: {_some(sorted(shadows))} denies all that it allows"
        yield finding("rule-shadowed", places.rule(rule), rule.id, words)


def _covers(wide: Rule, narrow: Rule) -> bool:
    """Whether the one is about all callers and arguments that the other is about."""
    same = wide.when is not None and narrow.when is not None and wide.when.text.split() == narrow.when.text.split()
    return (wide.when is None or same) and includes(wide.to, narrow.to)


def includes(wide: To, narrow: To) -> bool:
    """Whether everybody whom `narrow` is about is surely one whom `wide` is about."""
    parts = ("roles", "agents", "users", "principals")
    pairs = [(getattr(wide, part), getattr(narrow, part)) for part in parts]
    return wide.links == narrow.links and all(not wanted or (given and given <= wanted) for wanted, given in pairs)


def _doubles(ruleset: Ruleset, places: Places) -> Iterator[Finding]:
    ordered = sorted(ruleset.rules, key=lambda rule: (rule.file, rule.line))[:MOST_COMPARED]
    reach = {rule.id: frozenset(name for name in ruleset.catalog.tools if rule.covers(name)) for rule in ordered}
    for index, rule in enumerate(ordered):
        for other in ordered:
            if other is rule or not _adds_nothing(rule, other, reach):
                continue
            if not _adds_nothing(other, rule, reach):
                yield finding("rule-subsumed", places.rule(rule), rule.id, f"adds nothing to {other.id}")
                break
            if ordered.index(other) < index:
                yield finding("rule-duplicate", places.rule(rule), rule.id, f"says the same as {other.id}")
                break


def _adds_nothing(rule: Rule, other: Rule, reach: dict[str, frozenset[str]]) -> bool:
    """Whether all calls would come out the same without `rule`, because of `other`."""
    return (
        rule.effect is other.effect
        and reach[rule.id] <= reach[other.id]
        and _covers(other, rule)
        and rule.waive.keys() == other.waive.keys()
        and merge((*other.obligations, *rule.obligations)) == merge(other.obligations)
    )


def _grant(rule: Rule, tools: list[Tool], places: Places) -> Iterator[Finding]:
    place = places.rule(rule, "allow")
    if "*" in rule.tools:
        yield finding("allows-everything", place, rule.id, "allows every tool")
    if rule.to == EVERYBODY:
        yield finding("allows-everybody", place, rule.id, "allows its tools to everybody")
    for name, reason in rule.waive.items():
        yield finding("approval-waived", places.rule(rule, "waive"), rule.id, f"waives {name}: {reason}")
    final = [tool.name for tool in tools if tool.effect in ("irreversible", "admin")]
    approvals = only(Approval, rule.obligations)
    if final and not approvals and not rule.waive:
        words = f"lets any approver decide about {_some(final)}"
        yield finding("approval-by-anybody", place, rule.id, words)
    for one in approvals:
        if one.by in rule.to.roles:
            words = f"is for the role {one.by}, which also approves"
            yield finding("approval-by-caller", places.rule(rule, "require"), rule.id, words)


def _crowds(ruleset: Ruleset) -> Iterator[Finding]:
    for words, principal in callers(ruleset):
        seen = visible(ruleset, principal)
        if len(seen) <= MOST_TOOLS:
            continue
        rule, count = _widest(ruleset, seen, principal)
        edit = f"{rule.id} grants {count} of them: let it name the tools that one task needs"
        yield finding("many-tools", (rule.file, rule.line), words, f"sees {len(seen)} tools", edit)


def _widest(ruleset: Ruleset, seen: Sequence[Tool], principal: Principal) -> tuple[Rule, int]:
    """The rule that grants most of these tools, and how many."""
    allows = [rule for rule in ruleset.rules if rule.effect is Effect.ALLOW and rule.to.matches(principal)]
    return max(((rule, sum(rule.covers(tool.name) for tool in seen)) for rule in allows), key=lambda pair: pair[1])


def callers(ruleset: Ruleset) -> Iterator[tuple[str, Principal]]:
    """Those whom the rules name, up to MOST_CALLERS: each role alone, each agent, user and id; and who has none."""
    yield from islice(_callers(ruleset), MOST_CALLERS)


def _callers(ruleset: Ruleset) -> Iterator[tuple[str, Principal]]:
    yield "a caller without a role", Principal("")
    allows = [rule.to for rule in ruleset.rules if rule.effect is Effect.ALLOW]
    for role in sorted({role for to in allows for role in to.roles}):
        yield f"the role {role}", Principal("", frozenset({role}))
    for to in sorted({to for to in allows if to.agents or to.users or to.principals}, key=repr):
        for agent in sorted(to.agents) or [""]:
            for user in sorted(to.users) or [""]:
                for id in sorted(to.principals) or [""]:
                    named = " ".join(name for name in (agent, user, id) if name)
                    yield f"the caller {named}", Principal(id, to.roles, agent, user)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
