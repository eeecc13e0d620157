from rules.lint import lint
from rules.lint.findings import finding
from rules.lint.kinds import KINDS
from rules.load import load
from tests.rules.helpers import write


def test_a_finding_is_as_grave_as_its_kind_unless_it_says_otherwise():
    one = finding("says-short", ("a.yaml", 3), "crm.t", "is short")
    assert (one.level, one.rank, one.place, one.text) == ("note", 2, "a.yaml:3", "crm.t is short")
    assert one.advice == KINDS["says-short"].edit
    other = finding("says-short", ("", 0), "", "is short", "write more", "error")
    assert (other.level, other.rank, other.place, other.text, other.advice) == (
        "error",
        0,
        "",
        "is short",
        "write more",
    )


def test_a_text_from_a_file_cannot_look_like_another_line():
    one = finding("approval-waived", ("a.yaml", 3), "a", "waives approval: x\n1 backends: no errors", "do\r\nthis")
    assert (one.what, one.advice) == ("waives approval: x 1 backends: no errors", "do this")


GOOD = """
    backend: crm
    url: https://crm.test
    tools:
      get_customer:
        says: Look up one customer by number. Changes nothing.
        call: GET /customers/{id}
        args: {id: {type: integer, minimum: 1}}
"""
POLICY = """
    rules: [{id: readers, allow: crm.get_customer, to: {roles: [support]}}]
    examples: [{as: {roles: [support]}, call: crm.get_customer, args: {id: 7}, expect: allow}]
"""


def test_good_rules_are_not_talked_about(tmp_path):
    assert lint(load(write(tmp_path, crm=GOOD, policy=POLICY)), tmp_path) == ()


def test_the_gravest_comes_first_then_file_and_line(tmp_path):
    policy = """
        rules:
          - {id: b, deny: crm.get_customer, when: args.id == 'x'}
          - {id: a, allow: '*'}
    """
    findings = lint(load(write(tmp_path, crm=GOOD, policy=policy)), tmp_path)
    keys = [(one.rank, one.file, one.line) for one in findings]
    assert keys == sorted(keys)
    assert {one.level for one in findings} == {"error", "warning", "note"}


def test_without_the_folder_a_finding_has_the_line_of_its_tool_or_rule(tmp_path):
    rules = load(write(tmp_path, crm=GOOD.replace("says: Look up one customer by number. Changes nothing.", "says: X")))
    assert {(one.file, one.line) for one in lint(rules) if one.id == "says-short"} == {("crm.yaml", 4)}
    assert {(one.file, one.line) for one in lint(rules, tmp_path) if one.id == "says-short"} == {("crm.yaml", 5)}


def test_documents_that_were_read_are_not_read_again(tmp_path):
    short = GOOD.replace("says: Look up one customer by number. Changes nothing.", "says: X")
    folder, documents = write(tmp_path, crm=short, policy=POLICY), {}
    rules = load(folder, documents=documents)
    assert set(documents) == {"crm.yaml", "policy.yaml"}
    for file in documents:
        (folder / file).unlink()
    found = lint(rules, folder, documents=documents)
    assert {(one.file, one.line) for one in found if one.id == "says-short"} == {("crm.yaml", 5)}
