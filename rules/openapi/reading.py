"""Reading a document as its publishers meant it: JSON, or YAML as it is found in the wild.

Rules files are read strictly (see rules.source), documents of others leniently: anchors, aliases and merge keys are
followed, tags are ignored, keys are text (`200:`, `on:`, `no:`), dates stay text, tabs between tokens are spaces.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from rules.source import scalar

try:
    from yaml import CLoader as Loader
except ImportError:  # a PyYAML that was built without libyaml
    from yaml import Loader  # type: ignore[assignment]

MOST_BYTES: Final = 64 * 1024 * 1024
"""Of one document. The largest public ones have some 12 MB."""

MOST_DEPTH: Final = 200
"""Nesting of a document: reading recurses. Real ones stay under 60."""

MOST_VALUES: Final = 4_000_000
"""Values of one document after its aliases are written out, so that a small file cannot fill the memory."""

_HALF: Final = re.compile("[\ud800-\udfff]")

_QUOTED: Final = frozenset(("'", '"', "|", ">"))


class BadDocument(ValueError):
    """A document that cannot be read or imported: where, what, and what to do about it."""


def parse(name: str, data: bytes) -> tuple[Any, list[str]]:
    """The value of a document (keys are text) and warnings. Raises BadDocument."""
    if len(data) > MOST_BYTES:
        raise BadDocument(f"{name}: is larger than {MOST_BYTES} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadDocument(f"{name}:{line}:1: is not UTF-8 (save the file as UTF-8)") from None
    if text.lstrip()[:1] in ("{", "["):
        value = _json(text)
        if value is not None:
            return value
    return _yaml(name, text)


def _json(text: str) -> tuple[Any, list[str]] | None:
    """The value of JSON text with its duplicate keys as warnings; None where it is no JSON, but may be flow YAML."""
    twice: list[str] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        read = dict(pairs)
        if len(read) != len(pairs):
            names = [name for name, _ in pairs]
            twice.append(next(name for name in names if names.count(name) > 1))
        return read

    try:
        value = json.loads(text, object_pairs_hook=members, parse_constant=str)
        if "\\ud" in text.lower():
            value = _whole(value)
    except (ValueError, RecursionError):
        return None
    return value, [f"the key {name} stands twice; the last one counts" for name in sorted(set(twice))]


def _whole(value: Any) -> Any:
    """The value with a mark where half a surrogate pair stands, which no YAML and no UTF-8 can hold."""
    if isinstance(value, dict):
        return {_HALF.sub("\ufffd", key): _whole(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_whole(below) for below in value]
    return _HALF.sub("\ufffd", value) if isinstance(value, str) else value


def _yaml(name: str, text: str) -> tuple[Any, list[str]]:
    for attempt in (text, text.expandtabs(2)):
        try:
            builder = _Builder(yaml.parse(attempt, Loader=Loader))
            return builder.document(), builder.warnings
        except yaml.MarkedYAMLError as error:
            problem = error
            if "\t" not in attempt:
                break
        except yaml.YAMLError as error:
            raise BadDocument(f"{name}: is not YAML: {str(error).partition(chr(10))[0]}") from None
    mark = problem.problem_mark or problem.context_mark
    where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
    raise BadDocument(f"{name}{where}: is neither JSON nor YAML: {problem.problem or problem.context}")


class _Builder:
    """Builds plain values from the events of one YAML document."""

    def __init__(self, events: Iterator[Any]) -> None:
        self.events = events
        self.warnings: list[str] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._count = 0

    def document(self) -> Any:
        """The first document; what follows it is not read."""
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                return self._value(next(self.events), 0)
        return None

    def _value(self, event: Any, depth: int) -> Any:
        if depth > MOST_DEPTH:
            raise yaml.MarkedYAMLError(
                problem=f"it is nested deeper than {MOST_DEPTH} levels", problem_mark=event.start_mark
            )
        before = self._count
        self._grow(1, event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(depth)
        else:
            value = self._mapping(depth)
        if event.anchor:
            self._anchors[event.anchor] = value, self._count - before
        return value

    def _grow(self, count: int, event: Any) -> None:
        self._count += count
        if self._count > MOST_VALUES:
            raise yaml.MarkedYAMLError(
                problem=f"it holds more than {MOST_VALUES} values", problem_mark=event.start_mark
            )

    def _alias(self, event: Any) -> Any:
        if event.anchor not in self._anchors:
            raise yaml.MarkedYAMLError(problem="an alias has no anchor before it", problem_mark=event.start_mark)
        value, count = self._anchors[event.anchor]
        self._grow(count, event)
        return value

    def _sequence(self, depth: int) -> list[Any]:
        values = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            values.append(self._value(event, depth + 1))
        return values

    def _mapping(self, depth: int) -> dict[str, Any]:
        members: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self._key(event, depth)
            value = self._value(next(self.events), depth + 1)
            if key == "<<" and event.style not in _QUOTED:
                merged = {**merged, **_merged(value)}
                continue
            if key in members:
                self.warnings.append(
                    f"line {event.start_mark.line + 1}: the key {key} stands twice; the last one counts"
                )
            members[key] = value
        return {**merged, **members}

    def _key(self, event: Any, depth: int) -> str:
        if isinstance(event, yaml.ScalarEvent):
            if event.anchor:
                self._anchors[event.anchor] = event.value, 1
            return str(event.value)
        return str(self._value(event, depth + 1))


def _scalar(event: Any) -> Any:
    if event.style in _QUOTED:
        return event.value
    try:
        value = scalar(event.value)
    except ValueError:  # more digits than Python reads
        return event.value
    return event.value if isinstance(value, float) and not math.isfinite(value) else value


def _merged(value: Any) -> dict[str, Any]:
    """What a merge key brings (yaml.org/type/merge.html): of several mappings the first wins."""
    found: dict[str, Any] = {}
    for one in value if isinstance(value, list) else [value]:
        found = {**(one if isinstance(one, dict) else {}), **found}
    return found
