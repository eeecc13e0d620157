"""Operations that share method and path: what tells their requests apart."""

from __future__ import annotations

from collections.abc import Iterable

from rules.openapi.tools import Made

CHOICE = "Toolwall-Tool"
"""The header by which an agent names the tool, where nothing else in a request does."""


def tell_apart(made: Iterable[Made], backend: str) -> None:
    """Write `picked_by` into tools that the same request could mean.

    A publisher that writes `/#X-Amz-Target=Get` means a header or query name with that value. Where operations differ
    in nothing that is sent, the first is meant, and the others by a header that names them.
    """
    groups: dict[str, list[Made]] = {}
    for one in made:
        groups.setdefault(one.shape, []).append(one)
    for group in groups.values():
        if len(group) > 1 and not _by_marks(group):
            _by_name(group, backend)


def _by_marks(group: list[Made]) -> bool:
    """Whether one header or query name, which all declare, tells all of them apart."""
    for mark in group[0].marks:
        values = [one.marks.get(mark) for one in group]
        places = {one.wires.get(mark) for one in group}
        if None not in values and len(set(values)) == len(group) and len(places) == 1 and None not in places:
            for one in group:
                _pick(one, one.wires[mark], mark, one.marks[mark])
            return True
    return False


def _by_name(group: list[Made], backend: str) -> None:
    group.sort(key=lambda one: "#" in one.operation.path)
    first = group[0]
    for one in group[1:]:
        _pick(one, "header", CHOICE, f"{backend}.{one.name}")
        told = f"its requests look like those of {first.name}: to mean this one, send the header {CHOICE}"
        one.warnings.append(told)


def _pick(one: Made, place: str, name: str, value: str) -> None:
    rules = dict(one.rules)
    one.rules.clear()
    for key, said in rules.items():
        one.rules[key] = said
        if key == "call":
            one.rules["picked_by"] = {place: {name: value}}
