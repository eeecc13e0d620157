"""What is said of a condition holds for every call: the answers of CEL itself are the judge."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.facts import Facts, Principal, Run
from rules.lint.conditions import judge
from rules.load import load
from rules.rule import EVERYBODY, To
from rules.when import Asking, When
from tests.counts import examples
from tests.rules.helpers import NOW, write
from tests.rules.lint.tables import cases, check

SCHEMA = {
    "type": "object",
    "required": ["n", "s", "price", "tags", "state", "who", "either"],
    "properties": {
        "n": {"type": "integer", "minimum": 1, "maximum": 50},
        "s": {"type": "string", "maxLength": 4},
        "opt": {"type": "integer"},
        "price": {"type": "number", "exclusiveMinimum": 0},
        "tags": {"type": "array", "maxItems": 3, "items": {"type": "string"}},
        "state": {"enum": ["open", "closed"]},
        "nil": {"type": ["integer", "null"]},
        "who": {"$ref": "#/$defs/person"},
        "either": {"anyOf": [{"type": "string"}, {"type": "object", "properties": {"a": {"type": "boolean"}}}]},
    },
    "$defs": {
        "person": {
            "type": "object",
            "required": ["id"],
            "properties": {"id": {"type": "integer", "maximum": 9}, "next": {"$ref": "#/$defs/person"}},
            "additionalProperties": False,
        }
    },
}
PERSON = st.recursive(
    st.fixed_dictionaries({"id": st.integers(0, 9)}),
    lambda below: st.fixed_dictionaries({"id": st.integers(0, 9)}, optional={"next": below}),
    max_leaves=3,
)
ARGS = st.fixed_dictionaries(
    {
        "n": st.integers(1, 50),
        "s": st.text("ab", max_size=4),
        "price": st.integers(1, 20) | st.floats(0.5, 20),
        "tags": st.lists(st.sampled_from(["a", "b"]), max_size=3),
        "state": st.sampled_from(["open", "closed"]),
        "who": PERSON,
        "either": st.sampled_from(["x", "open"]) | st.fixed_dictionaries({}, optional={"a": st.booleans()}),
    },
    optional={"opt": st.integers(-3, 60), "nil": st.integers(0, 9) | st.none()},
)
PLACES = ["n", "s", "opt", "price", "tags", "state", "nil", "who.id", "who.next.id", "either", "either.a"]
ATOMS = st.one_of(
    st.builds(
        "args.{} {} {}".format,
        st.sampled_from(PLACES),
        st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
        st.sampled_from(["0", "1", "5", "50", "51", "2.5", "'a'", "'open'", "true", "null"]),
    ),
    st.builds("has(args.{})".format, st.sampled_from(["n", "opt", "nil", "who.next", "either.a"])),
    st.builds(
        "args.{} in [{}]".format,
        st.sampled_from(PLACES),
        st.sampled_from(["1, 5", "'open', 'closed'", "'a'", "null", "2.5, 'a'"]),
    ),
    st.builds(
        "size(args.{}) {} {}".format,
        st.sampled_from(["s", "tags", "n", "either"]),
        st.sampled_from(["<", ">", "=="]),
        st.integers(0, 5),
    ),
    st.sampled_from(
        [
            "args.s.contains('a')",
            "args.n.contains('a')",
            "args.either.startsWith('x')",
            "args.tags.all(t, t == 'a')",
            "args.tags.exists(t, t > 3)",
            "'a' in args.tags",
            "3 in args.tags",
            "args.price * 2 > 5",
            "args.n + 1 > 51",
            "args.tags[0] == 'a'",
            "args['state'] == 'open'",
            "type(args.either) == string",
            "args.either.a",
            "args.n == args.opt",
            "args.state == args.s",
            "principal.id == 'p1'",
            "principal.agent == 'bot'",
            "run.step > 0",
            "tool.effect == 'write'",
        ]
    ),
)
CONDITIONS = st.recursive(
    ATOMS,
    lambda below: st.one_of(
        st.builds("({} && {})".format, below, below),
        st.builds("({} || {})".format, below, below),
        st.builds("!({})".format, below),
        st.builds("({} ? {} : {})".format, below, below, below),
    ),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def tool(tmp_path_factory):
    crm = {"backend": "crm", "url": "https://crm.test"}
    made = {"call": "POST /x", "effect": "write", "input": SCHEMA}
    folder = write(tmp_path_factory.mktemp("rules"), crm=json.dumps({**crm, "tools": {"t": made}}))
    return load(folder).catalog.tools["crm.t"]


@settings(max_examples=examples(60), deadline=None)
@given(text=CONDITIONS, given_args=st.lists(ARGS, min_size=4, max_size=4))
def test_what_cannot_be_is_not(tool, text, given_args):
    try:
        when = When(text)
    except ValueError:  # CEL itself refuses what is wrong whatever the schema says
        return
    answer = judge(when, tool, EVERYBODY)
    principal = Principal("p1", frozenset({"x"}), "bot")
    for args in given_args:
        assert tool.contract.check(args) == ()
        got = when.ask(Asking(Facts(tool, args, principal, Run("r", 1), NOW), when.uses))
        assert {True: answer.yes, False: answer.no, None: answer.doubt}[got], (args, got, answer)


@pytest.mark.parametrize(("kind", "wanted", "case"), cases("conditions"))
def test_findings_about_conditions(tmp_path, kind, wanted, case):
    check(tmp_path, kind, wanted, case)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("args.n > 100", "compares args.n, an integer from 1 to 50, with 100, so that > is false for every call"),
        ("args.n == '5'", "compares args.n, an integer from 1 to 50, with '5'"),
        ("5 < args.s", "compares args.s, a string, with 5 by <"),
        ("args.nn == 1", "asks for args.nn, which is not declared"),
        ("args.who.nam == 1", "asks for args.who.nam, which is not declared"),
        ("args.opt == 1", "asks for args.opt, which may be left out"),
        ("args.who.next.id == 1", "asks for args.who.next, which may be left out"),
        ("args.s.id == 1", "asks for .id of args.s, which is a string"),
        ("args.state == 'opened'", "compares args.state, one of 'closed', 'open', with 'opened'"),
        ("args.tags.all(t, t > 3)", "compares each item of args.tags, a string, with 3 by >"),
        ("args.n in ['a']", "looks for args.n, an integer from 1 to 50, among 'a'"),
        ("args.n.all(x, x > 1)", "loops over args.n, which is an integer from 1 to 50"),
        (
            "size(args.s) > 9",
            "compares size(args.s), an integer from 0 to 4, with 9, so that > is false for every call",
        ),
        ("args.price > 0", "compares args.price, a number from 0, with 0, so that > is true for every call"),
    ],
)
def test_what_is_told(tool, text, says):
    assert says in [words for _, words in judge(When(text), tool, EVERYBODY).told]


def test_callers_that_a_rule_is_not_about_do_not_count(tool):
    when = When("principal.agent == 'other'")
    assert judge(when, tool, EVERYBODY).yes
    assert not judge(when, tool, To(agents=frozenset({"bot"}))).yes
    assert judge(When("principal.agent == ''"), tool, To(agents=frozenset({"bot"}))).yes
