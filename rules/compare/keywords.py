"""The keywords of JSON Schema that hold schemas, and how each is compared (2020-12, sections 10 and 11 of the core).

A handler gives the gaps of one keyword of a wide schema against narrow schemas that were spread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

from rules.compare.places import (
    CHOICES,
    ITEMS,
    OTHERS,
    Gap,
    Path,
    declared,
    dicts,
    matches,
    may_match,
    of_index,
    of_name,
    of_others,
    of_pattern,
    patterns,
    plain_of,
    said,
)
from rules.compare.scalars import ALL, atoms, beyond, follows, listed, values
from rules.compare.side import Here, Side, as_dict, as_list, bare, same
from rules.documents import ROOT

if TYPE_CHECKING:
    from rules.compare.subset import Comparison

Gaps = Iterator[Gap]
Nodes = list[Here]
Marks = tuple[frozenset[str], dict[str, list[Any]]]
"""The types of a branch, and for members that it requires the few values that each can have."""


def simple(run: Comparison, word: str, wide: Here, nodes: Nodes, path: Path) -> Gaps:
    """A keyword that holds no schemas."""
    plain, asked = plain_of(nodes), wide[1][word]
    few = values(plain)
    if few is not None:
        if more := beyond(wide[1], word, few):
            yield Gap(path, word, asked, more if word in ("enum", "const") else said(nodes, word))
    elif not follows(word, asked, plain):
        own = said(nodes, word)
        yield Gap(path, word, asked, own, sure=own is None or word not in ("pattern", "format"))


def unknown(run: Comparison, word: str, wide: Here, nodes: Nodes, path: Path) -> Gaps:
    """A keyword whose meaning is not compared: it is the same, or the answer is open."""
    if not any(run.is_same(wide, word, here) for here in dicts(nodes)):
        yield Gap(path, word, wide[1][word], said(nodes, word), sure=False)


def _whole(run: Comparison, word: str, wide: Here, nodes: Nodes, path: Path) -> Gaps:
    """A keyword that hangs on its neighbours: it follows where the whole schema is the same."""
    own = bare(wide[1])
    for here in dicts(nodes):
        if bare(here[1]).keys() == own.keys() and all(run.is_same(wide, each, here) for each in own):
            return
    yield Gap(path, word, wide[1][word], said(nodes, word), sure=False)


def _ref(run: Comparison, word: str, wide: Here, nodes: Nodes, path: Path) -> Gaps:
    """Where `$ref` leads was spread already; what leads nowhere can only be the same."""
    if run.wide.follow(wide[0], wide[1]["$ref"]) is None:
        yield from unknown(run, word, wide, nodes, path)


def _required(run: Comparison, word: str, wide: Here, nodes: Nodes, path: Path) -> Gaps:
    has = {name for node in plain_of(nodes) for name in as_list(node.get("required"))}
    yield from (Gap((*path, name), "required", True) for name in wide[1]["required"] if name not in has)


def _properties(run: Comparison, word: str, wide: Here, nodes: Nodes, path: Path) -> Gaps:
    for name, schema in wide[1]["properties"].items():
        yield from run.gaps((wide[0], schema), of_name(nodes, name), (*path, name))


def _additional(run: Comparison, word: str, wide: Here, nodes: Nodes, path: Path) -> Gaps:
    own, by_pattern = as_dict(wide[1].get("properties")), as_dict(wide[1].get("patternProperties"))
    others = (wide[0], wide[1]["additionalProperties"])
    for name in declared(nodes):
        if name not in own and not any(matches(pattern, name) for pattern in by_pattern):
            yield from run.gaps(others, of_name(nodes, name), (*path, name))
    for pattern in patterns(nodes):
        if pattern not in by_pattern:
            yield from run.gaps(others, of_pattern(nodes, pattern), (*path, pattern))
    yield from run.gaps(others, of_others(nodes), (*path, OTHERS))


def _pattern_properties(run: Comparison, word: str, wide: Here, nodes: Nodes, path: Path) -> Gaps:
    for pattern, schema in wide[1]["patternProperties"].items():
        asked = (wide[0], schema)
        for name in declared(nodes):
            if may_match(pattern, name):
                yield from run.gaps(asked, of_name(nodes, name), (*path, name))
        yield from run.gaps(asked, of_pattern(nodes, pattern), (*path, pattern))


def _names(run: Comparison, word: str, wide: Here, nodes: Nodes, path: Path) -> Gaps:
    own: Nodes = [(base, node[word]) for base, node in dicts(nodes) if word in node]
    yield from run.gaps((wide[0], wide[1][word]), [*own, (ROOT, _TYPES["string"])], (*path, OTHERS))


def _items(run: Comparison, word: str, wide: Here, nodes: Nodes, path: Path) -> Gaps:
    asked, first = (wide[0], wide[1]["items"]), len(as_list(wide[1].get("prefixItems")))
    longest = max((len(as_list(node.get("prefixItems"))) for node in plain_of(nodes)), default=0)
    for index in range(first, longest):
        yield from run.gaps(asked, of_index(nodes, index), (*path, str(index)))
    yield from run.gaps(asked, of_index(nodes, max(first, longest)), (*path, ITEMS))


def _prefix(run: Comparison, word: str, wide: Here, nodes: Nodes, path: Path) -> Gaps:
    for index, schema in enumerate(wide[1]["prefixItems"]):
        yield from run.gaps((wide[0], schema), of_index(nodes, index), (*path, str(index)))


def _contains(run: Comparison, word: str, wide: Here, nodes: Nodes, path: Path) -> Gaps:
    """An item that fits a narrower schema is one that fits; with bounds on how many, all has to be the same."""
    counted = wide[1].keys() & {"minContains", "maxContains"}
    for here in dicts(nodes):
        base, node = here
        if counted and all(run.is_same(wide, each, here) for each in (*counted, word)):
            return
        asked = (wide[0], wide[1][word])
        sought = not counted and word in node and node.get("minContains") != 0
        if sought and run.proved(asked, [(base, node[word])], (*path, ITEMS)):
            return
    yield Gap(path, word, wide[1][word], said(nodes, word), sure=said(nodes, word) is None)


def _any_of(run: Comparison, word: str, wide: Here, nodes: Nodes, path: Path) -> Gaps:
    branches = [(wide[0], branch) for branch in wide[1][word]]
    if word == "oneOf" and not _apart(run.wide, branches):
        yield from unknown(run, word, wide, nodes, path)
    elif not any(run.proved(branch, nodes, path) for branch in branches) and not _by_type(run, branches, nodes, path):
        yield from _lost_branches(run, word, branches, nodes, path)


def _by_type(run: Comparison, branches: Nodes, nodes: Nodes, path: Path) -> bool:
    """Whether the values of each type fit into some branch, as `type: [string, "null"]` into a branch for each."""
    types = atoms(plain_of(nodes))
    cases = [[*nodes, (ROOT, _TYPES[name])] for name in sorted(types)] if 1 < len(types) < len(ALL) else []
    return bool(cases) and all(any(run.proved(branch, case, path) for branch in branches) for case in cases)


def _lost_branches(run: Comparison, word: str, branches: Nodes, nodes: Nodes, path: Path) -> Gaps:
    """The branches of a narrow schema that fit into no wide one; one of the same name is compared closely."""
    choices = [(here, each) for here in dicts(nodes) for each in CHOICES if as_list(here[1].get(each))]
    if not choices:
        yield Gap(path, word, [name_of(branch) for _, branch in branches], sure=False)
        return
    (base, node), choice = choices[0]
    rest = run.rest(nodes, (base, node), choice)
    for one in node[choice]:
        lying = [*rest, (base, one)]
        if not any(run.proved(branch, lying, path) for branch in branches):
            twins = [branch for branch in branches if name_of(branch[1]) == name_of(one)]
            near = list(run.gaps(twins[0], lying, path)) if twins else []
            yield from near or [Gap(path, word, None, [name_of(one)])]


def _apart(side: Side, branches: Nodes) -> bool:
    """Whether surely no value fulfils two branches, by types or by a member that tells them apart."""
    marks = [_marks(side, branch) for branch in branches]
    return all(_differ(one, other) for one, other in combinations(marks, 2))


def _marks(side: Side, branch: Here) -> Marks:
    nodes = side.spread([branch])
    plain = plain_of(nodes)
    required = {name for node in plain for name in as_list(node.get("required"))}
    told = {name: listed(plain_of(side.spread(of_name(nodes, name)))) for name in required}
    return atoms(plain), {name: few for name, few in told.items() if few is not None}


def _differ(one: Marks, other: Marks) -> bool:
    types = one[0] & other[0]
    names = one[1].keys() & other[1].keys()
    return not types or (types == {"object"} and any(_disjoint(one[1][name], other[1][name]) for name in names))


def _disjoint(some: list[Any], others: list[Any]) -> bool:
    return not any(same(one, other) for one in some for other in others)


def name_of(branch: Any) -> str:
    """How to speak of a branch: what it refers to, or its type."""
    if not isinstance(branch, dict):
        return "anything" if branch is True else "nothing"
    if isinstance(branch.get("$ref"), str):
        return str(branch["$ref"]).rpartition("/")[2].removesuffix(".json")
    types = branch.get("type")
    told = " or ".join(map(str, types)) if isinstance(types, list) else types
    return str(branch.get("title") or told or "another form")


def _not(run: Comparison, word: str, wide: Here, nodes: Nodes, path: Path) -> Gaps:
    """`not` turns the sides round."""
    for base, node in dicts(nodes):
        if word in node and run.proved_turned((base, node[word]), (wide[0], wide[1][word])):
            return
    yield Gap(path, word, wide[1][word], said(nodes, word), sure=False)


def _if(run: Comparison, word: str, wide: Here, nodes: Nodes, path: Path) -> Gaps:
    """`if` with `then` and `else`: the same condition, and each branch follows."""
    words = [each for each in ("then", "else") if each in wide[1]]
    for here in dicts(nodes):
        base, node = here
        if run.is_same(wide, word, here):
            pairs = [(wide[1][each], [(base, node[each])] if each in node else []) for each in words]
            if all(run.proved((wide[0], asked), [*nodes, *given], path) for asked, given in pairs):
                return
    if words:
        yield Gap(path, word, sure=False)


def _dependent(run: Comparison, word: str, wide: Here, nodes: Nodes, path: Path) -> Gaps:
    for name, schema in wide[1][word].items():
        given = [(base, node[word][name]) for base, node in dicts(nodes) if name in as_dict(node.get(word))]
        if not run.proved((wide[0], schema), [*nodes, *given], path):
            yield Gap((*path, name), word, sure=False)


def _dependent_required(run: Comparison, word: str, wide: Here, nodes: Nodes, path: Path) -> Gaps:
    always = {one for node in plain_of(nodes) for one in as_list(node.get("required"))}
    for name, asked in wide[1][word].items():
        given = {one for node in plain_of(nodes) for one in as_list(as_dict(node.get(word)).get(name))}
        if missing := [one for one in asked if one not in given | always]:
            yield Gap((*path, name), word, missing)


_TYPES: Final = {name: {"type": "number" if name == "fraction" else name} for name in ALL}
WITH_OTHERS: Final = frozenset(("then", "else", "minContains", "maxContains", "allOf"))
"""Keywords that are looked at together with another one."""

TOGETHER: Final[Mapping[str, tuple[str, ...]]] = {
    "additionalProperties": ("properties", "patternProperties"),
    "items": ("prefixItems",),
    "contains": ("minContains", "maxContains"),
    "if": ("then", "else"),
}
"""Keywords on which the meaning of another one hangs."""

HANDLERS: Final[Mapping[str, Callable[[Comparison, str, Here, Nodes, Path], Gaps]]] = {
    "$ref": _ref,
    "required": _required,
    "properties": _properties,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional,
    "propertyNames": _names,
    "items": _items,
    "prefixItems": _prefix,
    "contains": _contains,
    "anyOf": _any_of,
    "oneOf": _any_of,
    "not": _not,
    "if": _if,
    "dependentSchemas": _dependent,
    "dependentRequired": _dependent_required,
    **dict.fromkeys(("unevaluatedProperties", "unevaluatedItems"), _whole),
}
