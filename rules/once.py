"""Once: how a call with effects is known again, so that it is done once however often it is asked for."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rules.schema import Contract
from rules.shape import DURATION, Form, Key, Many, Number, Text, duration
from rules.source import LoadProblem, Node
from rules.wire import Slots

SAME_S: Final = 600.0
"""How long the same call is taken for a repeat: an agent that tries again does so within minutes."""

NAMED_S: Final = 24 * 3600.0
"""The same for a call whose key is given: the key itself says that it is one action."""

NOT_DONE: Final = frozenset({408, 409, 425, 429})
"""Statuses by which a backend says that it did nothing yet (RFC 9110, 15.5; RFC 8470; RFC 6585)."""

_HOLE: Final = re.compile(r"\{([^{}]*)\}")
_ARGUMENT: Final = re.compile(r"args\.(.+)")
_HEADER: Final = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$"
_NOT_OURS: Final = frozenset(
    {"accept", "accept-encoding", "accept-language", "authorization", "connection", "content-encoding",
     "content-length", "content-type", "cookie", "expect", "forwarded", "host", "keep-alive", "proxy-authorization",
     "te", "trailer", "transfer-encoding", "traceparent", "tracestate", "upgrade", "via"}
)  # fmt: skip
"""Headers that mean something else."""

IDEMPOTENCY: Final = Form(
    {
        "key": Key(
            Text(r"^[^{}\x00-\x1f\x7f]*(\{args\.[^{}]+\}[^{}\x00-\x1f\x7f]*){1,8}$", "text with {args.NAME} in it"),
            "What tells one action from another, such as refund-{args.order_id}.",
        ),
        "header": Key(
            Text(_HEADER, "the name of a header"), "The header in which the backend takes a key and honours it."
        ),
        "window": Key(
            Text(DURATION, "a duration such as 500ms, 10s or 15m"),
            "For how long a repeat is known; 10m, or 24h with a key.",
        ),
        "not_done": Key(
            Many(Number(400, 599)),
            "Statuses by which this backend says that it did nothing; 408, 409, 425 and 429 without it.",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Once:
    """`key` are texts and names of arguments in turn, beginning and ending with a text; empty where the same call is
    known by all of its arguments. `header` (in lower case) takes the key to a backend that honours it. `window_s` is
    for how long a repeat is known, None for our own.
    """

    key: tuple[str, ...] = ()
    header: str = ""
    window_s: float | None = None
    not_done: frozenset[int] = NOT_DONE

    def named(self, arguments: Mapping[str, Any]) -> list[Any]:
        """The key of a call as its parts; empty without one in the contract."""
        return [arguments[part] if place % 2 else part for place, part in enumerate(self.key)]

    def lasts_s(self, named: bool) -> float:
        """For how long a repeat is known, of a call that has a key of its own or none."""
        return self.window_s if self.window_s is not None else NAMED_S if named else SAME_S


def read_once(
    node: Node, effect: str, contract: Contract, headers: Collection[str], slots: Slots
) -> tuple[Once | None, list[LoadProblem]]:
    """The keys `idempotency` and `repeatable` of a tool, whose form was checked, and what is wrong with them.

    None where two equal calls are two actions, and for reads. `headers` are those that are arguments, in lower case.
    """
    repeatable, said = node.get("repeatable"), node.get("idempotency")
    if effect == "read":
        wrong = [name for name in ("repeatable", "idempotency") if node.get(name)]
        return None, [
            node.at((name,), "is for tools with effects, and this one reads", "leave it out") for name in wrong
        ]
    if repeatable and repeatable.value:
        clash = [said.problem("cannot be used where the tool is repeatable", "leave one of them out")] if said else []
        return None, clash
    if said is None:
        return Once(), []
    key, problems = _key(said.get("key"), contract)
    header, wrong_header = _header(said.get("header"), headers, slots)
    window, not_done = said.get("window"), said.get("not_done")
    once = Once(
        key,
        header,
        duration(window.value) if window else None,
        frozenset(each.value for each in not_done.each()) if not_done else NOT_DONE,
    )
    return once, problems + wrong_header


def _key(node: Node | None, contract: Contract) -> tuple[tuple[str, ...], list[LoadProblem]]:
    if node is None:
        return (), []
    parts = _HOLE.split(node.value)
    for place in range(1, len(parts), 2):
        found = _ARGUMENT.fullmatch(parts[place])
        parts[place] = found.group(1) if found else ""
    required = contract.schema.get("required") or ()
    missing = [name for name in parts[1::2] if name not in required]
    hint = "name arguments that every call has"
    return tuple(parts), [node.problem(f"args.{name} is no required argument of this tool", hint) for name in missing]


def _header(node: Node | None, headers: Collection[str], slots: Slots) -> tuple[str, list[LoadProblem]]:
    if node is None:
        return "", []
    name = node.value.lower()
    if name in _NOT_OURS or name.startswith(("toolwall-", "if-")):
        return name, [node.problem("is a header that means something else", "such as Idempotency-Key")]
    if name in headers:
        return name, [
            node.problem("is an argument of this tool", "leave the argument out: the key is made outside the model")
        ]
    if name in slots.headers:
        return name, [node.problem("holds the caller's credential", "name another header")]
    if name in slots.ours:
        return name, [node.problem("holds the credential that the sidecar sends", "name another header")]
    return name, []
