from rules.coverage import coverage, wanted
from rules.examples import run
from tests.rules.helpers import NOW, ruleset

POLICY = """
    rules:
      - {id: read, allow: crm.search, to: {roles: [s, t]}}
      - {id: pay, allow: crm.refund, to: {roles: [s]}, when: args.amount_cents < 100}
      - {id: not-x, deny: crm.search, when: args.q == 'x'}
      - {id: not-guests, deny: "*", to: {roles: [guest]}}
"""


def covered(folder, *examples):
    lines = "".join(f"      - {{{one}}}\n" for one in examples)
    rules = ruleset(folder, POLICY + ("    examples:\n" + lines if examples else ""))
    return coverage(rules, run(rules, NOW))


def missing(found):
    return [rule.id for rule in found.missing]


SEARCH = "call: crm.search, args: {q: y}"


def test_without_examples_nothing_is_covered(tmp_path):
    found = covered(tmp_path)
    assert missing(found) == ["read", "pay", "not-x", "not-guests"]
    assert (found.rules, found.percent) == (4, 0)


def test_a_rule_that_allows_needs_a_call_that_it_grants(tmp_path):
    found = covered(
        tmp_path,
        f"as: {{roles: [t]}}, {SEARCH}, expect: allow",
        "as: {roles: [s]}, call: crm.refund, args: {order_id: 1, amount_cents: 500}, expect: denied",
    )
    assert missing(found) == ["pay", "not-x", "not-guests"]
    assert found.percent == 25


def test_an_approval_is_a_grant_too(tmp_path):
    found = covered(
        tmp_path, "as: {roles: [s]}, call: crm.refund, args: {order_id: 1, amount_cents: 5}, expect: approval"
    )
    assert "pay" not in missing(found)


def test_a_rule_that_denies_needs_a_call_that_it_stops(tmp_path):
    found = covered(
        tmp_path,
        "as: {roles: [s]}, call: crm.search, args: {q: x}, expect: denied",
        f"as: {{roles: [s, guest]}}, {SEARCH}, expect: unknown_tool",
    )
    assert missing(found) == ["read", "pay"]


def test_a_call_that_another_reason_stops_covers_no_deny(tmp_path):
    found = covered(tmp_path, "as: {roles: [s]}, call: crm.search, args: {q: 1}, expect: schema_violation")
    assert missing(found) == ["read", "pay", "not-x", "not-guests"]


def test_a_deny_of_what_no_rule_allows_is_exercised_too(tmp_path):
    found = covered(tmp_path, "as: {roles: [guest]}, call: crm.wipe, expect: unknown_tool")
    assert missing(found) == ["read", "pay", "not-x"]
    assert "not-guests" in missing(covered(tmp_path, "as: {roles: [s]}, call: crm.wipe, expect: unknown_tool"))


def test_of_two_rules_that_deny_a_call_both_are_exercised(tmp_path):
    found = covered(tmp_path, "as: {roles: [s, guest]}, call: crm.search, args: {q: x}, expect: deny")
    assert missing(found) == ["read", "pay"]


def test_a_failed_example_covers_nothing(tmp_path):
    found = covered(tmp_path, f"as: {{roles: [t]}}, {SEARCH}, expect: denied")
    assert "read" in missing(found)


def test_an_example_of_a_tool_that_does_not_exist_covers_nothing(tmp_path):
    assert covered(tmp_path, "as: {}, call: crm.none, expect: deny").percent == 0


def test_percent_is_rounded_down_and_no_rules_are_all_covered(tmp_path):
    rules = ruleset(tmp_path, "examples: [{as: {}, call: crm.search, expect: deny}]")
    assert coverage(rules, run(rules, NOW)).percent == 100
    policy = "".join(f"{{id: r{n}, allow: crm.search, to: {{roles: [r{n}]}}}}, " for n in range(3))
    examples = "".join(f"{{as: {{roles: [r{n}]}}, {SEARCH}, expect: allow}}, " for n in range(2))
    rules = ruleset(tmp_path, f"rules: [{policy}]\nexamples: [{examples}]")
    assert coverage(rules, run(rules, NOW)).percent == 66


def test_it_says_what_is_missing(tmp_path):
    assert [wanted(rule) for rule in covered(tmp_path).missing] == [
        "policy.yaml:2: read (allow): no example is allowed by it",
        "policy.yaml:3: pay (allow): no example is allowed by it",
        "policy.yaml:4: not-x (deny): no example is denied by it",
        "policy.yaml:5: not-guests (deny): no example is denied by it",
    ]
