"""Terms: how long a backend may take, how often it is asked, how much at once, and when it is left alone."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Any, Final

from rules.shape import DURATION, Choice, Either, Form, Key, Many, Number, Text, duration
from rules.source import LoadProblem, Node

_Duration: Final = Text(DURATION, "a duration such as 500ms, 10s or 15m")
_Share: Final = Text(r"^(100|[1-9][0-9]?)%$", "a share such as 50%")

TIMEOUT: Final = Either(
    _Duration,
    Form(
        {
            "connect": Key(_Duration, "To a connection, waiting for a free one included; bounds.connect without it."),
            "first_byte": Key(
                _Duration, "From the request to the first byte of its answer; only the total without it."
            ),
            "idle": Key(_Duration, "Between two pieces of an answer; bounds.upstream_idle without it."),
            "total": Key(
                _Duration,
                "All attempts, and the answer to its last byte; 30s for reads and 60s for others without it.",
            ),
        }
    ),
)
RETRY: Final = Form(
    {
        "attempts": Key(Number(1, 10), "Requests for one call at most; 2 without it."),
        "wait": Key(_Duration, "The longest wait before the second; it doubles with each further; 200ms without it."),
        "most_wait": Key(_Duration, "What these waits do not grow beyond; 5s without it."),
    }
)
BREAKER: Final = Either(
    Choice(("off",)),
    Form(
        {
            "failures": Key(_Share, "The share of failed requests at which the backend is left alone; 50% without it."),
            "slower_than": Key(_Duration, "From when on a request counts as slow. Without it none does."),
            "slow": Key(_Share, "The share of slow requests at which the backend is left alone; 80% without it."),
            "window": Key(Number(2, 1_000), "How many requests of the last minute are looked at; 20 without it."),
            "open": Key(_Duration, "How long the backend is left alone; 30s without it."),
            "probes": Key(Number(1, 100), "How many requests have to succeed then; 3 without it."),
        }
    ),
)
PROBE_PATH: Final = r"^/[!$&'()*+,\-./0-9:;=?@A-Z_a-z~%]*$"
_ProbePath: Final = Text(PROBE_PATH, "a path below the backend's url, such as /healthz")
PROBE: Final = Either(
    _ProbePath,
    Form(
        {
            "path": Key(_ProbePath, "What is asked for with GET, below the backend's url.", required=True),
            "every": Key(_Duration, "The pause between two requests; 10s without it, and at least 100ms."),
            "timeout": Key(_Duration, "How long one may take, from the connection to the head of its answer; 2s."),
            "status": Key(
                Many(Number(100, 599), or_one=True), "What a healthy backend answers with; 200 to 399 without it."
            ),
        }
    ),
)
BULKHEAD: Final = Form(
    {
        "at_once": Key(Number(1, 100_000), "Requests to the backend under way at once; 50 without it."),
        "queue": Key(Number(0, 100_000), "Calls that wait for a place; 100 without it."),
        "wait": Key(_Duration, "How long a call waits for a place; 2s without it."),
    }
)
TOTAL_S: Final = {"read": 30.0}
"""How long a call may take when nobody says otherwise, by its effect: an agent's own client gives up soon after."""

WRITE_TOTAL_S: Final = 60.0
"""The same for every other effect: to give up on a write leaves it unknown whether it happened, so it gets longer."""


EVERY_S: Final = 10.0
LEAST_EVERY_S: Final = 0.1
"""The usual pause between two probes, and the shortest: they are not to be what a backend is busy with."""
PATIENCE_S: Final = 2.0
WELL: Final = range(200, 400)


@dataclass(frozen=True, slots=True)
class Waits:
    """The limits of the phases of a call, in seconds; None where the sidecar's own bounds hold."""

    connect_s: float | None = None
    first_byte_s: float | None = None
    idle_s: float | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """At most `attempts` requests for one call. Waits are drawn from 0 to `wait_s`, doubled each time."""

    attempts: int = 2
    wait_s: float = 0.2
    most_wait_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Breaker:
    """When a backend is left alone: shares from 0 to 1 of the last `window` requests. Nothing is slow without
    `slower_than_s`: nobody but the author knows what is slow for a backend."""

    failures: float = 0.5
    slow: float = 0.8
    slower_than_s: float | None = None
    window: int = 20
    open_s: float = 30.0
    probes: int = 3


