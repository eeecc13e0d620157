"""Shapes: one description of what a file may hold, read by the loader and by the published JSON Schema alike."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rules.problems import closest, listed, type_of
from rules.source import LoadProblem, Node

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZES: Final = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
DURATION: Final = r"^([1-9][0-9]{0,8}(\.[0-9]{1,9})?|0\.[0-9]{0,8}[1-9])(ms|s|m|h|d)$"
SIZE: Final = r"^[1-9][0-9]{0,8}(B|KiB|MiB|GiB)$"
MOST_SIZE: Final = 10**18
"""Bytes. Like the longest SIZE it fits the 64 bits in which libraries count."""


@dataclass(frozen=True, slots=True)
class Text:
    """Text that is not empty; `pattern` is an anchored regular expression, `like` says it in words."""

    pattern: str = r"^(.|\n)+$"
    like: str = "text that is not empty"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words."""

    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false."""


@dataclass(frozen=True, slots=True)
class Size:
    """A number of bytes: `65536` or `64KiB`."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number from `least` to `most`; a `whole` one is written without a fraction."""

    least: int
    most: int
    whole: bool = True

    @property
    def like(self) -> str:
        """What it is, in words."""
        return f"a {'whole ' * self.whole}number from {self.least} to {self.most}"


@dataclass(frozen=True, slots=True)
class Anything:
    """Any JSON value: data of the author's own."""


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """A JSON Schema; what is in it is checked when it is compiled. With `optional` it may say `optional: true`."""

    optional: bool = False


@dataclass(frozen=True, slots=True)
class Many:
    """A list with at least one item. With `or_one` a single item may stand without a list."""

    item: Shape
    or_one: bool = False


