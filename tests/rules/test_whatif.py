"""Edits that are told were tried, and are the nearest. The expected ones are worked out from the rules by hand."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.examples import outcome_of
from rules.whatif import MOST_TOLD, shown, turns
from tests.counts import examples
from tests.rules.helpers import facts, ruleset


def told(folder, policy, tool, args, *roles, **who):
    rules = ruleset(folder, policy)
    asked = facts(rules, tool, args, *roles, **who)
    return turns(rules, asked, rules.decide(asked))


REFUND = {"order_id": 2, "amount_cents": 400}


@pytest.mark.parametrize(
    ("when", "args", "edits"),
    [
        ("args.amount_cents <= 300", REFUND, ["with args.amount_cents = 300: approval"]),
        ("args.amount_cents < 300", REFUND, ["with args.amount_cents = 299: approval"]),
        ("args.amount_cents > 400", REFUND, ["with args.amount_cents = 401: approval"]),
        ("args.amount_cents >= 500", REFUND, ["with args.amount_cents = 500: approval"]),
        ("args.amount_cents == 7", REFUND, ["with args.amount_cents = 7: approval"]),
        ("args.amount_cents != 400", REFUND, ["with args.amount_cents = 399: approval"]),
        ("args['amount_cents'] > 400", REFUND, ["with args.amount_cents = 401: approval"]),
        ("args.amount_cents < 0", REFUND, []),  # the contract wants at least 1
        (
            "args.amount_cents < 300 && args.order_id > 5",
            REFUND,
            ["with args.order_id = 6, and with args.amount_cents = 299: approval"],
        ),
    ],
)
def test_the_nearest_number_with_which_a_call_passes(tmp_path, when, args, edits):
    policy = f'rules: [{{id: a, allow: crm.refund, to: {{roles: [s]}}, when: "{when}"}}]'
    assert list(told(tmp_path, policy, "crm.refund", args, "s")) == edits


@pytest.mark.parametrize(
    ("when", "edits"),
    [
        ("args.q == 'open'", ['with args.q = "open": allow']),
        ("args.q in ['open', 'shut']", ['with args.q = "open": allow']),
        ("args.q.startsWith('x-')", ['with args.q = "x-find": allow']),
        ("args.q.endsWith('.')", ['with args.q = "find.": allow']),
        ("!args.q.contains('nd')", ['with args.q = "fi": allow']),
        ("has(args.limit)", []),  # nothing in the condition says which
        ("has(args.limit) && args.limit < 10", ["with args.limit = 9: allow"]),
    ],
)
def test_the_nearest_text_with_which_a_call_passes(tmp_path, when, edits):
    policy = f'rules: [{{id: a, allow: crm.search, when: "{when}"}}]'
    assert list(told(tmp_path, policy, "crm.search", {"q": "find"})) == edits


POLICY = """
    rules:
      - {id: readers, allow: crm.search, to: {roles: [support, sales]}}
      - {id: bots, allow: crm.search, to: {agents: [bot], users: [ann]}}
      - {id: me, allow: crm.get_customer, to: {principals: [p9]}}
      - {id: no-guests, deny: crm.search, to: {roles: [guest]}}
      - {id: no-eve, deny: crm.search, to: {users: [eve]}, when: args.q != 'x'}
