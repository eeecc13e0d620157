"""Every key of a rules folder, misspelt and doubled: what the loader must refuse, and in which line."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from rules.dialects import DRAFT202012
from rules.forms import form_of
from rules.load import RulesError, load
from rules.shape import Either, Form, JsonSchema, Many, Shape, Table
from tests.counts import every_third


@dataclass(frozen=True)
class Mutation:
    """One changed file of a folder: its new text, and the line where a problem must be reported."""

    file: str
    key: str
    kind: str
    line: int
    text: str


def check_mutations(source: Path, scratch: Path) -> int:
    """Every mutation of the folder must fail to load with a problem in the right line; returns how many there are.

    The short form tries every third.
    """
    good = scratch / "good"
    shutil.copytree(source, good)
    load(good)
    found = list(mutations(source))
    for mutation in every_third(found):
        (good / mutation.file).write_text(mutation.text)
        with pytest.raises(RulesError) as caught:
            load(good)
        lines = {one.line for one in caught.value.problems if one.file == mutation.file}
        assert mutation.line in lines, f"{mutation.kind} {mutation.key}: {caught.value}"
        shutil.copy(source / mutation.file, good / mutation.file)
    return len(found)


def mutations(folder: Path) -> Iterator[Mutation]:
    """All mutations of all YAML files right under a folder.

    Names of the author's choice (tools, arguments, data) are doubled but not misspelt: another name is no mistake.
    """
    for path in sorted(folder.glob("*.yaml")):
        text = path.read_text()
        keys = frozenset(key.value for key, _ in yaml.compose(text).value)
        yield from mutations_of(path.name, text, form_of(keys))


def mutations_of(file: str, text: str, form: Form) -> Iterator[Mutation]:
    """All mutations of one file of this form."""
    for key, flow, fixed in _keys(yaml.compose(text), form):
        yield _doubled(file, text, key, flow)
        if fixed:
            yield _misspelt(file, text, key)


def _misspelt(file: str, text: str, key: Any) -> Mutation:
    middle = key.start_mark.index + len(key.value) // 2
    letter = "q" if text[middle] != "q" else "z"
    return Mutation(file, key.value, "misspelt", key.start_mark.line + 1, text[:middle] + letter + text[middle + 1 :])


def _doubled(file: str, text: str, key: Any, flow: bool) -> Mutation:
    at, column = key.start_mark.index, key.start_mark.column
    written = text[at : key.end_mark.index]
    extra = f"{written}: 0, " if flow else f"{written}: 0\n{' ' * column}"
    line = key.start_mark.line + (1 if flow else 2)
    return Mutation(file, key.value, "doubled", line, text[:at] + extra + text[at:])


def _keys(node: Any, shape: Shape | None) -> Iterator[tuple[Any, bool, bool]]:
    """Each key with whether it stands in braces, and whether the format fixes its name."""
    if isinstance(shape, Either):
        shape = shape.mapping
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _keys(item, shape.item if isinstance(shape, Many) else None)
    if not isinstance(node, yaml.MappingNode):
        return
    if isinstance(shape, Many):
        shape = shape.item
    if isinstance(shape, JsonSchema):
        yield from _schema_keys(node)
        return
    for key, value in node.value:
        yield key, bool(node.flow_style), isinstance(shape, Form)
        yield from _keys(value, _below(shape, key.value))


def _below(shape: Shape | None, key: str) -> Shape | None:
    if isinstance(shape, Form) and key in shape.keys:
        return shape.keys[key].shape
    return shape.item if isinstance(shape, Table) else None


def _schema_keys(node: Any) -> Iterator[tuple[Any, bool, bool]]:
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        yield key, bool(node.flow_style), True
        form = DRAFT202012.keywords.get(key.value, "data")
        if form == "map":
            for name, below in value.value:
                yield name, bool(value.flow_style), False
                yield from _schema_keys(below)
        elif form == "schemas":
            for below in value.value:
                yield from _schema_keys(below)
        elif form == "schema":
            yield from _schema_keys(value)
        else:
            yield from _keys(value, None)
