"""The Record: what happened to one call. Ledger row, span, metrics and log line are readers of it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any


@dataclass(slots=True)
class Record:
    """One call from its arrival to the last byte of its answer. Holds no credential and no unredacted value.

    Times are nanoseconds since the epoch; durations are milliseconds. `outcome` is one of `ok`, `refused`,
    `client_gone`, `outcome_unknown`; it is empty while the call is under way. `deviations` says where the reply
    was off the tool's contract, in the words of its schema.
    """

    call: str
    started_ns: int
    door: str = ""
    protocol: str = ""
    run: str = ""
    step: int = 0
    principal: str = ""
    agent: str = ""
    model: str = ""
    roles: tuple[str, ...] = ()
    trace: str = ""
    tool: str = ""
    effect: str = ""
    method: str = ""
    arguments_hash: str = ""
    arguments: Any = None
    reason: str = ""
    decision: str = ""
    rules: tuple[str, ...] = ()
    revision: str = ""
    approval: str = ""
    approval_state: str = ""
    waived: dict[str, str] = field(default_factory=dict)
    checks: list[str] = field(default_factory=list)
    passed_unchecked: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    deviations: list[str] = field(default_factory=list)
    status: int = 0
    code: str = ""
    executed: str = "no"
    outcome: str = ""
    upstream_status: int = 0
    attempts: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    result_hash: str = ""
    redactions: dict[str, int] = field(default_factory=dict)
    upstream_ms: float = 0.0
    clean_ms: float = 0.0
    total_ms: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """The Record as plain JSON values, without the fields that say nothing."""
        return {name: value for name, value in zip(_NAMES, _values(self), strict=True) if value or name in _ALWAYS}


_ALWAYS = frozenset({"call", "started_ns", "status", "executed", "outcome", "attempts", "step"})
_NAMES = tuple(each.name for each in fields(Record))
_values = attrgetter(*_NAMES)
