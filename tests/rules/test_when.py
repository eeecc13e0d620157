import math
from datetime import UTC, datetime
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.cel import MOST_CHARACTERS, MOST_ELEMENTS, BadCondition
from rules.facts import Facts, Principal, Run
from rules.schema import Contract
from rules.tools import Reply, Tool
from rules.when import VARIABLES, Asking, When
from tests.counts import examples

TOOL = Tool("crm.get", "get", "crm", "", "GET", "/x", (), {}, Contract({}), "read", 1.0, Reply(), "")
NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def ask(text, **args):
    principal = Principal("p1", frozenset({"b", "a"}), "bot", "ann")
    facts = Facts(TOOL, args, principal, Run("r1", 3), NOW, "10.0.0.9")
    when = When(text)
    return when.ask(Asking(facts, when.uses))


@pytest.mark.parametrize(
    "text",
    [
        "args.n <= 5",
        "args.n == 5.0",
        "args.s.startsWith('he')",
        "args.s.matches('^h.llo$')",
        "size(args.l) == 2",
        "args.l.all(x, x > 0)",
        "args.deep.er[0].x == true",
        "args.nothing == null",
        "!has(args.missing)",
        "args['n'] == 5",
        "'a' in principal.roles",
        "principal.id == 'p1' && principal.agent == 'bot' && principal.user == 'ann'",
        "tool.name == 'crm.get' && tool.backend == 'crm' && tool.effect == 'read' && tool.method == 'GET'",
        "run.id == 'r1' && run.step == 3",
        "time == timestamp('2026-03-04T05:06:07Z')",
        "time.getDayOfWeek() == 3",
        "network.peer == '10.0.0.9'",
        "args.s.lowerAscii() == 'hello'",
        "size('é') == 1",
        "args.missing == 1 || true",
        "args.big == 9223372036854775807",
        "args.bigger > 9223372036854775807u",
    ],
)
def test_yes(text):
    given = {"n": 5, "s": "hello", "l": [1, 2], "deep": {"er": [{"x": True}]}, "nothing": None}
    assert ask(text, **given, big=2**63 - 1, bigger=2**63) is True


@pytest.mark.parametrize("text", ["args.n > 5", "has(args.missing)", "args.missing == 1 && false", "args.n == '5'"])
def test_no(text):
    assert ask(text, n=5) is False


@pytest.mark.parametrize(
    "text",
    [
        "args.missing == 1",
        "!args.missing",
        "args.missing.deeper == 1",
        "args.n < 'x'",
        "args.s > 5",
        "args.n + 9223372036854775807 > 0",
        "args.n / 0 == 1",
        "args.l[7] == 1",
        "args.s",
        "args.n",
        "args.nothing",
        "args.nothing > 1",
        "args.l",
        "args.s.matches(args.pattern)",
        "timestamp(args.s) < time",
        "int(args.s) == 1",
        "principal['rolle'] == 'x'",
        "args.n == 5 ? args.s : true",
        "args.l.exists(x, x.y == 1)",
    ],
)
def test_everything_else_is_cannot_tell(text):
    assert ask(text, n=5, s="hello", l=[1, 2], nothing=None, pattern="(") is None


@pytest.mark.parametrize(
    "value", [2**64, -(2**63) - 1, 10**400, "\ud800", {"x": "\ud800"}, [2**70], object(), (1, 2), {1: 2}, b"x"]
)
def test_a_value_that_cel_cannot_hold_is_cannot_tell(value):
    assert ask("args.v == 1", v=value) in (None, False)
    assert ask("args.v != 1 && size(args.v) > -1", v=value) in (None, True, False)
    assert ask("args.v < 1", v=value) is None


def test_only_true_itself_is_a_yes():
    assert [ask("args.v", v=value) for value in (True, False, 1, "true", "x", None, [], {}, math.nan)] == [
        True,
        False,
        *[None] * 7,
    ]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=3), below, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from(["a", "b"]), json_values),
    st.sampled_from(
        [
            "args.a == args.b",
            "args.a < 1",
            "args.a",
            "!args.a",
            "size(args.a) > 1",
            "args.a.all(x, x == args.b)",
            "string(args.a) == 'x'",
            "args.a in args.b",
            "args.a + args.b == args.a",
            "has(args.a.b)",
        ]
    ),
)
@settings(max_examples=examples(300), deadline=None, database=None)
def test_no_arguments_can_make_it_raise(args, text):
    assert ask(text, **args) in (True, False, None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("args.n <=", "line 1, character 10: Syntax error"),
        ("arg.n == 1", "line 1, character 4: undeclared reference to 'arg.n'"),
        ("true &&\n  arrgs.n == 1", "line 2, character 8: undeclared reference to 'arrgs.n'"),
        ("1", "is INT, must be yes or no"),
        ("'yes'", "is STRING, must be yes or no"),
        ("tool.name == 5", "found no matching overload"),
        ("time > 5", "found no matching overload"),
        ("nonsense(args.n)", "undeclared reference to 'nonsense'"),
        ("principal.rolles == []", "asks for principal.rolles"),
        ("principal.admin", "asks for principal.admin"),
        ("tool.effekt == 'read'", "asks for tool.effekt"),
        ("network.ip == 'x'", "asks for network.ip"),
        ("run.stepp > 1", "asks for run.stepp"),
        ("args.a == 1 || " * 200 + "true", f"longer than {MOST_CHARACTERS} characters"),
        ("", "is not CEL"),
    ],
)
def test_what_can_never_be_answered_is_refused_at_load(text, says):
    with pytest.raises(BadCondition) as caught:
        When(text)
    assert says in str(caught.value)


