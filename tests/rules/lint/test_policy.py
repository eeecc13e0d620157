import json

import pytest

from rules.lint import lint
from rules.lint.policy import MOST_CALLERS, MOST_JUDGED, callers, includes
from rules.load import load
from rules.rule import EVERYBODY, To
from tests.rules.helpers import ruleset, write
from tests.rules.lint.tables import cases, check


@pytest.mark.parametrize(("kind", "wanted", "case"), cases("policy"))
def test_findings_about_rules(tmp_path, kind, wanted, case):
    check(tmp_path, kind, wanted, case)


def test_everybody_includes_all_and_nobody_includes_everybody():
    some = To(roles=frozenset({"a"}), agents=frozenset({"bot"}))
    assert includes(EVERYBODY, some)
    assert not includes(some, EVERYBODY)
    assert includes(To(roles=frozenset({"a", "b"})), some)
    assert not includes(To(roles=frozenset({"b"})), some)
    assert not includes(To(users=frozenset({"u"})), some)


def test_callers_are_those_whom_rules_allow_something(tmp_path):
    policy = """
        rules:
          - {id: a, allow: crm.*, to: {roles: [x, y]}}
          - {id: b, allow: crm.*, to: {agents: [bot], users: [ann, bob]}}
          - {id: c, deny: crm.*, to: {roles: [z]}}
    """
    assert [words for words, _ in callers(ruleset(tmp_path, policy))] == [
        "a caller without a role",
        "the role x",
        "the role y",
        "the caller bot ann",
        "the caller bot bob",
    ]


def test_callers_are_counted_up_to_a_bound(tmp_path):
    many = ", ".join(f"n{index}" for index in range(50))
    policy = f"rules: [{{id: a, allow: crm.*, to: {{agents: [{many}], users: [{many}]}}}}]"
    assert sum(1 for _ in callers(ruleset(tmp_path, policy))) == MOST_CALLERS


def test_a_condition_of_a_wide_rule_is_read_for_some_tools_and_called_nothing_for_all(tmp_path):
    tools = {f"t{index}": {"call": f"GET /{index}"} for index in range(MOST_JUDGED + 1)}
    write(tmp_path, crm=json.dumps({"backend": "crm", "url": "https://crm.test", "tools": tools}))
    write(tmp_path, policy="rules: [{id: a, deny: crm.*, when: has(args.n)}, {id: b, deny: crm.*, when: 'false'}]")
    found = [one for one in lint(load(tmp_path)) if one.id.startswith(("when-", "rule-never"))]
    assert [(one.about, one.id, one.level) for one in found] == [("a", "when-unknown-argument", "warning")]
