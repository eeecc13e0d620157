"""Patterns that explode, and the property itself counted out on small patterns."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.lint.regexes import MOST_POSITIONS, explodes
from tests.counts import examples


@pytest.mark.parametrize(
    "pattern",
    [
        "^(a+)+$",
        "^(a*)*$",
        "^(a|a)*$",
        "^(a|aa)+$",
        r"^(\w+\s?)*$",
        r"^(([a-z])+.)+[A-Z]([a-z])+$",
        "(.*)*",
        "(x+x+)+y",
        r"^(\d+,?)*$",
        "^((a*)?b)*c$",
        "^(a{1,63}){1,63}$",
        "^([^@]+)+@x$",
        "^(?:[a-z0-9]+(?:-[a-z0-9]*)*)*$",
        r"^([a-zA-Z0-9])(([\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+[.]{1}[a-z]{2,3}$",
        r"^(\p{L}+)+$",
        "^(?<word>a+)+$",
        "^(a+?)+?$",
        r"^(\D|[^5])*$",
        "^(a|[ab])*$",
        "^(a|(a|b))*$",
    ],
)
def test_patterns_that_explode(pattern):
    assert explodes(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "^[a-z]+$",
        r"^\s+|\s+$",
        r"^(\d{1,3}\.){3}\d{1,3}$",
        "^[a-z0-9]+(?:-[a-z0-9]+)*$",
        "^(ab|cd)+$",
        "^(a|ab)*$",
        "^.*=.*$",
        r"^(\d{1,3}){1,5}$",
        "^(a?)*$",
        "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
        r"^([a-z0-9]+\.)+[a-z]{2,}$",
        r"^\p{L}+$",
        r"^(\d|\D)*$",
        "^[a|b|a]*$",
        r"^(a\||b)*$",
        r"^[\w\d]+$",
        "^[A-Z]{2}([0-9]{2}[ ]?)*$",
        r"^(([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])\.)*([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])$",
    ],
)
def test_patterns_that_do_not(pattern):
    assert not explodes(pattern)


@pytest.mark.parametrize(
    "pattern", ["(", "[", "a{99999}{99999}", "(" * 5000, f"({'a?' * MOST_POSITIONS}b)+", r"(a)\1+"]
)
def test_what_cannot_be_read_or_is_too_large_is_let_be(pattern):
    assert not explodes(pattern)


def test_a_dense_pattern_is_looked_at_in_bounded_work():
    assert not explodes("(" + "|".join(f"[^{chr(97 + index % 26)}]x{index:03}" for index in range(90)) + ")+[")
    explodes("(" + "[a-z]?" * 390 + ")+")


PIECES = st.recursive(
    st.sampled_from(["a", "b"]),
    lambda below: st.one_of(
        st.builds("(?:{}{})".format, below, below),
        st.builds("(?:{}|{})".format, below, below),
        st.builds("(?:{})*".format, below),
        st.builds("(?:{})+".format, below),
    ),
    max_leaves=5,
)


class Counter:
    """Counts the ways in which a naive engine can match the whole of a text; empty rounds of a loop do not count."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.known: dict[tuple[int, int], dict[int, int]] = {}
        self.rounds: dict[tuple[int, int], dict[int, int]] = {}

    def at(self, node, start: int) -> dict[int, int]:
        key = (id(node), start)
        if key not in self.known:
            self.known[key] = self._at(node, start)
        return self.known[key]

    def _at(self, node, start: int) -> dict[int, int]:
        word, *parts = node
        if word == "char":
            return {start + 1: 1} if self.text[start : start + 1] == parts[0] else {}
        if word == "or":
            return added(*(self.at(part, start) for part in parts))
        if word == "then":
            first = self.at(parts[0], start)
            return added(*({e: c * n for e, c in self.at(parts[1], mid).items()} for mid, n in first.items()))
        return self.loop(parts[0], start, word == "plus")

    def loop(self, node, start: int, once: bool) -> dict[int, int]:
        key = (id(node), start)
        if once or key not in self.rounds:
            self.rounds[key] = self._loop(node, start, once)
        return self.rounds[key] if not once else self.rounds.pop(key)

    def _loop(self, node, start: int, once: bool) -> dict[int, int]:
        rounds = self.at(node, start)
        found = [{} if once else {start: 1}]
        found += [{start: rounds[start]}] if once and start in rounds else []
        for end, count in rounds.items():
            if end > start:
                found.append({e: c * count for e, c in self.loop(node, end, False).items()})
        return added(*found)


def added(*found: dict[int, int]) -> dict[int, int]:
    total: dict[int, int] = {}
    for each in found:
        for end, count in each.items():
            total[end] = total.get(end, 0) + count
    return total


def parsed(pattern: str):
    """The tree of a pattern made by PIECES."""
    at = 0

    def alternative():
        nonlocal at
        node = sequence()
        while pattern[at : at + 1] == "|":
            at += 1
            node = ("or", node, sequence())
        return node

    def sequence():
        nonlocal at
        node = piece()
        while at < len(pattern) and pattern[at] not in "|)":
            node = ("then", node, piece())
        return node

    def piece():
        nonlocal at
        if pattern.startswith("(?:", at):
            at += 3
            node = alternative()
            at += 1
        else:
            node = ("char", pattern[at])
            at += 1
        if pattern[at : at + 1] in ("*", "+"):
            node = ("star" if pattern[at] == "*" else "plus", node)
            at += 1
        return node

    return alternative()


WORDS = ["".join(each) for size in (1, 2) for each in itertools.product("ab", repeat=size)]
ENDS = ["", "a", "b"]
STARTS = ["".join(each) for size in range(5) for each in itertools.product("ab", repeat=size)]


@settings(max_examples=examples(20), deadline=None)
@given(PIECES)
def test_ways_that_double_with_each_round_are_found_and_no_others(pattern):
    """Twice as many rounds: exponential growth squares the number of ways, polynomial growth of degree 4 does not."""

    tree = parsed(pattern)

    def ways(rounds: int) -> Iterator[int]:
        texts = (before + word * rounds + after for before in STARTS for word in WORDS for after in ENDS)
        return (max(Counter(text).at(tree, 0).values(), default=0) for text in texts)

    few = max(ways(12))  # twice the rounds are counted only as far as needed: they take minutes for loops in loops
    assert explodes(pattern) is (few >= 2**8 and any(many >= few * 2**8 for many in ways(24))), few
