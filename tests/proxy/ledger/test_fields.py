"""Whatever comes in, the clipped entry fits a line and says what was cut."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.ledger.chain import GENESIS, LINE_MOST, encode, seal
from proxy.ledger.fields import CUT, DEPTH_MOST, ITEMS_MOST, TEXT_MOST, WHOLE_MOST, clip, clip_text
from tests.counts import examples

HUGE = "\U0001f600" * 50_000


def size(entry: dict[str, Any]) -> int:
    return len(seal(10**17, 10**18, GENESIS, encode(entry))[0])


def test_what_is_small_stays_as_it_is() -> None:
    entry = {"kind": "call", "args": {"a": [1, 2.5, None, True, "x"], "b": {}}, "n": -(10**17)}
    assert clip(entry) == entry


def test_a_long_text_says_how_much_is_missing() -> None:
    assert clip({"note": "x" * (TEXT_MOST + 7)}) == {"note": "x" * TEXT_MOST + f"{CUT}+7"}
    assert clip_text("abcdef", 4) == f"abcd{CUT}+2"
    assert clip_text("abcd", 4) == "abcd"


def test_a_long_list_and_a_large_object_say_how_much_is_missing() -> None:
    assert clip({"list": [0] * (ITEMS_MOST + 3)})["list"][-1] == f"{CUT}+3"
    assert clip({"map": {str(n): 0 for n in range(ITEMS_MOST + 3)}})["map"][CUT] == 3


def test_what_is_deep_is_cut() -> None:
    deep: Any = "bottom"
    for _ in range(100_000):
        deep = [deep]
    found = clip({"deep": deep})["deep"]
    for _ in range(DEPTH_MOST - 1):
        (found,) = found
    assert found == CUT


def test_a_huge_integer_becomes_a_text() -> None:
    assert clip({"n": 10**5000}) == {"n": f"integer of {(10**5000).bit_length()} bits"}
    assert clip({"n": 2**63 - 1}) == {"n": "integer of 63 bits"}
    assert clip({"yes": True}) == {"yes": True}


def test_no_field_is_lost_for_the_length_of_another() -> None:
    huge = {"kind": "call", "args": [HUGE] * 300, **{str(n): HUGE for n in range(50)}, "outcome": "ok", "rules": ["a"]}
    clipped = clip(huge)
    assert list(clipped) == list(huge)
    assert (clipped["kind"], clipped["outcome"], clipped["rules"]) == ("call", "ok", ["a"])
    assert all(len(clipped[str(n)]) > 100 for n in range(50))


def test_what_short_fields_leave_goes_to_the_long_ones() -> None:
    clipped = clip({**{str(n): n for n in range(40)}, "args": {str(n): "x" * 1000 for n in range(100)}})
    assert len(json.dumps(clipped)) > WHOLE_MOST * 0.9


def test_the_worst_still_fits_a_line() -> None:
    for text in (HUGE, "\x00" * 50_000, "\ud800" * 50_000, '"\\' * 50_000):
        for entry in (
            {"kind": "call"} | {str(n): text for n in range(1000)},
            {text + str(n): text for n in range(300)},
            {"list": [[text] * 300] * 300},
            {"list": [{text: [text]}] * 300},
        ):
            assert size(clip(entry)) <= LINE_MOST


def test_many_small_things_still_fit_a_line() -> None:
    wide: Any = 1.2345678901234567e-100
    for _ in range(8):
        wide = [wide] * 200
    assert size(clip({"kind": "call", "wide": wide})) <= LINE_MOST
    assert size(clip({"kind": "call", "empty": [[[]] * 250] * 250})) <= LINE_MOST


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=examples(60), deadline=None)
@given(st.dictionaries(st.text(), VALUES))
def test_any_entry_fits_and_is_still_json(entry: dict[str, Any]) -> None:
    clipped = clip({"kind": "call", **{f"_{name}": value for name, value in entry.items()}})
    assert size(clipped) <= LINE_MOST
    assert json.loads(json.dumps(clipped)) == clipped
