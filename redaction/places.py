"""Where in a JSON value findings are, for those who must be told of it without a value."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from redaction.walk import MOST_DEEP

Kinds = Callable[[Any], frozenset[str]]
"""The kinds of what is found in a JSON value. It may raise Unreadable."""

Place = tuple[tuple[str | int, ...], frozenset[str]]
HIDDEN = "*"
"""What stands in a place for a name that holds a finding itself."""


def places(value: Any, kinds: Kinds) -> list[Place]:
    """The smallest parts of a value that hold findings, as steps from its top, with the kinds that are in each."""
    everything = kinds(value)
    if not everything:
        return []
    found = list(_places(value, kinds, (), MOST_DEEP))
    # What only shows in the whole, such as a name's meaning for what lies far below it.
    rest = everything.difference(*(seen for _, seen in found))
    return [*found, ((), rest)] if rest else found


def _places(value: Any, kinds: Kinds, path: tuple[str | int, ...], deep: int) -> Iterator[Place]:
    found = kinds(_under(path, value))
    if not found:
        return
    if deep and isinstance(value, dict | list) and value:
        inner = list(_inner(value, kinds, path, deep - 1))
        rest = found.difference(*(seen for _, seen in inner))
        yield from inner
        if rest:
            yield path, rest
    else:
        yield path, found


def _inner(value: dict[str, Any] | list[Any], kinds: Kinds, path: tuple[str | int, ...], deep: int) -> Iterator[Place]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _places(item, kinds, (*path, index), deep)
        return
    for name, item in value.items():
        if hidden := kinds(name):
            yield (*path, HIDDEN), hidden
        yield from _places(item, kinds, (*path, HIDDEN if hidden else name), deep)


def _under(path: Sequence[str | int], value: Any) -> Any:
    """The value under the name it stands under, which tells what it is."""
    name = next((step for step in reversed(path) if isinstance(step, str)), None)
    return value if name is None else {name: value}
