from collections.abc import Callable, Sequence

import pytest

from redaction.detector import Pattern, all_patterns
from redaction.keys import Keys, kinds
from redaction.linear import ANYWHERE, matcher
from redaction.scout import Places, Scout
from tests.redaction.families import each_family
from tests.redaction.fill import fill

PHONE = Pattern("phone", "P", "", r"(?:^|[^0-9])([0-9]{7})\b", (), (), gate="[0-9]", context=("phone", "cell phone"))
SECRET = Pattern("secret", "S", "", r"[a-f]{8}", (), (), context=("key",))
MAIL = Pattern("mail", "M", "", r"[a-z]+@[a-z]+", (), ())
SCOUT = Scout([PHONE, SECRET, MAIL])


def places(find: Callable[[bytes], Places], text: str) -> list[str]:
    found, at, data = [], 0, text.encode()
    upcoming = find(data)
    while True:
        start, end = upcoming.after(at)
        if start < 0:
            return found
        found.append(data[start:end].decode())
        at = end


@pytest.mark.parametrize(
    "text",
    [
        '{"phone": 5551234}',
        '{"phone" : "555"}',
        '{"homePhone":["5551234"]}',
        '{"phone_2":-5}',
        '{"a": "my phone is 5551234"}',
        '{"a": "5551234 is my phone"}',
        '{"a": "5551234phone"}',
        '{"cell - phone": 1}',
        '{"key": "abcdefab"}',
        '{"a": "key abcdefab"}',
        '{"a": "x ana@example"}',
        '{"ana@example": 1}',
    ],
)
def test_it_points_where_something_may_be(text: str) -> None:
    assert places(SCOUT.near, text)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 5551234}',
        '{"phone": true, "a": 5551234}',
        '{"phone": "none", "a": 5551234}',
        '{"phone": {"a": 5551234}}',
        '{"a": "phone", "b": 5551234}',
        '{"b": 5551234, "a": "phone"}',
        '{"a": "abcdefab"}',
        '{"microphone": 5551234}',
        '{"a": "ana@"}',
    ],
)
def test_and_not_where_nothing_can_be(text: str) -> None:
    assert places(SCOUT.near, text) == []


def test_a_place_in_a_name_reaches_to_what_is_named() -> None:
    assert places(SCOUT.near, '{"phone_2": "5551234", "key" :[') == ['"phone_2": "5', '"key" :[']


def test_far_off_names_do_not_count() -> None:
    assert places(SCOUT.far, '{"phone": "x", "a": [5551234, "abcdefab"]}') == ["[5551234", "abcdefab"]


def test_without_patterns_it_points_nowhere() -> None:
    assert places(Scout([]).near, '{"phone": "5551234"}') == places(Scout([]).far, "[1]") == []


@each_family
def test_a_gate_stands_in_whatever_its_pattern_matches(family: Sequence[Pattern]) -> None:
    for pattern in family:
        if not pattern.gate:
            continue
        gate, regex = matcher(pattern.gate), matcher(pattern.regex)
        for example in (fill(each, seed).encode() for each in pattern.yes for seed in range(20)):
            start, end = regex(ANYWHERE, example, 0, len(example))[0]
            assert gate(ANYWHERE, example[start:end], 0, end - start)[0] >= (0, 0), (pattern.name, example)


def test_where_words_without_anything_stand_close_together_what_counts_is_still_found() -> None:
    """Then the loose automaton gives way to the exact ones."""
    gated = Pattern("token", "T", "", r"[a-f]{8}", (), (), gate="[a-f]{8}", context=("token",))
    scout, words = Scout([PHONE, gated]), '"token",' * 5_000
    assert places(scout.near, f'[{words}"token abcdefab"]') == ['"token abcdefab']
    text = f'["tokens",{{"token":"abcdefab"}},{words}"abcdefab token",{words}"phone 5551234"]'
    assert places(scout.near, text) == ['"token":"abcdefab', "abcdefab token", '"phone 5']


def test_each_automaton_of_all_patterns_is_small_enough_for_its_memory() -> None:
    """One that is not finds the same, but in 50 microseconds a match instead of one."""
    keys = Keys(kinds())
    scout = Scout(all_patterns(), keys.near, keys.labelled)
    for match in (*scout._plain, *scout._exact, *scout._far, scout._loose):
        assert match
        assert match.__self__.ReverseProgramSize() < 80_000  # type: ignore[attr-defined]
