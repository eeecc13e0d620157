"""The Record: what happened to one call. Ledger row, span, metrics and log line are readers of it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from time import time_ns
from types import MappingProxyType
from typing import Any, Final


class Record:
    """One call from its arrival to the last byte of its answer. Holds no credential and no unredacted value.

    Times are nanoseconds since the epoch; durations are milliseconds. `outcome` is one of `ok`, `refused`,
    `client_gone`, `outcome_unknown`; it is empty while the call is under way. `deviations` says where the reply
    was off the tool's contract, in the words of its schema; `shaped` how much was left out of it. `replayed` is the
    call whose answer was given again, and `cache` how: `hit`, `joined`, `stale`, or `miss`. `restored` says how many
    values of each kind were put back into the arguments, which show their pseudonyms. `aside` is what went along with
    them: of MCP the answers to what a server wanted to know, its state, a task, and others' members of `_meta`.
    `cost` is what is known of the call's price, `budgets` how much of each was used with it, in per cent. `once` is
    the name of the action and what became of it, `undo` the tool that takes the call back, as far as that can be
    done. Of a call that the sidecar made itself, `ordered` says who wanted it, `undoes` which call it took back,
    `resends` which it is again, and `settles` of which it asks whether it was done. `batch` is the Record of the
    batch that the call came in. `leaked` are the backends whose credential, which the sidecar sends, stood in the
    answer before it was taken out. `mcp` tells of a message of MCP: its `method`, the protocol's `revision`, its `id`
    where it merely counts, a keyed hash of its `session`, the `uri` of a declared resource, and the `error` that it
    was answered with.

    A field that was not set stands in the class alone, so making a Record and reading it out costs only what it says.
    """

    call: str
    started_ns: int
    door: str = ""
    batch: str = ""
    protocol: str = ""
    run: str = ""
    step: int = 0
    principal: str = ""
    agent: str = ""
    user: str = ""
    chain: tuple[str, ...] = ()
    model: str = ""
    roles: tuple[str, ...] = ()
    trace: str = ""
    tool: str = ""
    effect: str = ""
    method: str = ""
    arguments_hash: str = ""
    arguments: Any = None
    aside: Any = None
    reason: str = ""
    decision: str = ""
    rules: tuple[str, ...] = ()
    revision: str = ""
    cache: str = ""
    replayed: str = ""
    approval: str = ""
    approval_state: str = ""
    waived: Mapping[str, str] = MappingProxyType({})
    checks: list[str]
    passed_unchecked: list[str]
    notes: list[str]
    deviations: Sequence[str] = ()
    status: int = 0
    code: str = ""
    executed: str = "no"
    outcome: str = ""
    upstream_status: int = 0
    attempts: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    result_hash: str = ""
    cost: Mapping[str, int | str] = MappingProxyType({})
    budgets: Mapping[str, int] = MappingProxyType({})
    redactions: Mapping[str, int] = MappingProxyType({})
    leaked: tuple[str, ...] = ()
    warnings: Mapping[str, int] = MappingProxyType({})
    shaped: Mapping[str, int] = MappingProxyType({})
    restored: Mapping[str, int] = MappingProxyType({})
    once: Mapping[str, Any] = MappingProxyType({})
    undo: str = ""
    ordered: str = ""
    undoes: str = ""
    resends: str = ""
    settles: str = ""
    mcp: Mapping[str, int | str] = MappingProxyType({})
    upstream_ms: float = 0.0
    clean_ms: float = 0.0
    total_ms: float = 0.0

    def __init__(self, call: str, started_ns: int, door: str = "", **said: Any) -> None:
        self.call, self.started_ns, self.door = call, started_ns, door
        self.checks, self.passed_unchecked, self.notes = [], [], []
        if said:
            self.say(said)

    def say(self, said: Mapping[str, Any]) -> None:
        """Set fields by their names. TypeError for one that no Record has."""
        if unknown := said.keys() - self.__annotations__.keys():
            raise TypeError(f"a Record has no {', '.join(sorted(unknown))}")
        vars(self).update(said)

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Record:
        """The Record that an entry of the ledger was written from."""
        return cls(**{name: value for name, value in entry.items() if name in cls.__annotations__})

    def as_dict(self) -> dict[str, Any]:
        """The Record as plain JSON values, without the fields that say nothing."""
        return {**_LEAST, **{name: value for name, value in vars(self).items() if value}}


_LEAST: Final[Mapping[str, Any]] = {
    "call": "",
    "started_ns": 0,
    "step": 0,
    "status": 0,
    "executed": "no",
    "outcome": "",
    "attempts": 0,
}
"""What each Record says, also where it is nothing."""


def veiled(before: Any, after: Any, now: Any) -> Any:
    """`now`, which was made of `after`, with all that was put back as it stood `before`."""
    if before == after and type(before) is type(after):
        return now
    kinds = {type(before), type(after), type(now)}
    if kinds == {dict} and before.keys() == after.keys() == now.keys():
        return {name: veiled(before[name], after[name], now[name]) for name in now}
    if kinds == {list} and len(before) == len(after) == len(now):
        return [veiled(*each) for each in zip(before, after, now, strict=True)]
    return before


def new_id() -> str:
    """The id of a call, sortable by time: 12 hex digits of milliseconds, then 64 random bits."""
    return f"{time_ns() // 1_000_000:012x}{random.getrandbits(64):016x}"
