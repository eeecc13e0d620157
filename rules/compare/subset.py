"""Is every value that one JSON Schema allows allowed by another one too? Where not, in which places?

Deciding this exactly is out of reach, so an answer is either proved or left open: no gap means that the narrow schema
allows nothing beyond the wide one. References may form cycles, so a pair of schemas that is being compared already is
taken as proved for a value that lies deeper: induction over the depth of the value makes that sound, and a gap
anywhere in the cycle is told where it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rules.compare.keywords import HANDLERS, TOGETHER, WITH_OTHERS, simple, unknown
from rules.compare.places import CHOICES, Gap, Path, is_impossible, plain_of
from rules.compare.scalars import FOLLOWS, SPEAKS_OF, atoms
from rules.compare.side import NOTES, Here, Side, TooMuch, as_list, bare, can_be_read, leads, refs, same, unchanged
from rules.documents import ROOT

MOST_STEPS: Final = 20_000
"""Pairs of places that one comparison looks at: the largest operations known have some thousands."""

Pair = tuple[int, ...]

_DONE: Final = -1
_NOTHING: Final = 1 << 60
"""Further than any pair: nothing was taken as proved."""

_LEFT_OUT: Final = ("$ref", "allOf", "unevaluatedProperties", "unevaluatedItems")
"""Keywords that were spread, and those whose meaning changes when a neighbour goes."""


@dataclass(slots=True)
class Memory:
    """What comparisons of the same two sets of documents learn for each other.

    Schemas are told apart by their identities, so `kept` holds all that was compared for as long as this lives.
    """

    proved: set[Pair] = field(default_factory=set)
    failed: set[Pair] = field(default_factory=set)
    equal: dict[tuple[int, int], bool] = field(default_factory=dict)
    made: dict[tuple[Any, ...], dict[str, Any]] = field(default_factory=dict)
    kept: list[Any] = field(default_factory=list)


def gaps(wide: Side, narrow: Side, alike: frozenset[str] | None = None, memory: Memory | None = None) -> list[Gap]:
    """Where `narrow` may allow more than `wide`; none means that it surely does not. Never raises.

    `alike` are the files that are unchanged on both sides, where the caller knows them already. With `memory`, all
    comparisons have the same documents on each side.
    """
    memory = memory or Memory()
    memory.kept += [wide, narrow]
    try:
        known = unchanged(wide.documents, narrow.documents) if alike is None else alike
        if same(wide.schema, narrow.schema) and leads(wide.schema, ROOT) <= known | {ROOT}:
            return []
        if can_be_read(wide) and can_be_read(narrow):
            run = Comparison(wide, narrow, known, memory)
            found = list(run.gaps((ROOT, wide.schema), [(ROOT, narrow.schema)], ()))
            return list({(gap.path, gap.word): gap for gap in found}.values())
    except (TooMuch, RecursionError, TypeError, ValueError, AttributeError, KeyError):  # too large, or no schema
        pass
    return [Gap((), "", sure=False)]


class Comparison:
    """One comparison: what is being compared already, what came out, and how many steps were taken."""

    def __init__(self, wide: Side, narrow: Side, alike: frozenset[str], memory: Memory) -> None:
        self.wide, self.narrow, self.alike = wide, narrow, alike
        self.steps = 0
        self._memory = memory
        # Pairs of places by the identities of their schemas. Those that are being compared, or were without an end of
        # what they lean on: the depth (_DONE at the end), and the earliest pair that was taken as proved.
        self._trail: dict[Pair, tuple[int, int]] = {}
        self._leans = _NOTHING

    def gaps(self, wide: Here, narrow: Sequence[Here], path: Path) -> Iterator[Gap]:
        """The gaps between a wide schema and narrow ones of which a value fulfils all. Raises TooMuch."""
        if wide[1] is True or any(self.is_equal(wide, each) for each in narrow):
            return
        wide, narrow = self.wide.target(wide), [self.narrow.target(each) for each in narrow]
        pair = _pair(wide, narrow)
        if pair in self._memory.proved:
            return
        if pair in self._trail:
            depth, leans = self._trail[pair]
            self._leans = min(self._leans, leans)
            if depth >= len(path):
                yield Gap(path, "$ref", sure=False)
            return
        yield from self._compared(pair, wide, narrow, path)

    def _compared(self, pair: Pair, wide: Here, narrow: Sequence[Here], path: Path) -> Iterator[Gap]:
        """Compare a pair that is met for the first time, and note what came out."""
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise TooMuch
        own, before, is_proved = len(self._trail), self._leans, True
        self._trail[pair], self._leans = (len(path), own), _NOTHING
        for gap in self._found(wide, narrow, path):
            is_proved = False
            yield gap
        if is_proved and self._leans >= own:
            self._forget(own, into=self._memory.proved)
        else:
            self._trail[pair] = _DONE, min(own, self._leans)
            before = min(before, self._leans)
        self._leans = before

    def _found(self, wide: Here, narrow: Sequence[Here], path: Path) -> Iterator[Gap]:
        nodes = self.narrow.spread(narrow)
        if not is_impossible(nodes):
            for each in self.wide.spread([wide]):
                yield from self._gaps_of(each, nodes, path)

    def proved(self, wide: Here, narrow: Sequence[Here], path: Path) -> bool:
        """Whether there is no gap. What an attempt that failed took as proved is forgotten.

        A gap stays one however much is taken as proved, so a pair that failed once is not tried again.
        """
        pair = _pair(wide, narrow)
        if pair in self._memory.failed:
            return False
        mark, leans = len(self._trail), self._leans
        if next(self.gaps(wide, narrow, path), None) is None:
            return True
        self._forget(mark)
        self._leans = leans
        self._memory.failed.add(pair)
        return False

    def proved_turned(self, wide: Here, narrow: Here) -> bool:
        """The same with the sides changed: `wide` is of the narrow side."""
        turned = Comparison(self.narrow, self.wide, self.alike, Memory())
        turned.steps = self.steps
        answer = turned.proved(wide, [narrow], ())
        self.steps = turned.steps
        return answer

    def _forget(self, mark: int, into: set[Pair] | None = None) -> None:
        while len(self._trail) > mark:
            pair, _ = self._trail.popitem()
            if into is not None:
                into.add(pair)

    def is_same(self, wide: Here, word: str, narrow: Here) -> bool:
        """Whether a keyword stands on both sides with the same meaning."""
        one, other = wide[1], narrow[1]
        if word not in one or word not in other or not same(bare({word: one[word]}), bare({word: other[word]})):
            return False
        below = {word: one[word]}
        targets = [(self.wide.follow(wide[0], ref), self.narrow.follow(narrow[0], ref)) for ref in refs(below)]
        return all(old and new and old[0] == new[0] and old[0] in self.alike for old, new in targets)

    def is_equal(self, wide: Here, narrow: Here) -> bool:
        """Whether both are the same schema, and lead to nothing that changed."""
        if not isinstance(wide[1], dict) or not isinstance(narrow[1], dict):
            return False
        pair = (id(wide[1]), id(narrow[1]))
        if pair not in self._memory.equal:
            self._memory.equal[pair] = wide[0] == narrow[0] and self._says_the_same(wide, narrow[1])
        return self._memory.equal[pair]

    def _says_the_same(self, wide: Here, other: Any) -> bool:
        # The first comparison is the faster one, and takes 1 for true.
        return bool(wide[1] == other) and same(wide[1], other) and leads(wide[1], wide[0]) <= self.alike

    def _gaps_of(self, wide: Here, nodes: list[Here], path: Path) -> Iterator[Gap]:
        """The gaps of one wide schema, without those of its `$ref` and `allOf`, which were spread."""
        node = wide[1]
        if not isinstance(node, dict):
            if node is not True:
                yield Gap(path, "false", False, plain_of(nodes))
            return
        types = atoms(plain_of(nodes))
        for word in node:
            if word in NOTES or word in WITH_OTHERS or word.startswith("x-"):
                continue
            if SPEAKS_OF.get(word, types) & types:
                yield from self._gaps_of_word(word, wide, nodes, path)

    def _gaps_of_word(self, word: str, wide: Here, nodes: list[Here], path: Path) -> Iterator[Gap]:
        handler = HANDLERS.get(word, simple if word in FOLLOWS else unknown)
        mark = len(self._trail)
        found = list(handler(self, word, wide, nodes, path))
        if (
            found
            and word not in _LEFT_OUT
            and any(as_list(node.get(choice)) for node in plain_of(nodes) for choice in CHOICES)
        ):
            self._forget(mark)
            if self._follows_by_cases(word, wide, nodes, path):
                return
        yield from found

    def _follows_by_cases(self, word: str, wide: Here, nodes: list[Here], path: Path) -> bool:
        """Whether a keyword follows in each branch of some `anyOf` or `oneOf` of the narrow side."""
        for here in nodes:
            for choice in CHOICES:
                if isinstance(here[1], dict) and as_list(here[1].get(choice)):
                    asked = (wide[0], self._part_of(wide[1], word, *TOGETHER.get(word, ())))
                    rest = self.rest(nodes, here, choice)
                    branches = [(here[0], branch) for branch in here[1][choice]]
                    if all(self.proved(asked, [*rest, branch], path) for branch in branches):
                        return True
        return False

    def rest(self, nodes: list[Here], here: Here, choice: str) -> list[Here]:
        """Schemas that were spread, without the choice of one of them."""
        return [(base, self._without(node, choice if node is here[1] else "")) for base, node in nodes]

    def _part_of(self, node: dict[str, Any], *words: str) -> dict[str, Any]:
        return self._memory.made.setdefault((id(node), *words), {word: node[word] for word in words if word in node})

    def _without(self, node: Any, choice: str) -> Any:
        if not isinstance(node, dict):
            return node
        left = {word: value for word, value in node.items() if word not in (choice, *_LEFT_OUT)}
        return self._memory.made.setdefault((id(node), None, choice), left)


def _pair(wide: Here, narrow: Sequence[Here]) -> Pair:
    return (id(wide[1]), *sorted({id(node) for _, node in narrow}))
