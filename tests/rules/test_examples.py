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


def test_an_example_may_say_when_and_where_it_is_called(tmp_path):
    policy = """
    rules:
      - {id: day, allow: crm.search, when: time.getHours() >= 8 && network.peer == '10.0.0.9' && run.step < 3}
    examples:
      - {as: {}, call: crm.search, args: {q: x}, at: 2026-01-31T08:00:00Z, peer: 10.0.0.9, step: 2, expect: allow}
      - {as: {}, call: crm.search, args: {q: x}, at: "2026-01-31T08:00:00+01:00", peer: 10.0.0.9, expect: denied}
      - {as: {}, call: crm.search, args: {q: x}, at: 2026-01-31T08:00:00Z, expect: denied}
      - {as: {}, call: crm.search, args: {q: x}, at: 2026-01-31T08:00:00Z, peer: 10.0.0.9, step: 3, expect: denied}
    """
    assert failures(run(ruleset(tmp_path, policy), NOW)) == ()


MAIL = "reply: {body: {id: 7, mail: ann@mail.example}}"
SEARCH = "as: {roles: [s]}, call: crm.search, args: {q: x}, expect: allow"


def test_replies_that_come_back_as_told(tmp_path):
    found = results(
        tmp_path,
        f"{SEARCH}, {MAIL}, expect_reply: {{redacted: {{/mail: EMAIL_ADDRESS}}}}",
        f"{SEARCH}, reply: {{body: {{id: 7}}}}, expect_reply: unchanged",
        f"{SEARCH}, reply: {{text: '%PDF', type: application/pdf}}, expect_reply: refused",
        f"as: {{roles: [s]}}, {REFUND}, expect: approval, {MAIL}, expect_reply: {{redacted: {{/mail: EMAIL_ADDRESS}}}}",
    )
    assert [one.passed for one in found] == [True] * 4
    assert found[0].as_text() == "policy.yaml:6: crm.search as s: allow, reply redacted EMAIL_ADDRESS at /mail"


def test_replies_that_come_back_otherwise(tmp_path):
    found = results(
        tmp_path,
        f"{SEARCH}, {MAIL}, expect_reply: unchanged",
        f"{SEARCH}, {MAIL}, expect_reply: {{redacted: {{/mail: EMAIL_ADDRESS, /id: US_SSN}}}}",
        f"{SEARCH}, {MAIL}, expect_reply: {{redacted: {{/mail: US_SSN}}}}",
        f"{SEARCH}, {MAIL}, expect_reply: refused",
        f"as: {{roles: [t]}}, call: crm.search, args: {{q: x}}, expect: allow, {MAIL}, expect_reply: unchanged",
        f"as: {{roles: [s]}}, {REFUND}, expect: allow, {MAIL}, expect_reply: unchanged",
    )
    assert [one.passed for one in found] == [False] * 6
    got = "got allow, reply redacted EMAIL_ADDRESS at /mail"
    assert [one.trouble() for one in found] == [
        f"expected allow, reply unchanged, {got}",
        f"expected allow, reply redacted US_SSN at /id; EMAIL_ADDRESS at /mail, {got}",
        f"expected allow, reply redacted US_SSN at /mail, {got}",
        f"expected allow, reply refused, {got}",
        "expected allow, got unknown_tool",
        "expected allow, got approval, by pay",
    ]


def test_an_example_is_named_by_its_caller(tmp_path):
    found = results(tmp_path, "as: {roles: [s, a], agent: bot, user: ann}, call: crm.none, expect: deny")
    assert found[0].name == "crm.none as a, s; bot; ann"
    assert results(tmp_path, "as: {}, call: crm.none, expect: deny")[0].name == "crm.none as anyone"
