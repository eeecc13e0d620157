import pytest

from rules.explain import explain
from rules.load import load
from tests.rules.helpers import facts, ruleset

POLICY = """
    rules:
      - id: readers
        allow: [crm.search, crm.refund]
        to: {roles: [support]}
        when: args.amount_cents <= 500
      - id: bots
        allow: crm.search
        to: {agents: [bot], principals: [p1]}
      - id: no-eve
        deny: crm.search
        to: {users: [eve]}
      - id: no-root
        deny: crm.refund
        when: args.order_id == 1
      - id: wipers
        allow: crm.wipe
"""
REFUND = {"order_id": 2, "amount_cents": 400}


def told(folder, tool, args, *roles, **who):
    rules = ruleset(folder, POLICY)
    return explain(rules, facts(rules, tool, args, *roles, **who))


def lines(explanation):
    return [one.as_text() for one in explanation.reasons]


def test_each_rule_says_how_it_came_out_and_why(tmp_path):
    found = told(tmp_path, "crm.search", {"q": "x"}, "support", user="ann")
    assert [(one.rule.id, one.matched) for one in found.reasons] == [
        ("readers", None),
        ("bots", None),
        ("no-eve", False),
    ]
    first, second, third = lines(found)
    assert first.startswith("policy.yaml:2: readers (allow) cannot tell: `args.amount_cents <= 500` cannot be answered")
    assert "args.amount_cents missing" in first
    assert second == "policy.yaml:6: bots (allow) cannot tell: it is about agents bot; this caller's agent is unknown"
    assert third == "policy.yaml:9: no-eve (deny) does not match: it is about users eve"


@pytest.mark.parametrize(
    ("tool", "args", "roles", "outcome", "change"),
    [
        ("crm.rename", {"id": 1, "name": "x"}, ["support"], "unknown_tool", "no rule allows crm.rename: add one"),
        ("crm.refund", REFUND, ["billing"], "unknown_tool", "readers would allow it, but it is about roles support"),
        ("crm.refund", {"order_id": 2}, ["support"], "schema_violation", "/amount_cents: it is missing"),
        (
            "crm.refund",
            {"order_id": 2, "amount_cents": 900},
            ["support"],
            "denied",
            "readers would allow it, but `args.amount_cents <= 500` is false with args.amount_cents = 900",
        ),
        (
            "crm.refund",
            {**REFUND, "order_id": 1},
            ["support"],
            "denied",
            "policy.yaml:12: narrow or remove the rule no-root",
        ),
        ("crm.refund", REFUND, ["support"], "approval", "in readers would take the approval away"),
        ("crm.wipe", {}, [], "approval", "nothing: a call to an admin tool always needs an approval"),
        ("crm.search", {"q": "x"}, ["support"], "unknown_tool", "narrow or remove the rule no-eve"),
    ],
)
def test_what_would_change_it_is_said_in_words(tmp_path, tool, args, roles, outcome, change):
    text = told(tmp_path, tool, args, *roles).as_text()
    assert text.splitlines()[0].endswith(f": {outcome}")
    assert change in text


def test_following_the_advice_turns_the_decision_around(tmp_path):
    before = told(tmp_path, "crm.refund", {**REFUND, "order_id": 1}, "support")
    assert before.decision.denied
    policy = tmp_path / "policy.yaml"
    start = policy.read_text().splitlines()
    policy.write_text("\n".join(start[:11] + start[14:]))
    rules = load(tmp_path)
    assert not explain(rules, facts(rules, "crm.refund", {**REFUND, "order_id": 1}, "support")).decision.denied


def test_long_values_are_cut_and_strange_ones_are_named(tmp_path):
    rules = ruleset(tmp_path, "rules: [{id: a, allow: crm.search, when: args.q == 'x'}]")
    long = explain(rules, facts(rules, "crm.search", {"q": "y" * 1000})).as_text()
    assert "y" * 70 in long
    assert "y" * 81 not in long


def test_the_whole_text(tmp_path):
    rules = ruleset(tmp_path, "rules: [{id: a, allow: crm.refund, to: {roles: [s]}, waive: {approval: tiny}}]")
    text = explain(rules, facts(rules, "crm.refund", REFUND, "s", agent="bot", user="ann")).as_text()
    assert text == "\n".join(
        [
            "crm.refund as p1; roles s; agent bot; user ann: allow",
            "  the tool is declared in crm.yaml:17, effect irreversible",
            "  policy.yaml:1: a (allow) matches: it has no condition",
            "  waived: approval, because: tiny",
            f"Rules revision {rules.revision}",
        ]
    )
