"""A CEL expression as a tree, read from what the compiler serializes.

That is a `cel.expr.CheckedExpr` (cel-spec, proto/cel/expr/checked.proto and syntax.proto) in a
`google.protobuf.Any`, in the wire format of Protocol Buffers. Macros such as `all` are expanded there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

Fields = dict[int, list[Any]]
"""A message: each field's number with its values, integers or bytes."""

What = Literal["const", "ident", "select", "has", "call", "list", "map", "loop", "unknown"]


@dataclass(frozen=True, slots=True)
class Expr:
    """One node. `name` is that of a variable, member or function, `value` that of a constant.

    The parts are: of a call its target, where it has one, and its arguments; of a select or has its operand; of a map
    keys and values in turn; of a loop the range, the first accumulator, the step and the result, where `name` is the
    element's variable and `value` the accumulator's.
    """

    what: What
    name: str = ""
    value: Any = None
    parts: tuple[Expr, ...] = ()


UNKNOWN = Expr("unknown")


def parse(serialized: bytes) -> Expr:
    """The tree of a compiled expression. Raises ValueError where it is none."""
    checked = _message(_one(_message(serialized), 2, b""))
    return _expr(_one(checked, 4, b""))


def _expr(data: bytes) -> Expr:
    message = _message(data)
    for number, read in ((3, _const), (4, _ident), (5, _select), (6, _call), (7, _list), (8, _map), (9, _loop)):
        if number in message:
            return read(_message(_one(message, number, b"")))
    return UNKNOWN


def _const(message: Fields) -> Expr:
    if 1 in message:
        return Expr("const", value=None)
    if 2 in message:
        return Expr("const", value=bool(_one(message, 2, 0)))
    if 3 in message:
        return Expr("const", value=_signed(_one(message, 3, 0)))
    if 4 in message:
        return Expr("const", "uint", value=_one(message, 4, 0))
    if 5 in message:
        return Expr("const", value=struct.unpack("<d", _one(message, 5, b""))[0])
    if 6 in message:
        return Expr("const", value=_one(message, 6, b"").decode())
    return UNKNOWN


def _ident(message: Fields) -> Expr:
    return Expr("ident", _text(message, 1))


def _select(message: Fields) -> Expr:
    return Expr("has" if _one(message, 3, 0) else "select", _text(message, 2), parts=tuple(_below(message, 1)))


def _call(message: Fields) -> Expr:
    return Expr("call", _text(message, 2), parts=(*_below(message, 1), *_below(message, 3)))


def _list(message: Fields) -> Expr:
    return Expr("list", parts=tuple(_below(message, 1)))


def _map(message: Fields) -> Expr:
    entries = [_message(entry) for entry in message.get(2, [])]
    return Expr("map", parts=tuple(part for entry in entries for number in (3, 4) for part in _below(entry, number)))


def _loop(message: Fields) -> Expr:
    parts = tuple(part for number in (2, 4, 6, 7) for part in _below(message, number))
    if len(parts) != 4 or 8 in message:
        return UNKNOWN
    return Expr("loop", _text(message, 1), _text(message, 3), parts)


def _below(message: Fields, number: int) -> Iterator[Expr]:
    yield from map(_expr, message.get(number, []))


def _text(message: Fields, number: int) -> str:
    return str(_one(message, number, b"").decode())


def _one(message: Fields, number: int, default: Any) -> Any:
    value = message.get(number, [default])[-1]
    if type(value) is not type(default):
        raise ValueError("a field has another type")
    return value


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _message(data: bytes) -> Fields:
    """The fields of a message. Integers stand as they are, all else as bytes."""
    found: Fields = {}
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        value: int | bytes
        if tag & 7 == 0:
            value, at = _varint(data, at)
        else:
            length, at = (8, at) if tag & 7 == 1 else (4, at) if tag & 7 == 5 else _varint(data, at)
            value, at = data[at : at + length], at + length
        if at > len(data) or tag & 7 in (3, 4, 6, 7):
            raise ValueError("no message of Protocol Buffers")
        found.setdefault(tag >> 3, []).append(value)
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("no message of Protocol Buffers")
