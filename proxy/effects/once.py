"""Once: what is known of an action, and what follows from it for a call that asks for the same. Nothing but rules.

An action is what a key stands for. It is free until a call asks for it; while that call is under way others wait for
it; and what became of it decides for all that come later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

import orjson

from proxy.errors import Refusal
from proxy.record import Record
from proxy.replies.answers import Answer

State = Literal["done", "declined", "unknown", "again", "undone"]
"""`done`: it was carried out. `declined`: the backend said no, and the same call would hear the same. `unknown`: it may
have been carried out. `again`: somebody found out that it was not, and it may be asked for again. `undone`: taken back
since it was done."""

Next = Literal["send", "replay", "clash", "doubt", "undone"]

_BESIDES: Final = frozenset(
    {"via", "forwarded", "traceparent", "tracestate", "accept", "accept-language", "content-type"}
)
"""Headers that change nothing in what is done, or that speak of the arguments alone."""
_BODY: Final = Answer._fields.index("body")


class Held(NamedTuple):
    """What became of an action: `call` is the id of the call that asked for it, `first` of the first one that did,
    which the key at the backend is made of. `asked` is what was asked for, as a hash, `at` when, in seconds since the
    epoch, `run` in which run, `revision` by which rules. `status` is that of the backend's answer, 0 without one, and
    `answer` what may be given again.
    """

    call: str
    first: str
    asked: str
    at: float
    run: str
    revision: str
    state: State
    status: int = 0
    answer: Answer | None = None


def following(held: Held | None, asked: str) -> Next:
    """What is to be done with a call that asks for this, where nobody is at it."""
    if held is None or held.state == "again":
        return "send"
    if held.asked != asked:
        return "send" if held.state in ("declined", "undone") else "clash"
    if held.state == "undone":
        return "undone"
    return "doubt" if held.state == "unknown" else "replay"


def answered(status: int, not_done: Collection[int]) -> State | None:
    """What became of an action that the backend answered with a status; None where nothing was done."""
    if status in not_done:
        return None
    if status >= 500:
        return "unknown"
    return "declined" if status >= 400 else "done"


def broken(record: Record, sent: bool, error: BaseException, not_done: Collection[int]) -> State | None:
    """What became of an action whose call ended without an answer that could be given."""
    if not sent or (isinstance(error, Refusal) and error.executed == "no"):
        return None
    if isinstance(error, Refusal) and error.executed == "yes":
        return "done"
    return answered(record.upstream_status, not_done) if record.upstream_status else "unknown"


def canonical(value: Any) -> Any:
    """The value with each whole number as an integer, so that 1.0 asks for what 1 asks for, as in RFC 8785; the very
    same object where that changes nothing.
    """
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, Mapping):
        each = {name: canonical(one) for name, one in value.items()}
        return value if all(each[name] is one for name, one in value.items()) else each
    if isinstance(value, list):
        items = [canonical(one) for one in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    return value


def named(hashed: Callable[[Any], str], parts: Sequence[Any]) -> bytes:
    """The name of an action, by a keyed hash: nobody finds out what it is made of."""
    return bytes.fromhex(hashed(["once", *parts]))


def acting(headers: Collection[tuple[str, str]], query_keys: Collection[tuple[str, str]] = ()) -> str:
    """What of a request belongs to what is asked for besides its arguments: the caller's own credential, in its headers
    or its query, and conditions."""
    pairs = [*sorted(pair for pair in headers if pair[0] not in _BESIDES), *query_keys]
    return hashlib.blake2b(orjson.dumps(pairs), digest_size=16).hexdigest()


def sealed(held: Held) -> bytes:
    """As it is stored: a line of JSON, then the body of the answer."""
    answer, body = held.answer, b""
    if answer is not None:
        body = answer.body
        said = [*answer._replace(body=b"", redactions=dict(answer.redactions))]
        said[_BODY] = ""
    return orjson.dumps([*held[:-1], None if answer is None else said]) + b"\n" + body


def unsealed(data: bytes) -> Held:
    """What was stored."""
    head, _, body = data.partition(b"\n")
    *fields, said = orjson.loads(head)
    if said is None:
        return Held._make([*fields, None])
    answer = Answer(*said)
    headers = tuple((name, value) for name, value in answer.headers)
    return Held._make([*fields, answer._replace(body=body, headers=headers, checks=tuple(answer.checks))])
