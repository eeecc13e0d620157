from typing import Any

from redaction.places import places
from redaction.profiles import kinds_of
from redaction.scanner import Scanner

SCANNER = Scanner(kinds_of("standard"))
MAIL, CARD = "ana@example.org", 4242424242424242


def kinds(value: Any) -> frozenset[str]:
    return frozenset(SCANNER.clean_json_value(value)[1])


def test_the_smallest_parts_are_told() -> None:
    value = {"a": [1, {"b": f"to {MAIL}"}, "x"], "card": CARD, "c": None}
    assert places(value, kinds) == [
        (("a", 1, "b"), frozenset({"EMAIL_ADDRESS"})),
        (("card",), frozenset({"CREDIT_CARD"})),
    ]
    assert places({"a": ["x", 1.5, True]}, kinds) == []
    assert places(MAIL, kinds) == [((), frozenset({"EMAIL_ADDRESS"}))]


def test_a_name_that_holds_a_finding_is_not_said() -> None:
    found = places({"a": {MAIL: {"b": [CARD]}}}, kinds)
    assert found == [
        (("a", "*"), frozenset({"EMAIL_ADDRESS"})),
        (("a", "*", "b", 0), frozenset({"CREDIT_CARD"})),
    ]


def test_a_name_tells_what_a_value_is() -> None:
    def by_name(value: Any) -> frozenset[str]:
        return frozenset({"PIN"} if isinstance(value, dict) and value.get("pin") == "1" else ())

    assert places({"x": "1", "pin": "1"}, by_name) == [(("pin",), frozenset({"PIN"}))]


def test_what_shows_in_the_whole_alone_is_told_of_the_whole() -> None:
    def both(value: Any) -> frozenset[str]:
        return frozenset({"PAIR"} if value == ["a", "b"] or value == {"x": ["a", "b"]} else ())

    assert places({"x": ["a", "b"]}, both) == [(("x",), frozenset({"PAIR"}))]


def test_depth_is_bounded() -> None:
    value: Any = MAIL
    for _ in range(190):
        value = [value]
    ((path, found),) = places(value, kinds)
    assert (len(path), found) == (190, frozenset({"EMAIL_ADDRESS"}))