@dataclass(frozen=True, slots=True)
class Either:
    """A mapping or list, or something simpler."""

    simple: Shape
    mapping: Shape


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping whose keys are names of the author's choice."""

    item: Shape
    names: str = r"^.+$"
    like: str = "a name"
    may_be_empty: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a Form: what it holds and what it is for."""

    shape: Shape
    says: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """A mapping with fixed keys. Of each group in `one_of` exactly one key has to be there, of `at_most_one` one may.

    `later` are keys that the design knows but this version has no guard for, `elsewhere` those that other files know,
    each with what to do.
    """

    keys: Mapping[str, Key]
    one_of: tuple[str, ...] = ()
    at_most_one: tuple[str, ...] = ()
    later: frozenset[str] = field(default_factory=frozenset)
    may_be_empty: bool = False
    elsewhere: Mapping[str, str] = field(default_factory=dict)


Shape = Text | Choice | Flag | Size | Number | Anything | JsonSchema | Many | Either | Table | Form


def check(node: Node, shape: Shape) -> Iterator[LoadProblem]:
    """Everything in which a value departs from its shape."""
    match shape:
        case Text(pattern, like):
            yield from _check_text(node, pattern, like)
        case Choice(options):
            yield from _check_choice(node, options)
        case Flag() if not isinstance(node.value, bool):
            yield _is_not(node, "true or false")
        case Size():
            yield from _check_size(node)
        case Number():
            yield from _check_number(node, shape)
        case JsonSchema(optional):
            yield from _check_json_schema(node, optional)
        case Many():
            yield from _check_many(node, shape)
        case Either(simple, mapping):
            yield from check(node, mapping if isinstance(node.value, dict | list) else simple)
        case Table():
            yield from _check_table(node, shape)
        case Form():
            yield from _check_form(node, shape)
        case _:
            pass


def _is_not(node: Node, wanted: str, hint: str = "") -> LoadProblem:
    return node.problem(f"is {type_of(node.value)}, must be {wanted}", hint)


def _check_text(node: Node, pattern: str, like: str) -> Iterator[LoadProblem]:
    if not isinstance(node.value, str):
        yield _is_not(node, like, "put it into quotes" if _would_fit(node.value, pattern) else "")
    elif not re.fullmatch(pattern, node.value):
        yield node.problem(f"must be {like}")


def _would_fit(value: Any, pattern: str) -> bool:
    """Whether quotes around it would help. `10` is no duration in quotes either."""
    if isinstance(value, bool | int | float):
        return re.fullmatch(pattern, str(value).lower()) is not None
    return value is not None


def _check_choice(node: Node, options: tuple[str, ...]) -> Iterator[LoadProblem]:
    if node.value not in options:
        near = closest(node.value, options) if isinstance(node.value, str) else ""
        hint = f"did you mean {near}?" if near else ""
        yield node.problem(f"must be one of: {listed(options)}", hint)


def _check_size(node: Node) -> Iterator[LoadProblem]:
    value = node.value
    is_number = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MOST_SIZE
    if not is_number and not (isinstance(value, str) and re.fullmatch(SIZE, value)):
        yield node.problem("must be a size", "such as 65536, 64KiB or 1MiB")


def _check_number(node: Node, shape: Number) -> Iterator[LoadProblem]:
    value = node.value
    is_number = isinstance(value, int if shape.whole else int | float) and not isinstance(value, bool)
    if not is_number:
        yield _is_not(node, shape.like)
    elif not shape.least <= value <= shape.most:
        yield node.problem(f"must be {shape.like}")


def _check_json_schema(node: Node, optional: bool) -> Iterator[LoadProblem]:
    said = node.get("optional") if optional else None
    if said:
        yield from check(said, Flag())
    if not isinstance(node.value, dict | bool):
        yield _is_not(node, "a JSON Schema", "such as {type: string}")


def _check_many(node: Node, shape: Many) -> Iterator[LoadProblem]:
    if not isinstance(node.value, list):
        if shape.or_one:
            yield from check(node, shape.item)
        else:
            empty = node.value is None
            yield _is_not(node, "a list", "leave the key out" if empty else "put it into square brackets")
        return
    if not node.value:
        yield node.problem("is an empty list", "leave the key out, or name at least one")
    for item in node.value:
        yield from check(item, shape.item)


def _check_table(node: Node, shape: Table) -> Iterator[LoadProblem]:
    if not isinstance(node.value, dict):
        yield _is_not(node, "a mapping")
        return
    if not node.value and not shape.may_be_empty:
        yield node.problem("is empty", "leave the key out, or name at least one")
    for name, below in node.value.items():
        if not re.fullmatch(shape.names, name):
            yield node.key_problem(name, f"must be {shape.like}")
        yield from check(below, shape.item)


def _check_form(node: Node, form: Form) -> Iterator[LoadProblem]:
    if not isinstance(node.value, dict):
        yield _is_not(node, f"a mapping with the keys {', '.join(form.keys)}")
        return
    for name, below in node.value.items():
        if name in form.keys:
            yield from check(below, form.keys[name].shape)
        else:
            yield _unknown(node, name, form)
    yield from _missing(node, form)


def _unknown(node: Node, name: str, form: Form) -> LoadProblem:
    if name in form.later:
        return node.key_problem(name, "this version has no guard for it", "remove it: a rule must not promise it")
    if name in form.elsewhere:
        return node.key_problem(name, "has no place here", form.elsewhere[name])
    near = closest(name, form.keys)
    hint = f"did you mean {near}?" if near else f"known are: {', '.join(form.keys)}"
    return node.key_problem(name, "is an unknown key", hint)


def _missing(node: Node, form: Form) -> Iterator[LoadProblem]:
    if not node.value and not form.may_be_empty and not form.one_of:
        yield node.problem("is empty", f"leave it out, or use one of: {', '.join(form.keys)}")
    for name, key in form.keys.items():
        if key.required and name not in node.value:
            yield node.problem(f"lacks the key {name}", key.says)
    chosen = [name for name in form.one_of if name in node.value]
    if form.one_of and len(chosen) != 1:
        yield node.problem(f"needs exactly one of the keys {', '.join(form.one_of)}")
    if len([name for name in form.at_most_one if name in node.value]) > 1:
        yield node.problem(f"may have only one of the keys {', '.join(form.at_most_one)}")


def duration(text: str) -> float:
    """Seconds of a checked duration such as `15m`."""
    number = text.rstrip("".join(_UNITS))
    return float(number) * _UNITS[text[len(number) :]]


def size(value: int | str) -> int:
    """Bytes of a checked size such as `64KiB`."""
    if isinstance(value, int):
        return value
    number = re.sub(r"\D", "", value)
    return int(number) * _SIZES[value[len(number) :]]
