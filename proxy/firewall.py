"""The heart: what happens to every call, whichever door it came in by."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from time import monotonic
from typing import Any

from proxy.entry import Entries, Entry
from proxy.errors import Refusal
from proxy.identity.identity import Identify
from proxy.model import Ask, Call, Guard, Result, Send
from proxy.repeats import Repeats
from proxy.runs import Runs
from proxy.stops.halts import Halts
from rules.decide import Decision, Ruleset
from rules.facts import Facts, Principal, Run
from rules.problems import NO_EXAMPLE, Problem
from rules.tools import Tool

Guards = Callable[[Call, Decision], list[Guard]]
"""Gives the guards of one call, outermost first."""

Open = Callable[[str], Entry]
"""Gives the open Record of a call that came in by a listener of this name."""

Restore = Callable[[Call, Entry], Awaitable[Call]]
"""Gives the call that is meant by one whose tool wants the values behind pseudonyms."""


Relate = Callable[[Ruleset, Facts, list[str]], Awaitable[Facts]]
"""Gives the facts with all that services tell about them; what they could not is said in notes."""


async def _as_it_is(call: Call, _: Entry) -> Call:
    return call


async def _knows_nothing(_: Ruleset, facts: Facts, notes: list[str]) -> Facts:
    return facts


class Regime:
    """One revision of the rules and what was made from it: guards, the way to its backends, what puts values back, and
    what asks services who is what to whom, where there are any.

    A call uses one regime from its beginning to its end. `calls` are under way, up to where their answer is handed
    over; `with` counts one.
    """

    __slots__ = ("calls", "guards", "relate", "restore", "rules", "send")

    def __init__(
        self, rules: Ruleset, guards: Guards, send: Send, relate: Relate = _knows_nothing, restore: Restore = _as_it_is
    ) -> None:
        self.rules = rules
        self.guards = guards
        self.send = send
        self.restore = restore
        self.relate = relate
        self.calls = 0

    def __enter__(self) -> Regime:
        self.calls += 1
        return self

    def __exit__(self, *_: object) -> None:
        self.calls -= 1


class Firewall:
    """One pipeline for all doors. `regime` may be replaced at any time: no call is judged by two sets of rules."""

    def __init__(self, regime: Regime, entries: Entries) -> None:
        self.regime = regime
        self.entries = entries
        self.runs = Runs(entries.check_name)
        self.halts = Halts()
        self.repeats = Repeats()

    async def handle(self, ask: Ask, identify: Identify, opened: Open | None = None) -> Result:
        """The answer to one request. Raises Refusal; either way its Record is written, which `opened` gives where it is
        one of a kind."""
        with self.regime as regime:
            async with (opened or self.entries.open)(ask.listener) as entry:
                entry.hailed(hail := ask.hail())
                return await self.call(ask, entry, regime, await identify(hail))

    async def call(self, ask: Ask, entry: Entry, regime: Regime, principal: Principal) -> Result:
        """The answer to a request of a known caller, whose Record is open. Raises Refusal."""
        run = self.runs.step(principal.id, entry.hail.run, monotonic())
        entry.identified(principal, run)
        with self.halts.watch(entry):
            return await self._judged(ask, entry, regime, principal, run)

    async def _judged(self, ask: Ask, entry: Entry, regime: Regime, principal: Principal, run: Run) -> Result:
        rules = regime.rules
        tool = await ask.find(rules.catalog)
        if tool is None or not rules.visible(principal, tool):
            raise unknown_tool(entry, tool)
        entry.found(tool)
        call = entry.came = await ask.call(entry.record.call, tool, principal, run)
        if tool.restore:
            call = await regime.restore(call, entry)
        facts = call.facts()
        if tool.name in rules.asking_services:
            facts = await regime.relate(rules, facts, entry.record.notes)
        entry.decided(call, decision := rules.decide(facts))
        await entry.show(call)
        if entry.hail.behalf and entry.hail.behalf.same not in ("", entry.judged):
            raise _changed()
        self.repeats.check(call, entry.record, monotonic())
        try:
            result = await _answer(regime, call, decision, entry)
        except Refusal as no:
            self.repeats.refused(call, entry.record, no, monotonic())
            raise
        self.repeats.answered(call, entry.record, result, monotonic())
        return result


async def _answer(regime: Regime, call: Call, decision: Decision, entry: Entry) -> Result:
    if decision.denied:
        raise refusal(decision, call.tool)
    send = regime.send
    for guard in reversed(guards := regime.guards(call, decision)):
        send = partial(guard, send=send)
    entry.expect([guard.__name__ for guard in guards])
    return await entry.follow(await send(call, entry))


def unknown_tool(entry: Entry, tool: Tool | None) -> Refusal:
    """The same words for a tool that does not exist and for one that this caller could never use."""
    entry.hidden(tool)
    return Refusal(
        "unknown_tool",
        "No tool of this name is available to you.",
        suggestion="Use one of the tools that you were given; do not guess URLs.",
    )


def _changed() -> Refusal:
    return Refusal(
        "denied",
        "The call would not be the same as it was: values that it named are not known any more. Nothing was sent.",
        suggestion="Make the call anew.",
    )


def refusal(decision: Decision, tool: Tool) -> Refusal:
    """A denied decision in words that teach the caller and leak nothing of the policy."""
    if decision.code == "schema_violation":
        example = tool.contract.example()
        shown = {"example": example} if example and example is not NO_EXAMPLE else {}
        return Refusal(
            "schema_violation",
            "One or more arguments do not fit the tool's contract.",
            suggestion="Correct the listed arguments and call again."
            + " `example` shows a call that fits." * len(shown),
            errors=tuple(_said(problem, tool) for problem in decision.problems),
            extra=shown,
        )
    if decision.code == "denied":
        return Refusal(
            "denied",
            "You may use this tool, but not with these arguments or at this time.",
            suggestion="Do not repeat this call unchanged. Ask the user, or choose another way.",
        )
    return Refusal(decision.code, "No tool of this name is available to you.")


def _said(problem: Problem, tool: Tool) -> dict[str, Any]:
    """One wrong argument: where it is, how it travels where that is not plain, what is wrong, and what would fit."""
    said: dict[str, Any] = {"path": problem.path}
    name = problem.path[1:].partition("/")[0].replace("~1", "/").replace("~0", "~")
    place, wire = tool.travels(name)
    if place and (place, wire) != ("body", name):
        said["in"] = place
    if wire != name:
        said["name"] = wire
    said["problem"] = problem.problem
    return said if problem.example is NO_EXAMPLE else {**said, "example": problem.example}
