import pytest

from rules.expressions import parse
from rules.lint.comparing import asked_for, constants_of, implied, in_words, ordered, path_of
from rules.lint.values import ANYTHING, NOTHING, NUMBERS, Value, constant
from rules.when import When


def tree(text):
    return parse(When(text).serialized())


def number(low, high):
    return Value(NUMBERS, low=low, high=high)


@pytest.mark.parametrize(
    ("sign", "left", "right", "answers"),
    [
        ("<", (1, 5), (6, 9), [True]),
        ("<", (1, 5), (5, 9), [True, False]),
        ("<", (5, 9), (1, 5), [False]),
        ("<=", (1, 5), (5, 9), [True]),
        ("<=", (6, 9), (1, 5), [False]),
        (">", (6, 9), (1, 5), [True]),
        (">", (1, 5), (5, 9), [False]),
        (">=", (5, 9), (1, 5), [True]),
    ],
)
def test_numbers_are_compared_by_their_bounds(sign, left, right, answers):
    assert ordered(sign, number(*left), number(*right)) == answers


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("args.a.b", ("args", "a", "b")),
        ("args['a'].b", ("args", "a", "b")),
        ("args.a[0].b", ()),
        ("args.a.b == 1", ()),
    ],
)
def test_paths(text, path):
    assert path_of(tree(text)) == path


def test_what_a_yes_tells_of_places():
    known = implied(tree("args.n > 5 && has(args.m) && args.s in ['a', 'b'] && 3 >= args.k"), True)
    assert known[("args", "n")].low > 5
    assert known[("args", "m")] == ANYTHING
    assert known[("args", "s")].consts == {("string", "a"), ("string", "b")}
    assert known[("args", "k")].high == 3


def test_what_a_no_tells_of_places():
    known = implied(tree("args.n > 5 || !has(args.m) || args.k != 3"), False)
    assert known[("args", "n")].high == 5
    assert known[("args", "m")] == ANYTHING
    assert known[("args", "k")].consts == {("number", 3)}
    assert implied(tree("args.n > 5 && has(args.m)"), False) == {}


def test_has_asks_for_a_place_and_a_comparison_does_not():
    assert set(asked_for(tree("has(args.m) && args.n > 5"), True)) == {("args", "m")}
    assert asked_for(tree("has(args.m) || has(args.n)"), True) == {}


def test_lists_of_constants():
    assert constants_of(tree("args.n in [1, 'a']").parts[1]) == [1, "a"]
    assert constants_of(tree("args.n in [1, args.m]").parts[1]) is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (constant([5]), "5"),
        (constant(["b", "a"]), "one of 'a', 'b'"),
        (constant([None]), "null"),
        (constant(range(9), frozenset({"int"})), "an integer from 0 to 8"),
        (Value(frozenset({"int", "double"}), low=0.5), "a number from 0.5"),
        (Value(frozenset({"string", "null"})), "null or a string"),
        (ANYTHING, "anything"),
        (NOTHING, "nothing"),
    ],
)
def test_values_in_words(value, words):
    assert in_words(value) == words
