import pytest

from rules.lint import lint
from rules.load import load
from tests.rules.helpers import CRM, ruleset, write


def found(folder, policy, crm=CRM):
    return [str(one) for one in lint(ruleset(folder, policy, crm))]


EXAMPLE = "examples: [{as: {}, call: crm.none, expect: deny}]"
QUIET = f"{{rules: [{{id: a, allow: '*', to: {{roles: [x]}}}}], {EXAMPLE}}}"


def test_good_rules_are_not_talked_about(tmp_path):
    assert found(tmp_path, QUIET) == []


def test_a_folder_without_rules_is_a_warning(tmp_path):
    (one,) = lint(load(tmp_path))
    assert (one.level, str(one)) == (
        "warning",
        "warning: there are no rules, so every call is refused (add a file with `rules:`)",
    )


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        ("rules: [{id: a, allow: '*', to: {roles: [x]}}]", "note: there are no examples"),
        (f"{{rules: [{{id: a, allow: '*'}}], {EXAMPLE}}}", "policy.yaml:1: warning: a allows its tools to everybody"),
        (f"{{rules: [{{id: a, allow: 'crm.*'}}], {EXAMPLE}}}", "policy.yaml:1: note: a allows its tools to everybody"),
        (
            f"{{rules: [{{id: a, allow: crm.refund, to: {{roles: [x]}}, waive: {{approval: tiny}}}}], {EXAMPLE}}}",
            "policy.yaml:1: note: a waives approval: tiny (remove the waiver when its reason is gone)",
        ),
        (
            f"{{rules: [{{id: a, allow: crm.search, to: {{roles: [x]}}}}], {EXAMPLE}}}",
            "crm.yaml:4: warning: crm.get_customer is allowed by no rule (allow it to somebody, or remove the tool)",
        ),
    ],
)
def test_what_deserves_a_second_look_in_a_policy(tmp_path, policy, says):
    assert any(one.startswith(says) for one in found(tmp_path, policy))


@pytest.mark.parametrize(
    ("tool", "says"),
    [
        ("call: GET /x", "crm.t does not say what it is for"),
        ("says: T., call: POST /x, effect: read", "note: crm.t is a POST with the effect read"),
        ("says: T., call: GET /x, reply: {redact: off}", "note: crm.t has answers that are not cleaned"),
        ("says: T., call: GET /x, reply: {on_error: pass}", "warning: crm.t passes answers that could not be checked"),
        ("says: T., call: GET /x, input: {additionalProperties: true}", "warning: crm.t takes arguments that are not"),
    ],
)
def test_what_deserves_a_second_look_in_a_tool(tmp_path, tool, says):
    crm = f"{{backend: crm, url: https://c.test, tools: {{t: {{{tool}}}}}}}"
    (one,) = found(tmp_path, QUIET, crm)
    assert says in one


def test_findings_are_sorted_by_place(tmp_path):
    write(tmp_path, z="rules: [{id: z, allow: '*'}]")
    places = [(one.file, one.line) for one in lint(ruleset(tmp_path, "rules: [{id: a, allow: crm.search}]"))]
    assert places == sorted(places)
