"""What a tool's `reply` says of places: `except` leaves what stands there, `only` is all that is looked at."""

from __future__ import annotations

from typing import Final

from redaction.pointers import BadPointer, parse
from redaction.profiles import NO_MORE, PROFILES, UnknownKind, kinds_of
from redaction.sparing import ALL, Sparing
from rules.source import LoadProblem, Node

MOST_PLACES: Final = 1_000
"""Of one list; each is compared with each place where something is found."""

MOST_SETS: Final = 4
"""Different sets of kinds in one list. A place in several needs a scanner for all of their kinds together."""


def read_sparing(
    left: Node | None, only: Node | None, redact: frozenset[str], own: frozenset[str] = NO_MORE
) -> tuple[Sparing, list[LoadProblem]]:
    """The keys `except` and `only`, whose form was checked, and what is wrong with them.

    `redact` are the kinds that are taken out, `own` kinds of the author's.
    """
    problems: list[LoadProblem] = []
    spared = [_left(item, redact, own, problems) for item in (left.each() if left else ())]
    places = [_place(item, problems) for item in (only.each() if only else ())]
    if left and len({kinds for _, kinds in spared} - {ALL}) > MOST_SETS:
        problems.append(left.problem(f"has more than {MOST_SETS} different sets of kinds", "join some of them"))
    for node, found in ((left, spared), (only, places)):
        if node and len(found) > MOST_PLACES:
            problems.append(node.problem(f"has more than {MOST_PLACES} places", "name them by a pattern"))
    pairs = frozenset((place, kinds) for several, kinds in spared for place in several)
    problems += [
        only.problem(f"names {place}, and so does `except`: nothing is looked at there", "name it once")
        for place in places
        if only and (place, ALL) in pairs
    ]
    return Sparing(pairs, frozenset(places)), problems


def _left(
    item: Node, redact: frozenset[str], own: frozenset[str], problems: list[LoadProblem]
) -> tuple[tuple[str, ...], frozenset[str]]:
    if not isinstance(item.value, dict):
        return (_place(item, problems),), ALL
    places = tuple(_place(each, problems) for each in item.value["at"].each())
    named = item.value["kinds"]
    try:
        each = (kinds_of(one.value) if one.value in PROFILES else kinds_of([one.value], own) for one in named.each())
        kinds = frozenset[str]().union(*each)
    except UnknownKind as error:
        problems.append(named.problem(str(error)))
        return places, ALL
    if redact and not kinds & redact:
        problems.append(named.problem("is not taken out here", "leave the exception out"))
    return places, kinds


def _place(node: Node, problems: list[LoadProblem]) -> str:
    place = str(node.value)
    if place in ("/", "*"):
        hint = 'say redact: "off" if nothing shall be taken out'
        problems.append(node.problem("names no place in a reply", hint))
    elif place.startswith("/"):
        try:
            parse(place)
        except BadPointer as bad:
            problems.append(node.problem(str(bad)))
    elif "/" in place:
        problems.append(node.problem("is neither a name nor a pointer", f"did you mean /{place}?"))
    return place
