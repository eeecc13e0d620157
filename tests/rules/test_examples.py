from rules.examples import failures, outcome_of, run
from tests.rules.helpers import NOW, facts, ruleset

POLICY = """
    rules:
      - {id: read, allow: crm.search, to: {roles: [s]}}
      - {id: pay, allow: crm.refund, to: {roles: [s]}, when: args.amount_cents < 100}
      - {id: night, deny: crm.search, when: time.getHours() < 4}
    examples:
"""
REFUND = "call: crm.refund, args: {order_id: 1, amount_cents: 5}"
MUCH = "call: crm.refund, args: {order_id: 1, amount_cents: 500}"


def results(folder, *examples):
    lines = "".join(f"      - {{{one}}}\n" for one in examples)
    return run(ruleset(folder, POLICY + lines), NOW)


def test_examples_that_hold(tmp_path):
    found = results(
        tmp_path,
        "as: {roles: [s]}, call: crm.search, args: {q: x}, expect: allow",
        "as: {roles: [t]}, call: crm.search, args: {q: x}, expect: unknown_tool",
        "as: {roles: [t]}, call: crm.search, args: {q: x}, expect: deny",
        "as: {roles: [s]}, call: crm.search, args: {q: 1}, expect: schema_violation",
        "as: {roles: [s]}, call: crm.search, expect: deny",
        f"as: {{roles: [s]}}, {REFUND}, expect: approval",
        f"as: {{roles: [s]}}, {REFUND}, expect: approval_pending",
        f"as: {{roles: [s]}}, {MUCH}, expect: denied",
        "as: {}, call: crm.nothing, expect: unknown_tool",
        "as: {}, call: crm.nothing, expect: deny",
    )
    assert [(one.example.line, one.passed) for one in found] == [(line, True) for line in range(6, 16)]
    assert failures(found) == ()


def test_examples_that_do_not_hold_say_what_came_instead(tmp_path):
    found = results(
        tmp_path,
        "as: {roles: [t]}, call: crm.search, args: {q: x}, expect: allow",
        f"as: {{roles: [s]}}, {REFUND}, expect: allow",
        f"as: {{roles: [s]}}, {REFUND}, expect: deny",
        f"as: {{roles: [s]}}, {MUCH}, expect: unknown_tool",
        "as: {roles: [s]}, call: crm.search, args: {q: x}, expect: deny",
    )
    assert [one.got for one in failures(found)] == ["unknown_tool", "approval", "approval", "denied", "allow"]
    assert found[0].as_text() == "policy.yaml:6: crm.search as t: expected allow, got unknown_tool"
    assert found[4].as_text() == "policy.yaml:10: crm.search as s: expected deny, got allow, by read"


def test_examples_are_asked_at_the_time_that_is_given(tmp_path):
    rules = ruleset(tmp_path, POLICY + "      - {as: {roles: [s]}, call: crm.search, args: {q: x}, expect: denied}\n")
    assert not run(rules, NOW)[0].passed
    assert run(rules, NOW.replace(hour=3))[0].passed


def test_a_decision_in_one_word(tmp_path):
    rules = ruleset(tmp_path, POLICY.replace("examples:", ""))
    assert outcome_of(rules.decide(facts(rules, "crm.search", {"q": "x"}, "s"))) == "allow"
    assert outcome_of(rules.decide(facts(rules, "crm.search", {}, "s"))) == "schema_violation"
