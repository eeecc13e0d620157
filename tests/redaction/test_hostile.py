"""Hostile text costs no more than other text: no expression, and no scan as a whole, can be made to stall."""

from __future__ import annotations

import json
import random
from contextlib import suppress
from functools import partial

import pytest
import re2

from redaction.detector import Pattern, all_patterns
from redaction.engine import Engine
from redaction.profiles import own_kinds
from redaction.scanner import Scanner, Unreadable
from tests.redaction import hostile

pytestmark = pytest.mark.alone

PATTERN_S, SCAN_S = 0.05, 0.1
"""Bounds on processor time for a text of 100,000 characters: one pattern, and all of them."""

HIT_S = 0.00005
"""What the arithmetic and the report of each place that an expression fits may cost beside that."""

ALL = Scanner(own_kinds())
PATTERNS = all_patterns()


def holds(pattern: Pattern, texts: list[str]) -> None:
    engine = Engine([pattern])
    for text in texts:
        bound = PATTERN_S + HIT_S * sum(1 for _ in re2.finditer(pattern.regex, text))
        assert hostile.seconds(partial(engine.find, text), bound) <= bound, text[:200]


@pytest.mark.full
@pytest.mark.parametrize("pattern", PATTERNS, ids=[pattern.name for pattern in PATTERNS])
def test_no_pattern_can_be_stalled(pattern: Pattern) -> None:
    holds(pattern, list(hostile.of_pattern(pattern)))


@pytest.mark.full
@pytest.mark.parametrize("pattern", PATTERNS, ids=[pattern.name for pattern in PATTERNS])
def test_no_pattern_can_be_stalled_by_a_short_word_again_and_again(pattern: Pattern) -> None:
    """As `(1(1` once did: false starts that begin at every other byte, each with arithmetic to it."""
    engine, dice = Engine([pattern]), random.Random(pattern.name)
    words = " ".join(pattern.context[:1])
    for _ in range(3):
        cost = lambda text: hostile.seconds(partial(engine.find, f"{words} {text}"), 1.0)  # noqa: E731
        texts = list(hostile.worst_words(pattern.regex, cost, dice))
        holds(pattern, [f"{words} {text}"[: hostile.SIZE] for text in texts[-1:]])


def test_false_starts_at_every_other_byte_cost_no_more_than_other_text() -> None:
    named = next(pattern for pattern in PATTERNS if pattern.name == "phone-named")
    for word in ("(1(1", "(1", "1 1", "12 "):
        engine, text = Engine([named]), f"phone {hostile.repeated(word)}"
        assert hostile.seconds(partial(engine.find, text), PATTERN_S) <= PATTERN_S, word


def test_texts_are_made_from_nearly_all_patterns() -> None:
    made = [bool(hostile._longest(pattern.regex)) for pattern in PATTERNS]
    assert sum(made) >= len(made) * 0.95


def test_no_pattern_can_be_stalled_by_what_it_nearly_finds() -> None:
    """One text for each pattern; all of them are in the long form."""
    for pattern in PATTERNS:
        holds(pattern, [next(hostile.of_pattern(pattern))])


def costs(body: bytes, media_type: str) -> float:
    def scan() -> None:
        with suppress(Unreadable):
            ALL.clean(body, media_type, "utf-8")

    return hostile.seconds(scan, SCAN_S)


@pytest.mark.parametrize("name", list(hostile.KNOWN))
def test_known_hostile_texts(name: str) -> None:
    text = hostile.repeated(hostile.KNOWN[name]).encode("utf-8", "replace")
    for media_type in ("text/plain", "text/html", "application/x-www-form-urlencoded", "application/json"):
        assert costs(text, media_type) <= SCAN_S, media_type
    for value in (text.decode(), {text[:1000].decode() + str(each): each for each in range(100)}):
        assert costs(json.dumps(value).encode(), "application/json") <= SCAN_S


def test_an_address_behind_forty_kilobytes_of_dots_is_found() -> None:
    """Presidio's recognizer runs a minute over this, and then passes the address unseen."""
    text = "a." * 20_000 + " ann@example.com " + "a." * 20_000 + "b@example.com"
    for media_type, body in (("text/plain", text), ("application/json", json.dumps({"a": text}))):
        cleaned = ALL.clean(body.encode(), media_type, "utf-8").value
        assert b"ann@" not in cleaned
        assert b"b@example" not in cleaned
        assert costs(body.encode(), media_type) <= SCAN_S
