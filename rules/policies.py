"""Rules of policy files become Rules."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from types import MappingProxyType

from rules.budgets import Purses
from rules.cel import BadCondition
from rules.examplefile import meant
from rules.limits import OF_RULE, read_limits
from rules.naming import matches_pattern
from rules.obligations import Approval, Obligation, only
from rules.problems import closest
from rules.rule import EVERYBODY, Effect, Links, Rule, To
from rules.shape import duration
from rules.source import LoadProblem, Node
from rules.tools import Catalog
from rules.when import When

Names = Collection[str] | None
"""The full names of all tools; None where a file could not be read, so that nobody knows them."""


def load_rule(
    node: Node,
    catalog: Catalog,
    names: Names,
    purses: Purses = MappingProxyType({}),
    relations: Collection[str] = (),
) -> tuple[Rule | None, list[LoadProblem]]:
    """Read one rule whose shape was checked. `purses` are the budgets, `relations` the relations that it may name."""
    problems = list(_pattern_problems(node, names))
    when = _when(node.get("when"), relations, problems)
    word = "allow" if node.get("allow") else "deny"
    if word == "deny":
        problems += [node.key_problem(key, "has no meaning in a deny") for key in ("require", "waive") if node.get(key)]
    waive = node.get("waive")
    rule = Rule(
        id=node.text("id"),
        effect=Effect(word),
        tools=tuple(one.value for one in node.under(word)),
        to=_to(node.get("to"), "all" if word == "allow" else "any"),
        when=when,
        obligations=_obligations(node.get("require"), node.text("id"), purses, problems),
        waive={key: below.value for key, below in waive.items()} if waive else {},
        says=node.text("says"),
        file=node.file,
        line=node.line,
    )
    problems += _waive_problems(node, rule, catalog)
    return (None if problems else rule), problems


def _pattern_problems(node: Node, names: Names) -> Iterator[LoadProblem]:
    for word in ("allow", "deny"):
        for one in node.under(word):
            across = word == "deny" and node.get("when") is None
            if names is not None and not any(matches_pattern(one.value, tool, across) for tool in names):
                yield one.problem(f"{one.value} matches no tool", meant(one.value, names))


def _when(node: Node | None, relations: Collection[str], problems: list[LoadProblem]) -> When | None:
    if node is None:
        return None
    try:
        when = When(node.value)
    except BadCondition as bad:
        problems.append(node.problem(str(bad), bad.hint))
        return None
    for name in sorted({one.relation for one in when.lookups} - set(relations)):
        near = closest(name, relations)
        hint = f"did you mean {near}?" if near else "declare it under `relations` in a policy file"
        problems.append(node.problem(f"{name} is no relation", hint))
    return when


def _to(node: Node | None, strict: Links) -> To:
    """`strict` says whose roles count where those of the whole chain do."""
    if node is None:
        return EVERYBODY
    named = {key: frozenset(one.value for one in below.each()) for key, below in node.items() if key != "whole_chain"}
    chain = node.get("whole_chain")
    return To(**named, links=strict if chain and chain.value else "caller")


def _obligations(node: Node | None, rule: str, purses: Purses, problems: list[LoadProblem]) -> tuple[Obligation, ...]:
    if node is None:
        return ()
    approval = node.get("approval")
    limits, found = read_limits(node.get("limit"), f"rule {rule}", OF_RULE)
    problems += found
    approvals = (Approval(approval.text("by"), duration(approval.text("within"))),) if approval else ()
    named = node.under("budget")
    for each in named:
        if each.value not in purses:
            near = closest(each.value, purses)
            hint = f"did you mean {near}?" if near else "declare it under `budgets` in a policy file"
            problems.append(each.problem(f"{each.value} is no budget", hint))
    return (*approvals, *limits, *(purses[each.value].budget for each in named if each.value in purses))


def _waive_problems(node: Node, rule: Rule, catalog: Catalog) -> Iterator[LoadProblem]:
    if not rule.waive or not node.get("waive"):
        return
    where = node.value["waive"]
    if only(Approval, rule.obligations):
        yield where.problem("waives what the same rule requires", "remove one of the two")
    for tool in catalog.tools.values():
        if tool.effect == "admin" and rule.covers(tool.name):
            yield where.problem(f"cannot waive the approval of {tool.name}, an admin tool", "leave it out of this rule")


def duplicates(rules: Iterable[Rule]) -> Iterator[tuple[Rule, Rule]]:
    """Pairs of rules with the same id."""
    seen: dict[str, Rule] = {}
    for rule in rules:
        if rule.id in seen:
            yield seen[rule.id], rule
        seen.setdefault(rule.id, rule)
