"""`related(...)` is found where CEL would call it, and nowhere else."""

from __future__ import annotations

import pytest

from rules.cel import BadCondition
from rules.related import MOST_CALLS, Question, find, named, question
from rules.when import VARIABLES, When

NAMES = frozenset(VARIABLES)
CALL = 'related(principal.user, "owner", args.id)'


@pytest.mark.parametrize(
    "text",
    [
        CALL, f"!{CALL}", f"{CALL} || args.n > 1", f"(args.n > 1 && {CALL})", f"args.items.all(x, x > 1 && {CALL})",
        'related ( principal.user ,\n "owner" , args.id )', 'related(principal.user, // who\n "owner", args.id)',
        "related(principal.user, 'owner', args['id'])", 'related("a)b,c", "owner", args.id)',
        'related(r"a\\d", "owner", args.id)', 'related("""a"b""", "owner", \'\'\'c\'d\'\'\')',
        'related(args.x[0].y, "owner", string(args.id + 1))', 'related(args.a == 1 ? "x" : "y", "owner", args.id)',
        'related(principal.user, "owner", {"a": [1, 2]}["a"][0])',
    ],
)  # fmt: skip
def test_calls_are_found_and_everything_else_stays_where_it_was(text: str) -> None:
    rewritten, (found,) = find(text, NAMES)
    assert len(rewritten) == len(text)
    assert rewritten.count("\n") == text.count("\n")
    at = text.index("related")
    assert rewritten[at:].startswith(found.variable)
    assert (rewritten[:at], found.relation) == (text[:at], "owner")
    assert text[at:].startswith(found.text)
    assert rewritten[at + len(found.text) :] == text[at + len(found.text) :]
    assert When(text).lookups[0].relation == "owner"


@pytest.mark.parametrize(
    "text",
    ['args.a == "related(x, \\"y\\", z)"', "args.a == 'related(a,b,c)'", "true // related(a)", 'r"\\d" == "related(a)"',
     '"""x"related(a)""" == args.a', "args.related == 1", "has(args.related)", "b'related(a)' == b''",
     "'\\'related(a)' == ''", "args.unrelated == 'a'"],
)  # fmt: skip
def test_what_only_looks_like_a_call_is_left_alone(text: str) -> None:
    assert find(text, NAMES) == (text, ())
    assert When(text).lookups == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("related()", "has 1 arguments, needs three"), ('related(args.a, "b")', "has 2 arguments"),
        ('related(args.a, "b", args.c, args.d)', "has 4 arguments"), ('related(, "b", args.c)', "needs three"),
        ('related(args.a, "b", )', "needs three"), ('related(args.a, "b", args.c', "is not closed"),
        ('related(args.a, "b", args.c]', "is not closed"), ("related(args.a, args.b, args.c)", "no plain name"),
        ('related(args.a, "a" + "b", args.c)', "no plain name"), ('related(args.a, "a b", args.c)', "no plain name"),
        ('related(args.a, "", args.c)', "no plain name"), ('related(args.a, r"b", args.c)', "no plain name"),
        ('related(args.a, "b", related(args.a, "b", args.c))', "inside of its arguments"),
        ('args.n > 1 &&\n related(args.a, "b", args.l.filter(x, x > 1)[0])', "at line 2, character 30 inside"),
        ('args.l.all(args, related(principal.user, "b", args.c))', "calls an element args at line 1, character 12"),
        ('__related_0 || related(args.a, "b", args.c)', "which is ours"),
        (" || ".join([CALL] * (MOST_CALLS + 1)), f"more than {MOST_CALLS} times"),
    ],
)  # fmt: skip
def test_what_is_no_call_is_refused_with_its_place(text: str, says: str) -> None:
    with pytest.raises(BadCondition, match=says.replace("(", r"\(")):
        find(text, NAMES)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('args.l.exists(x, related(principal.user, "b", x))', "at line 1, character 47: undeclared reference to 'x'"),
        ('args.n == 1 ||\n  related(principal.usr, "b", args.c)', "principal.usr"),
        ('related(principal.user, "b", args.c >)', "is not CEL at line 1"),
        ('related(args.a > 1, "b", args.c)', "is BOOL, must be a text or a whole number"),
        ('related(1.5, "b", args.c)', "must be a text or a whole number"),
        ('related(args.a, "b", args.c) + 1', "is not CEL"), ('related(args.a, "b", args.c) == "x"', "is not CEL"),
        ("__related_0", "undeclared reference"), ("related", "undeclared reference"),
        ('args.related(args.a, "b", args.c)', "undeclared reference"),
        ('.related(args.a, "b", args.c)', "undeclared reference"),
    ],
)  # fmt: skip
def test_arguments_are_conditions_of_their_own(text: str, says: str) -> None:
    with pytest.raises(BadCondition) as bad:
        When(text)
    assert says.lower() in str(bad.value).lower()


@pytest.mark.parametrize(("value", "text"), [("a", "a"), (7, "7"), (-7, "-7"), (2**70, str(2**70)), ("007", "007")])
def test_whom_a_value_names(value: object, text: str) -> None:
    assert named(value) == text


@pytest.mark.parametrize("value", ["", None, True, 1.0, [], {}, "a\0b", "x" * 1025, b"a"])
def test_what_names_nobody(value: object) -> None:
    assert named(value) is None
    assert question(["a", "owner", value]) is None


@pytest.mark.parametrize("row", [None, "abc", [], ["a", "b"], ["a", "b", "c", "d"], ("a", "b", "c")])
def test_what_is_no_triple(row: object) -> None:
    assert question(row) is None
    assert question(["a", "owner", 7]) == Question("a", "owner", "7")