@dataclass(frozen=True, slots=True)
class Bulkhead:
    """How many requests a backend gets at once, and how many calls wait for how long."""

    at_once: int = 50
    queue: int = 100
    wait_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Probe:
    """How a backend is asked whether it is well: with GET, each `every_s` seconds, for `timeout_s` at most. It is where
    it answers with one of `statuses`."""

    path: str
    every_s: float = EVERY_S
    timeout_s: float = PATIENCE_S
    statuses: Container[int] = WELL


NO_WAITS: Final = Waits()
RETRIES: Final = Retry()
BREAKS: Final = Breaker()
BULKHEADS: Final = Bulkhead()


def read_timeout(own: Node | None, default: Node | None, effect: str) -> tuple[float, Waits]:
    """The total in seconds and the phases of a tool: its own, else its backend's, else ours, key by key."""
    said = {**_phases(default), **_phases(own)}
    total = said.get("total") or TOTAL_S.get(effect, WRITE_TOTAL_S)
    return total, Waits(said.get("connect"), said.get("first_byte"), said.get("idle"))


def _phases(node: Node | None) -> dict[str, float]:
    if node is None:
        return {}
    pairs = node.items()
    return {name: duration(each.value) for name, each in pairs} if pairs else {"total": duration(node.value)}


def beyond(node: Node | None) -> list[LoadProblem]:
    """Phases under one `timeout` that would never count, since its total ends before them."""
    if node is None:
        return []
    said = _phases(node)
    wrong = [name for name in ("connect", "first_byte") if said.get(name, 0) > said.get("total", float("inf"))]
    return [node.key_problem(name, "is longer than `total`, which ends the call before") for name in wrong]


def read_retry(own: Node | None, default: Node | None) -> Retry:
    """How often a tool's backend is asked: its own terms, else its backend's, else ours, key by key."""
    said = _said(default) | _said(own)
    wait, most = said.get("wait", RETRIES.wait_s), said.get("most_wait", RETRIES.most_wait_s)
    return Retry(said.get("attempts", RETRIES.attempts), wait, most)


def read_breaker(node: Node | None) -> Breaker | None:
    """When a backend is left alone; None where it never is."""
    if node is not None and not node.items():
        return None
    said = _said(node)
    return Breaker(
        failures=said.get("failures", BREAKS.failures),
        slow=said.get("slow", BREAKS.slow),
        slower_than_s=said.get("slower_than"),
        window=said.get("window", BREAKS.window),
        open_s=said.get("open", BREAKS.open_s),
        probes=said.get("probes", BREAKS.probes),
    )


def read_probe(node: Node | None, breaker: Breaker | None) -> tuple[Probe | None, list[LoadProblem]]:
    """How a backend is asked whether it is well, None where it is not; and what is wrong with that."""
    if node is None:
        return None, []
    said, statuses = dict(node.items()) or {"path": node}, frozenset(each.value for each in node.under("status"))
    every, timeout = (duration(said[name].value) if name in said else None for name in ("every", "timeout"))
    probe = Probe(
        path=said["path"].value,
        every_s=EVERY_S if every is None else every,
        timeout_s=PATIENCE_S if timeout is None else timeout,
        statuses=statuses or WELL,
    )
    problems = [node.problem("would tell nobody, since `breaker` is off")] if breaker is None else []
    if probe.every_s < LEAST_EVERY_S:
        problems.append(node.key_problem("every", "is too short", "take at least 100ms"))
    return probe, problems


def read_bulkhead(node: Node | None) -> Bulkhead:
    """How much a backend gets at once."""
    said = _said(node)
    wait = said.get("wait", BULKHEADS.wait_s)
    return Bulkhead(said.get("at_once", BULKHEADS.at_once), said.get("queue", BULKHEADS.queue), wait)


def _said(node: Node | None) -> dict[str, Any]:
    """The keys that are there; durations in seconds, shares from 0 to 1."""
    return {name: _number(each.value) for name, each in node.items()} if node else {}


def _number(value: Any) -> float | int:
    if isinstance(value, int):
        return value
    return int(value[:-1]) / 100 if value.endswith("%") else duration(value)