def test_an_unknown_name_comes_with_the_known_ones():
    with pytest.raises(BadCondition) as caught:
        When("user.n == 1")
    assert caught.value.hint == "known are: " + ", ".join(VARIABLES)


def test_names_inside_of_text_are_no_variables():
    assert When("args.s == 'principal.rolles tool run'").uses == {"args"}
    assert When('args.s == "it\'s time"').uses == {"args"}


def test_loops_over_huge_arguments_cannot_tell_in_no_time():
    flat, nested = "args.l.all(x, x == 1)", "args.l.all(x, args.l.all(y, x == y))"
    assert ask(flat, l=[1] * 4000) is True
    assert ask(flat, l=[1] * (MOST_ELEMENTS + 1)) is None
    assert ask(flat, l=[[1] * 1000] * 6) is None
    assert ask(nested, l=[1] * 50) is True
    assert ask(nested, l=[1] * 4000) is None
    start = perf_counter()
    ask("args.l.exists(x, x in args.m)", l=list(range(2400)), m=list(range(5000, 7400)))
    assert perf_counter() - start < 5


def test_patterns_run_in_linear_time():
    assert ask("args.s.matches('(a+)+$')", s="a" * 50_000 + "b") is False


VALUES = (
    st.integers(-3, 3)
    | st.sampled_from(
        (2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**18 - 1, 10**18, True, False, None, 1.0, 2.5, "1", [1])
    )
    | st.integers()
)


@given(
    VALUES,
    st.sampled_from(("<", "<=", ">", ">=", "==", "!=")),
    st.integers(-3, 3) | st.sampled_from((10**18 - 1, -(10**18) + 1)),
)
@settings(deadline=None)
def test_the_commonest_condition_is_answered_as_cel_answers_it(value, compare, limit):
    text = f"args.n {compare} {limit}"
    assert When(text)._simple is not None
    assert When(f"({text})")._simple is None
    assert ask(text, n=value) is ask(f"({text})", n=value)
    assert ask(text, m=value) is None


WORDS = st.text("ab\"'\\\n\x00é\ud800 ", max_size=3) | st.sampled_from(("open", "closed", "7", 7, True, None, ["open"]))
QUOTED = st.sampled_from(('"open"', "'open'", '"a"', "''", "'\"'", '"7"'))


@given(WORDS, st.sampled_from(("==", "!=")), QUOTED)
@settings(deadline=None)
def test_a_word_is_compared_as_cel_compares_it(value, compare, word):
    text = f"args.s {compare} {word}"
    assert When(text)._simple is not None
    assert ask(text, s=value) is ask(f"({text})", s=value)
    assert ask(text, t=value) is None


@given(VALUES | WORDS, st.lists(st.integers(-3, 3), min_size=1, max_size=3) | st.lists(QUOTED, min_size=1, max_size=3))
@settings(deadline=None)
def test_one_of_some_is_found_as_cel_finds_it(value, some):
    text = f"args.x in [{', '.join(map(str, some))}]"
    assert When(text)._simple is not None
    assert ask(text, x=value) is ask(f"({text})", x=value)
    assert ask(text, y=value) is None


@pytest.mark.parametrize(
    "text",
    [
        "args.s == 'a\\n'",  # escapes are CEL's
        "args.s == r'a'",
        "args.s == 'é'",
        "args.s in ['a', 1]",
        "args.s in []",
        "args.s < 'a'",
        "args.a.b == 1",
        "!(args.s == 'a')",
    ],
)
def test_what_is_not_simple_is_left_to_cel(text):
    assert When(text)._simple is None


@pytest.mark.parametrize(
    ("text", "args"),
    [
        ("args.path == '/safe'", {"path": "/safe\0/../etc"}),
        ("args.path != '/safe'", {"path": "/safe\0"}),
        ("args.path in ['/safe', '/also']", {"path": "/also\0x"}),
        ("args.path.startsWith('/safe') && !args.path.contains('..')", {"path": "/safe\0/../etc"}),
        ("size(args.path) < 8", {"path": "a\0" + "b" * 100}),
        ("args.list.all(x, x == 'a')", {"list": ["a", "a\0b"]}),
        ("args.deep.there == 'a'", {"deep": {"there": "a", "else": ["\0"]}}),
        ("'role' in args", {"role\0x": 1}),
    ],
)
def test_behind_a_nul_nobody_can_tell(text, args):
    assert ask(text, **args) is None