"""


@pytest.mark.parametrize(
    ("who", "edits"),
    [
        ({"user": "bob"}, ["with the role sales: allow"]),
        ({"agent": "bot", "user": "bob"}, ["with the role sales: allow", "as the user ann: allow"]),
        ({"user": "ann"}, ["with the role sales: allow", "as the agent bot: allow"]),
    ],
)
def test_another_caller_with_whom_it_passes(tmp_path, who, edits):
    assert list(told(tmp_path, POLICY, "crm.search", {"q": "y"}, **who)) == edits


def test_a_role_too_many(tmp_path):
    assert told(tmp_path, POLICY, "crm.search", {"q": "y"}, "support", "guest", user="bob") == (
        "without the role guest: allow",
    )


def test_an_unknown_user_is_told_to_become_known(tmp_path):
    assert list(told(tmp_path, POLICY, "crm.search", {"q": "y"}, "support")) == [
        "as the user ann: allow",
        'with args.q = "x": allow',
    ]
    assert "with a known user other than eve: allow" in told(
        tmp_path,
        "rules: [{id: a, allow: crm.search}, {id: b, deny: crm.search, to: {users: [eve]}}]",
        "crm.search",
        {"q": "y"},
    )


def test_a_principal_that_may(tmp_path):
    assert told(tmp_path, POLICY, "crm.get_customer", {"customer_id": 1}) == ("as the principal p9: allow",)


def test_a_time_at_which_it_passes(tmp_path):
    policy = "rules: [{id: a, allow: crm.search, when: time.getHours() >= 8}]"
    assert told(tmp_path, policy, "crm.search", {"q": "y"}) == ("at 2026-03-04T08:06:07+00:00: allow",)
    weekend = "rules: [{id: a, allow: crm.search, when: time.getDayOfWeek() == 0}]"  # 2026-03-04 is a Wednesday
    assert told(tmp_path, weekend, "crm.search", {"q": "y"}) == ("at 2026-03-08T05:06:07+00:00: allow",)


def test_arguments_off_their_contract_are_mended_from_its_examples(tmp_path):
    policy = "rules: [{id: a, allow: crm.refund}]"
    wrong = {"order_id": 2, "amount_cents": "4999", "note": "x"}
    assert told(tmp_path, policy, "crm.refund", wrong) == (
        'with the arguments {"order_id": 2, "amount_cents": 4999}: approval',
    )


def test_an_argument_that_is_missing_comes_from_an_example_of_the_whole_contract(tmp_path):
    rules = ruleset(tmp_path, "rules: [{id: a, allow: crm.refund}]")
    asked = facts(rules, "crm.refund", {"amount_cents": 7})
    (edit,) = turns(rules, asked, rules.decide(asked))
    args = json.loads(edit.removeprefix("with the arguments ").removesuffix(": approval"))
    assert args["amount_cents"] == 7
    assert rules.catalog.tools["crm.refund"].contract.check(args) == ()


def test_two_edits_are_tried_where_one_is_not_enough(tmp_path):
    policy = "rules: [{id: a, allow: crm.refund, to: {roles: [s]}, when: args.amount_cents <= 300}]"
    assert told(tmp_path, policy, "crm.refund", REFUND) == (
        "with the role s, and with args.amount_cents = 300: approval",
    )


def test_of_an_allowed_call_it_is_told_where_it_would_stop(tmp_path):
    policy = "rules: [{id: a, allow: crm.search, when: args.limit <= 50}, {id: b, allow: crm.refund, to: {roles: [s]}}]"
    assert told(tmp_path, policy, "crm.search", {"q": "x", "limit": 7}) == ("with args.limit = 51: denied",)
    assert told(tmp_path, policy, "crm.refund", REFUND, "s") == ()


def test_where_nothing_helps_nothing_is_told(tmp_path):
    assert told(tmp_path, "rules: [{id: a, allow: crm.search}]", "crm.refund", REFUND) == ()
    policy = "rules: [{id: a, allow: crm.search}, {id: b, deny: crm.search}]"
    assert told(tmp_path, policy, "crm.search", {"q": "x"}) == ()


def test_not_too_much_is_tried_or_told(tmp_path):
    roles = ", ".join(f"r{n}" for n in range(2000))
    many = " || ".join(f"args.order_id == {n}" for n in range(50))
    policy = f"rules: [{{id: a, allow: crm.refund, to: {{roles: [{roles}]}}, when: '{many}'}}]"
    assert len(told(tmp_path, policy, "crm.refund", {"order_id": 999, "amount_cents": 5})) <= MOST_TOLD


@settings(max_examples=examples(60), deadline=None)
@given(
    amount=st.integers(-5, 30) | st.text(max_size=3) | st.none() | st.booleans() | st.lists(st.integers(), max_size=2),
    limit=st.integers(0, 20),
    operator=st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
    roles=st.sets(st.sampled_from(["s", "t", "guest"])),
)
def test_whatever_the_call_an_edit_of_a_number_that_is_told_turns_it(tmp_path_factory, amount, limit, operator, roles):
    rules = ruleset(
        tmp_path_factory.mktemp("rules"),
        f"""
        rules:
          - {{id: a, allow: crm.refund, to: {{roles: [s, t]}}, when: args.amount_cents {operator} {limit}}}
          - {{id: b, deny: crm.refund, to: {{roles: [guest]}}}}
        """,
    )
    asked = facts(rules, "crm.refund", {"order_id": 1, "amount_cents": amount}, *roles)
    before = rules.decide(asked)
    for edit in turns(rules, asked, before):
        says, _, outcome = edit.rpartition(": ")
        if says.startswith("with args.amount_cents = ") and ", and" not in says:
            args = {**asked.args, "amount_cents": int(says.rpartition(" ")[2])}
            assert outcome_of(rules.decide(asked._replace(args=args))) == outcome != outcome_of(before)


def test_values_are_shown_as_json_and_cut():
    assert shown({"a": [1, "é", None]}) == '{"a": [1, "\\u00e9", null]}'
    assert shown("y" * 1000) == '"' + "y" * 79 + " ..."
    assert shown(object()) == '"object"'
