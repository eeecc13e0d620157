"""Patterns of JSON pointers (RFC 6901): `/items/*/email`, where `*` stands for any one name or index.

A set of them is walked along with a document, step by step, or asked about a whole path.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Final

MOST_STEPS: Final = 64
"""Of one pattern. Documents that go deeper are rare, and patterns are written by hand."""


class Wild(Enum):
    """Steps that stand for more than one."""

    ANY = "any name or index"
    INDEX = "any index"


Step = str | Wild
"""One step of a pattern: a name, or an index in digits, or what stands for many."""

Path = Sequence[str | int]
"""Where a value stands: the names of members and the indexes of items that lead to it."""


class BadPointer(ValueError):
    """A text is no pattern of pointers; the message says why, for the author."""


def parse(pattern: str) -> tuple[Step, ...]:
    """The steps of a pattern. `~1` is a slash and `~0` a tilde, as in pointers. Raises BadPointer."""
    if not pattern.startswith("/"):
        raise BadPointer("must begin with /, as in /items/*/email")
    steps = pattern[1:].split("/")
    if len(steps) > MOST_STEPS:
        raise BadPointer(f"has more than {MOST_STEPS} steps")
    if any("~" in step.replace("~0", "").replace("~1", "") for step in steps):
        raise BadPointer("holds a ~ that is neither ~0 (a tilde) nor ~1 (a slash)")
    return tuple(Wild.ANY if step == "*" else step.replace("~1", "/").replace("~0", "~") for step in steps)


class Pointers:
    """A set of patterns, given as texts or as steps. Raises BadPointer for a text that is none."""

    __slots__ = ("start",)

    def __init__(self, patterns: Iterable[str | tuple[Step, ...]]) -> None:
        root = _Node()
        for pattern in patterns:
            root.grow(parse(pattern) if isinstance(pattern, str) else pattern)
        self.start: Final = At((root,))
        """The state at the top of a document."""

    def matches(self, path: Path) -> bool:
        """Whether a pattern fits exactly this place."""
        return self._at(path).ends

    def covers(self, path: Path) -> bool:
        """Whether a pattern fits this place or one that it lies in."""
        at = self.start
        for step in path:
            if at.ends:
                return True
            at = at.step(step)
        return at.ends

    def _at(self, path: Path) -> At:
        at = self.start
        for step in path:
            at = at.step(step)
        return at


class At:
    """How far the patterns lead at one place of a document. False where none of them leads here or below."""

    __slots__ = ("_leads", "_nodes", "_steps", "ends", "named")

    def __init__(self, nodes: tuple[_Node, ...]) -> None:
        self.ends = any(node.ends for node in nodes)
        """Whether a pattern fits exactly here."""
        self._leads = any(node.ends or node.below for node in nodes)
        self._nodes = nodes
        self.named = frozenset(step for node in nodes for step in node.below if isinstance(step, str))
        """The names, and indexes in digits, of which a pattern speaks here; all others are alike."""
        self._steps: dict[Step, At] = {}  # no more than the patterns have steps, whatever a document holds

    def __bool__(self) -> bool:
        return self._leads

    def step(self, step: str | int) -> At:
        """One step on: into the member of this name, or the item of this index."""
        name, wild = (str(step), Wild.INDEX) if isinstance(step, int) else (step, Wild.ANY)
        key: Step = name if name in self.named else wild
        if isinstance(step, int) and key is name:  # not the same as a member whose name is those digits
            return self._below((name, Wild.INDEX, Wild.ANY))
        known = self._steps.get(key)
        if known is None:
            known = self._steps[key] = self._below((key, Wild.ANY, wild))
        return known

    def _below(self, steps: tuple[Step, ...]) -> At:
        found = [below for node in self._nodes for each in dict.fromkeys(steps) if (below := node.below.get(each))]
        return At(tuple(found)) if found else NOWHERE


class _Node:
    """A place in the tree of the patterns' steps. So the nodes of one state are never more than the patterns."""

    __slots__ = ("below", "ends")

    def __init__(self) -> None:
        self.below: dict[Step, _Node] = {}
        self.ends = False

    def grow(self, steps: tuple[Step, ...]) -> None:
        node = self
        for step in steps:
            node = node.below.setdefault(step, _Node())
        node.ends = True


NOWHERE: Final = At(())
