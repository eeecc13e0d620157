"""Places of a JSON text that are left as they are, or that alone are looked at, whatever is found elsewhere.

A place is named by a pattern of pointers (`/items/*/id`) or by the name of members, wherever they are; what stands
there counts with all that is in it. The way goes on through strings that hold JSON, as if their value stood there.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from redaction import walk
from redaction.finding import Finding, Hit, merged
from redaction.pointers import Path, Pointers
from redaction.search import MOST_OPENED
from redaction.unwrap import JSON, unwrap

ALL: Final = frozenset({"*"})
"""Instead of kinds: every kind."""


class Sparing(NamedTuple):
    """What is spared: places with the kinds that are left there, or ALL; and where alone is looked, if that is said."""

    left: frozenset[tuple[str, frozenset[str]]] = frozenset()
    only: frozenset[str] = frozenset()


NOTHING_SPARED: Final = Sparing()

Find = Callable[[frozenset[str]], list[Hit]]
"""What is found in a text but for some kinds."""

_Place = tuple[int, int]


class _Places:
    """A set of patterns and names. Raises BadPointer."""

    def __init__(self, places: Iterable[str]) -> None:
        both = list(places)
        self._pointers = Pointers(each for each in both if each.startswith("/"))
        self._names = frozenset(each for each in both if not each.startswith("/"))

    def cover(self, path: Path) -> bool:
        return not self._names.isdisjoint(each for each in path if isinstance(each, str)) or self._pointers.covers(path)


class Spare:
    """A Sparing, ready for use. Raises BadPointer."""

    def __init__(self, sparing: Sparing) -> None:
        kinds = {each for _, each in sparing.left}
        self._left = [(each, _Places(place for place, said in sparing.left if said == each)) for each in kinds]
        self._only = _Places(sparing.only) if sparing.only else None

    def at(self, path: Path | None) -> frozenset[str]:
        """The kinds that are left at a place, or ALL; none in a place that is in doubt."""
        if path is None:
            return frozenset()
        if self._only and not self._only.cover(path):
            return ALL
        left = [kinds for kinds, places in self._left if places.cover(path)]
        return ALL if ALL in left else frozenset[str]().union(*left)

    def hits(self, text: str, find: Find) -> list[Hit]:
        """What is to be taken out of a valid JSON text: in each place what is found but for the kinds left there."""
        found = list(self._divided(text, find(frozenset())))
        sets = {kinds for kinds, _ in found}
        kept = [hit for kinds, hit in found if not kinds]
        for kinds in sorted(sets - {ALL, frozenset()}, key=sorted):
            kept = merged(kept, [hit for each, hit in self._divided(text, find(kinds)) if each == kinds])
        return merged(kept, [])

    def _divided(self, text: str, hits: list[Hit]) -> Iterator[tuple[frozenset[str], Hit]]:
        """The hits, divided by what is left where their findings are."""
        paths = _paths(text, hits)
        for hit, within in zip(hits, paths, strict=True):
            by_kinds: dict[frozenset[str], list[Finding]] = {}
            for finding, path in zip(hit.findings, within, strict=True):
                by_kinds.setdefault(self.at(path), []).append(finding)
            yield from ((kinds, hit._replace(findings=some)) for kinds, some in by_kinds.items())


def _paths(text: str, hits: list[Hit]) -> list[list[Path | None]]:
    """Where each finding is; None where a name occurs twice in one object, so that readers may differ."""
    outer = walk.paths(text, {hit.start for hit in hits})
    if outer is None:
        return [[None] * len(hit.findings) for hit in hits]
    made: list[list[Path | None]] = []
    for hit in hits:
        inner: list[Path | None] = [()] * len(hit.findings)
        if not (hit.is_name or hit.is_number):
            places = [(each.start - hit.start, each.end - hit.start) for each in hit.findings]
            inner = _within(text[hit.start : hit.end], places, MOST_OPENED)
        made.append([None if path is None else (*outer[hit.start], *path) for path in inner])
    return made


def _within(escaped: str, places: Sequence[_Place], deep: int) -> list[Path | None]:
    """Where places of a string are in the JSON that it holds; nowhere further if it holds none."""
    flat = unwrap(escaped, JSON)
    text = flat.text
    if not deep or text[:1] not in ("{", "[") or '"' not in text or not walk.is_common(text):
        return [()] * len(places)
    leaves = list(walk.leaves(text))
    starts, ends = [leaf.start for leaf in leaves], [leaf.end for leaf in leaves]
    inside = [(flat.inner(start), flat.inner(end)) for start, end in places]
    # A number is found with its own place, a string's finding lies within its quotation marks.
    at = [bisect_right(starts, start) - 1 for start, _ in inside]
    outer = walk.paths(text, {starts[index] for index in at if index >= 0})
    made: list[Path | None] = [None] * len(places)
    for index in {*at}:
        mine = [number for number, each in enumerate(at) if each == index]
        if outer is None or index < 0 or any(inside[number][1] > ends[index] for number in mine):
            continue
        leaf, inner = leaves[index], list[Path | None]([()] * len(mine))
        if not (leaf.is_name or leaf.is_number):
            some = [(inside[number][0] - leaf.start, inside[number][1] - leaf.start) for number in mine]
            inner = _within(text[leaf.start : leaf.end], some, deep - 1)
        for number, path in zip(mine, inner, strict=True):
            made[number] = None if path is None else (*outer[leaf.start], *path)
    return made
