"""Limits in rules files: the short form, the long one, several at once, and those of contracts."""

import pytest

from rules.obligations import Limit
from rules.source import read
from tests.rules.helpers import CRM, facts, problems, ruleset


def limits(tmp_path, text):
    (rule,) = ruleset(tmp_path, f"rules: [{{id: r, allow: '*', require: {{limit: {text}}}}}]").rules
    return rule.obligations


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("20/hour", [(("principal", "tool"), 20, 3600.0)]),
        ("5/10s", [(("principal", "tool"), 5, 10.0)]),
        ("2/m", [(("principal", "tool"), 2, 60.0)]),
        ("3/500ms", [(("principal", "tool"), 3, 0.5)]),
        ("1/day", [(("principal", "tool"), 1, 86400.0)]),
        ("{calls: 7/minute, per: run}", [(("run",), 7, 60.0)]),
        ("{at_once: 3, per: [tool, run]}", [(("run", "tool"), 3, 0.0)]),
        ("{calls: 9/second, at_once: 2, per: all}", [((), 9, 1.0), ((), 2, 0.0)]),
        ("[20/hour, {at_once: 1}]", [(("principal", "tool"), 20, 3600.0), (("principal", "tool"), 1, 0.0)]),
    ],
)
def test_what_a_rule_says(tmp_path, text, meant):
    assert limits(tmp_path, text) == tuple(Limit("rule r", *each) for each in meant)


def test_contracts_protect_a_backend_and_a_tool(tmp_path):
    crm = CRM.replace("    tools:", "    limit: 100/minute\n    tools:")
    crm = crm.replace(
        "        says: Find customers.", "        says: Find customers.\n        limit: {calls: 5/s, per: user}"
    )
    rules = ruleset(tmp_path, "rules: [{id: r, allow: '*', require: {limit: 20/hour}}]", crm)
    found = rules.decide(facts(rules, "crm.search", {"q": "x"})).obligations
    assert found == (
        Limit("backend crm", (), 100, 60.0),
        Limit("rule r", ("principal", "tool"), 20, 3600.0),
        Limit("tool crm.search", ("user",), 5, 1.0),
    )
    assert rules.catalog.tools["crm.get_customer"].limits == (Limit("backend crm", (), 100, 60.0),)


def test_a_limit_neither_stands_for_an_approval_nor_takes_one_away(tmp_path):
    rules = ruleset(tmp_path, "rules: [{id: r, allow: '*', require: {limit: 1/s}}]")
    decision = rules.decide(facts(rules, "crm.refund", {"order_id": 1, "amount_cents": 2}))
    assert [type(one).__name__ for one in decision.obligations] == ["Approval", "Limit"]
    (tmp_path / "policy.yaml").write_text(
        "rules: [{id: r, allow: crm.refund, require: {limit: 1/s}, waive: {approval: small}}]"
    )
    from rules.load import load

    decision = load(tmp_path).decide(facts(rules, "crm.refund", {"order_id": 1, "amount_cents": 2}))
    assert (decision.obligations, dict(decision.waived)) == (
        (Limit("rule r", ("principal", "tool"), 1, 1.0),),
        {"approval": "small"},
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("limit: 5", "must be calls per time"),
        ("limit: {per: user}", "lacks the key calls"),
        ("limit: {calls: 5/s, at_once: 2}", "is an unknown key"),
        ("limit: {calls: 5/s, per: usr}", "did you mean user?"),
    ],
)
def test_what_a_contract_cannot_say(tmp_path, text, says):
    crm = CRM.replace("        says: Find customers.", f"        says: Find customers.\n        {text}")
    found = problems(tmp_path, crm=crm)
    assert any(says in str(each) for each in found), found


def test_a_rate_is_text(tmp_path):
    node, _ = read("a.yaml", b"limit: 20/hour")
    assert node.get("limit").value == "20/hour"
