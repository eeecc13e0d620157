"""The other direction: what may not stand in the arguments of a call, by the kinds of findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from redaction.known import KIND as KNOWN
from redaction.profiles import NO_MORE, PROFILES, UnknownKind, kinds_of
from rules.source import LoadProblem, Node

WORDS: Final = ("refuse", "mask", "allow")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """The kinds for which a call is refused, and those that are masked before it is sent; of all others nothing is
    said. Known secrets are refused unless rules name them.
    """

    refuse: frozenset[str] = frozenset({KNOWN})
    mask: frozenset[str] = frozenset()

    @property
    def kinds(self) -> frozenset[str]:
        """What a scanner has to look for in arguments; known secrets are not its business."""
        return (self.refuse | self.mask) - {KNOWN}


DEFAULT: Final = Outgoing()


def read_outgoing(node: Node, own: frozenset[str] = NO_MORE) -> tuple[Outgoing, list[LoadProblem]]:
    """The key `outgoing` of a backend or tool, whose form was checked, and what is wrong with it.

    A kind that is named itself counts as it is named there; of those that only profiles name the stricter counts.
    `own` are kinds of the author's.
    """
    problems: list[LoadProblem] = []
    named: dict[str, set[str]] = {word: set() for word in WORDS}
    wide: dict[str, set[str]] = {word: set() for word in WORDS}
    for word, item in _items(node):
        try:
            if item.value in PROFILES:
                wide[word] |= kinds_of(item.value)
            else:
                named[word] |= {KNOWN} if item.value == KNOWN else kinds_of([item.value], own)
        except UnknownKind as error:
            problems.append(item.problem(str(error)))
        if word == "allow" and item.value in PROFILES:
            problems.append(item.problem("is a profile", "name kinds: whatever is not refused or masked may be sent"))
    problems += _twice(node, named)
    return _meant(named, wide), problems


def _items(node: Node) -> Iterator[tuple[str, Node]]:
    for word, below in node.items():
        for item in below.each():
            yield word, item


def _twice(node: Node, named: Mapping[str, set[str]]) -> Iterator[LoadProblem]:
    for number, word in enumerate(WORDS):
        for earlier in WORDS[:number]:
            for kind in sorted(named[word] & named[earlier]):
                yield node.key_problem(word, f"names {kind}, and so does `{earlier}`", "name it once")


def _meant(named: Mapping[str, set[str]], wide: Mapping[str, set[str]]) -> Outgoing:
    refuse = named["refuse"] | (wide["refuse"] - named["mask"] - named["allow"])
    refuse |= {KNOWN} - named["mask"] - named["allow"]
    mask = named["mask"] | (wide["mask"] - named["allow"] - refuse)
    return Outgoing(frozenset(refuse), frozenset(mask))
