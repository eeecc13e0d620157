"""Budgets of policy files, and the prices of tools that are paid from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from rules.amounts import BYTES, CALLS, PLAIN, TIME, TOKENS, money, spoken
from rules.obligations import Budget, Per, only
from rules.rule import Rule
from rules.shape import duration, size
from rules.source import LoadProblem, Node
from rules.tools import Catalog, Cost, Tool

_AMOUNTS: Final = {
    CALLS: lambda value: (CALLS, value),
    BYTES: lambda value: (BYTES, size(value)),
    TIME: lambda value: (TIME, round(duration(value) * 1000)),
    TOKENS: lambda value: (TOKENS, value),
    "money": money,
}


class Named(NamedTuple):
    """A budget and where it stands."""

    budget: Budget
    node: Node


Purses = Mapping[str, Named]


def read_budgets(roots: Iterable[Node], problems: list[LoadProblem]) -> dict[str, Named]:
    """The budgets of all files, by name."""
    found: dict[str, Named] = {}
    for root in roots:
        section = root.get("budgets")
        for name, node in section.items() if section else ():
            if name in found:
                problems.append(node.problem(f"{name} stands twice", f"first in {found[name].node.file}"))
            found.setdefault(name, Named(_budget(name, node, problems), node))
    return found


def _budget(name: str, node: Node, problems: list[LoadProblem]) -> Budget:
    per: set[Per] = {each.value for each in node.under("per")}
    if "all" in per and len(per) > 1:
        problems.append(node.problem("all callers together cannot be kept apart", "name `all` alone, or leave it out"))
    most = tuple(sorted(read(node.value[key].value) for key, read in _AMOUNTS.items() if node.get(key)))
    if not most:
        problems.append(node.problem("bounds nothing", f"say how much: {', '.join(_AMOUNTS)}"))
    if any(amount <= 0 for _, amount in most):
        problems.append(node.problem("would allow nothing", "deny the tools instead"))
    if node.get("each") and "run" in per:
        problems.append(node.key_problem("each", "has no meaning for a run", "leave it out"))
    if not node.get("each") and "run" not in per:
        problems.append(node.problem("never renews", "add `each: day` or `each: month`, or count per run"))
    return Budget(name, tuple(sorted(per - {"all"})), node.text("each"), most)  # type: ignore[arg-type]


def read_costs(node: Node) -> tuple[Cost, ...]:
    """What a call of a tool costs: its `price` and its `tokens`, whose shape was checked."""
    price, tokens = node.get("price"), node.get("tokens")
    found = []
    if price:
        unit, most = money(price.text("most") or str(price.value))
        found.append(Cost(unit, most, _pointer(price)))
    if tokens:
        whole = tokens.get("most") or tokens
        found.append(Cost(TOKENS, whole.value, _pointer(tokens)))
    return tuple(found)


def _pointer(node: Node) -> str | None:
    return node.text("from") if node.items() else None


def most_of(tool: Tool) -> dict[str, int]:
    """The most that one call of a tool may cost, in every unit: what is set aside before it is sent."""
    plain = {CALLS: 1, BYTES: tool.reply.most_bytes, TIME: round(tool.timeout_s * 1000)}
    return plain | {cost.unit: cost.most for cost in tool.costs}


def budget_problems(purses: Purses, rules: Iterable[Rule], catalog: Catalog) -> Iterator[LoadProblem]:
    """Budgets that could not be kept, could pay for nothing, or would never count."""
    paid: dict[str, list[Tool]] = {name: [] for name in purses}
    for rule in rules:
        tools = [tool for tool in catalog.tools.values() if rule.covers(tool.name)]
        for budget in only(Budget, rule.obligations):
            paid[budget.name] += tools
    for name, (budget, node) in purses.items():
        if not paid[name]:
            yield node.problem("is named by no rule that allows a tool", f"add `require: {{budget: {name}}}` to a rule")
            continue
        yield from _units(budget, node, paid[name])
        for tool in {tool.name: tool for tool in paid[name]}.values():
            yield from _fits(budget, node, tool)


def _units(budget: Budget, node: Node, tools: list[Tool]) -> Iterator[LoadProblem]:
    counted = {unit for tool in tools for unit in most_of(tool)}
    for unit, _ in budget.most:
        if unit not in counted:
            key = "tokens" if unit == TOKENS else "price"
            yield node.problem(f"counts {unit}, and none of its tools costs any", f"add `{key}` to their contracts")


def _fits(budget: Budget, node: Node, tool: Tool) -> Iterator[LoadProblem]:
    costs, most = most_of(tool), dict(budget.most)
    ours = {unit for unit in most if unit not in PLAIN}
    theirs = {unit for unit in costs if unit not in PLAIN}
    if ours and theirs and ours != theirs:
        hint = "give both in one currency"
        yield node.problem(f"is in {min(ours)}, and the price of {tool.name} in {min(theirs)}", hint)
    for unit in most.keys() & costs.keys():
        if costs[unit] > most[unit]:
            words = f"can never pay a call of {tool.name}, which may cost {spoken(unit, costs[unit])}"
            yield node.problem(words, _LOWER.get(unit, "raise it, or lower what the contract says"))


_LOWER: Final = {
    BYTES: "raise it, or lower `most_bytes` under the tool's `reply`",
    TIME: "raise it, or lower the tool's `timeout`",
}
