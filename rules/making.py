"""Arguments that fit a contract, made from the contract alone: never from what a caller sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from math import ceil, floor
from typing import Any, Final

import jsonschema_rs

from rules.patterns import MOST_TEXT, matching
from rules.problems import NO_EXAMPLE
from rules.samples import FORMATS, Guide, Node, step

ATTEMPTS: Final = 8
"""Ways that are tried: branches of `anyOf` and `oneOf`, with `if` and without, with the author's examples or not."""

_MOST_NODES: Final = 1_000
"""Places that all attempts together may fill, at some 20 us each. Contracts of real APIs need some tens."""

_MOST_DEPTH: Final = 16
_MOST_ITEMS: Final = 20
_MOST_WORDS: Final = 200
"""Subschemas that speak about one place."""

_ORDER: Final = ("object", "array", "string", "number", "integer", "boolean", "null")
_HINTS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("properties", "required", "additionalProperties", "minProperties"), "object"),
    **dict.fromkeys(("items", "prefixItems", "minItems", "contains"), "array"),
    **dict.fromkeys(("minimum", "maximum", "multipleOf", "exclusiveMinimum", "exclusiveMaximum"), "number"),
}
_LOCAL: Final = frozenset(
    {
        *("type", "const", "enum", "format", "pattern", "minLength", "maxLength", "minimum", "maximum"),
        *("exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    }
)
"""Keywords that speak about one value without looking into it."""


class _Cannot(Exception):
    """This attempt leads nowhere."""


def make(guide: Guide, fits: Callable[[Any], bool], path: Sequence[str | int] = ()) -> Any:
    """Arguments that fit and hold a value at `path`, or NO_EXAMPLE. `fits` is the contract's own answer."""
    left = [_MOST_NODES]
    for number in range(ATTEMPTS):
        try:
            made = _Attempt(guide, number, left).value(guide.root(), path, 0)
        except (_Cannot, OverflowError):  # the latter of bounds that no double holds
            continue
        if fits(made) and at(made, path) is not NO_EXAMPLE:
            return made
    return NO_EXAMPLE


def at(value: Any, path: Sequence[str | int]) -> Any:
    """What lies at a place of a value, or NO_EXAMPLE."""
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return NO_EXAMPLE
    return value


class _Attempt:
    """One way to fill a schema. `number` says which branches are taken and which values are preferred; `left` is the
    one budget of all attempts."""

    def __init__(self, guide: Guide, number: int, left: list[int]) -> None:
        self._guide = guide
        self._branch, self._otherwise = divmod(number, 2)
        self._left = left

    def value(self, places: Iterable[Node], path: Sequence[str | int], depth: int, variant: int = 0) -> Any:
        """A value for the place that these subschemas speak about. Raises _Cannot."""
        self._left[0] -= 1
        if self._left[0] < 0 or depth > _MOST_DEPTH:
            raise _Cannot
        nodes = self._all(places)
        words = [here for _, here in nodes]
        if not path and (shown := list(_shown(words, self._otherwise))):
            return shown[variant % len(shown)]
        kind = _kind(words, path)
        if kind == "object":
            return self._object(nodes, words, path, depth)
        return self._array(nodes, words, path, depth) if kind == "array" else _leaf(words, kind, variant)

    def _all(self, places: Iterable[Node]) -> list[Node]:
        """Every subschema that has to fit: `$ref`, `allOf`, and one branch of each choice."""
        todo, found, seen = list(places), list[Node](), set[int]()
        while todo:
            base, here = todo.pop(0)
            if here is False or len(found) > _MOST_WORDS:
                raise _Cannot
            if not isinstance(here, dict) or id(here) in seen:
                continue
            seen.add(id(here))
            found.append((base, here))
            target = self._guide.follow(here, base)
            todo += [target] if target else []
            todo += [(base, one) for one in self._chosen(here)]
        return found

    def _chosen(self, here: Mapping[str, Any]) -> Iterator[Any]:
        yield from here.get("allOf", ())
        for word in ("anyOf", "oneOf"):
            if branches := here.get(word):
                yield branches[min(self._branch, len(branches) - 1)]
        if "if" in here:
            yield from (here["if"], here.get("then", True)) if self._otherwise else (here.get("else", True),)

    def _object(
        self, nodes: list[Node], words: list[Mapping[str, Any]], path: Sequence[str | int], depth: int
    ) -> dict[str, Any]:
        wanted = _wanted(words)
        declared = dict.fromkeys(name for here in words for name in here.get("properties", ()))
        if path:
            if path[0] not in declared and not any("additionalProperties" in here for here in words):
                raise _Cannot  # another branch may speak of it
            wanted.setdefault(str(path[0]))
        missing = max(_least(words, "minProperties") - len(wanted), 0)
        wanted.update(dict.fromkeys(islice((name for name in declared if name not in wanted), missing)))
        order = [name for name in declared if name in wanted] + [name for name in wanted if name not in declared]
        return {
            name: self.value(_below(nodes, name), path[1:] if path[:1] == (name,) else (), depth + 1) for name in order
        }

    def _array(
        self, nodes: list[Node], words: list[Mapping[str, Any]], path: Sequence[str | int], depth: int
    ) -> list[Any]:
        least = max(_least(words, "minItems"), int(any("contains" in here for here in words)))
        # One item shows more than none; in a tree of arrays that would have no end.
        place = path[0] if path and isinstance(path[0], int) else -1
        count = max(least, place + 1, 1 if depth < 4 and not self._otherwise else 0)
        count = min(count, _most(words, "maxItems", count))
        if count > _MOST_ITEMS:
            raise _Cannot
        made = []
        for index in range(count):
            held = [(base, here["contains"]) for base, here in nodes if "contains" in here]
            rest = path[1:] if index == place else ()
            made.append(self.value([*_below(nodes, index), *held], rest, depth + 1, index))
        return made


def _below(nodes: Iterable[Node], part: str | int) -> list[Node]:
    return [(base, one) for base, here in nodes for one in step(here, part)]


def _wanted(words: Iterable[Mapping[str, Any]]) -> dict[str, None]:
    """The names that have to be there, and those that must come with them."""
    wanted = dict.fromkeys(name for here in words for name in _names(here.get("required")))
    for _ in range(len(wanted) + 1):
        more = [
            name
            for here in words
            for given, names in {**_dict(here.get("dependencies")), **_dict(here.get("dependentRequired"))}.items()
            if given in wanted
            for name in _names(names)
        ]
        wanted.update(dict.fromkeys(more))
    return wanted


def _least(words: Iterable[Mapping[str, Any]], word: str) -> int:
    """The strictest of lower bounds. JSON Schema takes 3.0 for a whole number."""
    return max((int(here[word]) for here in words if word in here), default=0)


def _most(words: Iterable[Mapping[str, Any]], word: str, otherwise: int) -> int:
    return min((int(here[word]) for here in words if word in here), default=otherwise)


def _names(value: Any) -> list[str]:
    return value if isinstance(value, list) else []


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _kind(words: Sequence[Mapping[str, Any]], path: Sequence[str | int]) -> str:
    """The type of the value: one that all allow, null last."""
    allowed = set(_ORDER)
    for here in words:
        if "type" in here:
            types = here["type"] if isinstance(here["type"], list) else [here["type"]]
            allowed &= {*types, *(("integer",) if "number" in types else ())}
    if not allowed:
        raise _Cannot
    if path:
        return "array" if isinstance(path[0], int) else "object"
    said = any("type" in here for here in words)
    hint = next((_HINTS[word] for here in words for word in here if word in _HINTS), "string")
    return next(kind for kind in _ORDER if kind in allowed and (said or kind == hint or hint not in allowed))


def _shown(words: Sequence[Mapping[str, Any]], otherwise: int) -> Iterator[Any]:
    """What an author wrote and what fits as far as one can see here. Every second attempt does without examples."""
    for here in words:
        shown = [] if otherwise else [*([here["default"]] if "default" in here else []), *here.get("examples", [])[:3]]
        shown += [here["const"]] if "const" in here else here.get("enum", [])[:_MOST_ITEMS]
        yield from (value for value in shown if all(_fits(one, value) for one in words))


def _leaf(words: Sequence[Mapping[str, Any]], kind: str, variant: int) -> Any:
    """Text, a number, true or null. `variant` tells the items of an array apart."""
    if kind in ("boolean", "null"):
        return variant % 2 == 0 if kind == "boolean" else None
    made = _texts(words) if kind == "string" else _numbers(words, kind == "integer")
    fitting: list[Any] = []
    for value in made:
        if value not in fitting and all(_fits(here, value) for here in words):
            fitting.append(value)
        if len(fitting) > variant:
            break
    if not fitting:
        raise _Cannot
    return fitting[-1]


def _texts(words: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    least, most = _least(words, "minLength"), _most(words, "maxLength", MOST_TEXT)
    patterns = [here["pattern"] for here in words if "pattern" in here]
    yield from (FORMATS[here["format"]] for here in words if here.get("format") in FORMATS)
    if least > MOST_TEXT:
        raise _Cannot
    for more in (0, 1, 2, 3, max(least - 1, 0), least):
        yield from (matching(pattern, more) for pattern in patterns)
    plain = ("text " * (least // 5 + 1))[: max(least, min(most, 4))]
    yield from (plain if plain.strip() == plain else "x" * least, "x" * max(least, 1))
    yield from (f"{plain[: max(most - 2, 0)]}{number}" for number in range(2, 2 + _MOST_ITEMS))


def _numbers(words: Sequence[Mapping[str, Any]], whole: bool) -> Iterator[int | float]:
    """Numbers near the bounds, those that are multiples among them."""
    grid = max((here["multipleOf"] for here in words if "multipleOf" in here), default=1)
    bounds: list[float] = []
    for word, up in (("minimum", 1), ("exclusiveMinimum", 1), ("maximum", -1), ("exclusiveMaximum", -1)):
        said = [here[word] for here in words if isinstance(here.get(word), int | float)]
        for bound in (one for one in said if not isinstance(one, bool)):
            near = (ceil(bound / grid) if up == 1 else floor(bound / grid)) * grid
            bounds += [near, near + up * grid]
            bounds += [] if whole else [bound, bound + up * grid / 2, bound + up * 1e-6]
    start = bounds[0] if bounds else grid
    for number in (*bounds, *(start + index * grid for index in range(_MOST_ITEMS)), 0):
        yield int(number) if float(number).is_integer() else number


def _fits(here: Mapping[str, Any], value: Any) -> bool:
    """Whether one value fits what is said of it alone."""
    said = {word: here[word] for word in here if word in _LOCAL and not isinstance(here[word], bool)}
    try:
        return jsonschema_rs.Draft202012Validator(
            said, offline=True, validate_formats=True, pattern_options=jsonschema_rs.RegexOptions()
        ).is_valid(value)
    except (ValueError, jsonschema_rs.ReferencingError):
        return False
