import pytest

from rules.obligations import Approval
from rules.rule import EVERYBODY, Effect, To
from tests.rules.helpers import CRM, problems, ruleset


def rule(folder, text):
    (found,) = ruleset(folder, f"rules: [{{id: a, {text}}}]").rules
    return found


def test_a_rule_is_read_with_all_that_it_says(tmp_path):
    one = rule(
        tmp_path,
        "says: Why., allow: [crm.get_*, crm.search], to: {roles: [x, y], agents: bot, users: ann, principals: [p]}, "
        "when: args.q == 'x', require: {approval: {by: boss, within: 15m}}",
    )
    assert (one.id, one.effect, one.tools, one.says) == ("a", Effect.ALLOW, ("crm.get_*", "crm.search"), "Why.")
    assert one.to == To(frozenset({"x", "y"}), frozenset({"bot"}), frozenset({"ann"}), frozenset({"p"}))
    assert (one.when.text, one.obligations) == ("args.q == 'x'", (Approval("boss", 900.0),))
    assert (one.file, one.line) == ("policy.yaml", 1)


def test_the_least_that_a_rule_says(tmp_path):
    one = rule(tmp_path, "deny: '*'")
    assert (one.effect, one.tools, one.to, one.when, one.obligations) == (Effect.DENY, ("*",), EVERYBODY, None, ())
    assert one.waive == {}


@pytest.mark.parametrize(
    ("text", "path", "says"),
    [
        ("allow: crm.get_customr", "rules[0].allow", "did you mean crm.get_customer?"),
        ("deny: [crm.search, erp.*]", "rules[0].deny[1]", "erp.* matches no tool"),
        ("allow: '*', deny: '*'", "rules[0]", "exactly one of the keys allow, deny"),
        ("to: {roles: [x]}", "rules[0]", "exactly one of the keys allow, deny"),
        ("allow: '*', when: argz.x == 1", "rules[0].when", "undeclared reference"),
        ("allow: '*', when: '1'", "rules[0].when", "must be yes or no"),
        ("allow: '*', when: true", "rules[0].when", "put it into quotes"),
        ("allow: '*', to: {role: [x]}", "rules[0].to.role", "did you mean roles?"),
        ("allow: '*', to: {}", "rules[0].to", "is empty"),
        ("allow: '*', to: {roles: []}", "rules[0].to.roles", "is an empty list"),
        ("allow: '*', to: {roles: [1]}", "rules[0].to.roles[0]", "put it into quotes"),
        ("allow: '*', require: {}", "rules[0].require", "is empty"),
        ("allow: '*', require: {approval: {by: x}}", "rules[0].require.approval", "lacks the key within"),
        ("allow: '*', require: {limit: 20}", "rules[0].require.limit", "must be calls per time"),
        ("allow: '*', require: {limit: 0/hour}", "rules[0].require.limit", "such as 20/hour"),
        ("allow: '*', require: {limit: []}", "rules[0].require.limit", "is an empty list"),
        ("allow: '*', require: {limit: {per: run}}", "rules[0].require.limit", "limits nothing"),
        ("allow: '*', require: {limit: {calls: 1/s, per: [all, run]}}", "rules[0].require.limit.per[0]", "`all` alone"),
        ("allow: '*', require: {limit: [1/s, 2/1s]}", "rules[0].require.limit[1]", "says the same twice"),
        ("deny: '*', require: {approval: {by: x, within: 1m}}", "rules[0].require", "has no meaning in a deny"),
        ("deny: '*', waive: {approval: x}", "rules[0].waive", "has no meaning in a deny"),
        ("allow: crm.refund, waive: {approval: ''}", "rules[0].waive.approval", "must be text that is not empty"),
        ("allow: crm.refund, waive: {limit: x}", "rules[0].waive.limit", "is an unknown key"),
        (
            "allow: crm.wipe, waive: {approval: x}",
            "rules[0].waive",
            "cannot waive the approval of crm.wipe, an admin tool",
        ),
        (
            "allow: 'crm.*', waive: {approval: x}",
            "rules[0].waive",
            "cannot waive the approval of crm.wipe, an admin tool",
        ),
        (
            "allow: crm.refund, waive: {approval: x}, require: {approval: {by: x, within: 1m}}",
            "rules[0].waive",
            "waives what the same rule requires",
        ),
    ],
)
def test_what_can_be_no_rule_is_refused_with_its_place(tmp_path, text, path, says):
    found = problems(tmp_path, crm=CRM, policy=f"rules: [{{id: a, {text}}}]")
    assert any(one.path == path and says in str(one) for one in found), [str(one) for one in found]


@pytest.mark.parametrize("name", ["", "a b", "1a", "é", "a" * 65])
def test_a_rule_has_a_name_that_records_can_carry(tmp_path, name):
    (found,) = problems(tmp_path, crm=CRM, policy=f'rules: [{{id: "{name}", deny: "*"}}]')
    assert found.path == "rules[0].id"
