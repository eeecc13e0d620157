import json

import pytest

from rules.lint import lint
from rules.lint.inputs import MOST_PLACES
from rules.load import load
from tests.rules.helpers import write
from tests.rules.lint.tables import ALLOWED, cases, check, found


@pytest.mark.parametrize(("kind", "wanted", "case"), cases("inputs"))
def test_findings_about_inputs(tmp_path, kind, wanted, case):
    check(tmp_path, kind, wanted, case)


def about(folder, kind, args):
    tool = {"says": "Note it.", "call": "POST /x", "effect": "write", "args": args}
    return [one for one in found(folder, {"tool": tool}) if one.id == kind]


def test_a_finding_names_the_first_arguments_and_counts_the_others(tmp_path):
    (one,) = about(tmp_path, "unbounded-text", {name: {"type": "string"} for name in "edcba"})
    assert one.text == "crm.t takes a text of any length as a, b, c and 2 more"


def test_a_finding_points_to_the_argument(tmp_path):
    crm = """\
        backend: crm
        url: https://crm.test
        tools:
          t:
            says: Note it.
            call: POST /x
            effect: write
            args:
              n: {type: integer}
              filter: {type: object, properties: {q: {type: string}}}
    """
    (one,) = [each for each in found(tmp_path, {"backend": crm}) if each.id == "unbounded-text"]
    assert (one.place, one.text.rpartition(" ")[2]) == ("crm.yaml:10", "filter.q")


def test_schemas_that_lead_in_circles_come_to_an_end(tmp_path):
    (tmp_path / "node.json").write_text(
        json.dumps({"type": "object", "properties": {"next": {"$ref": "node.json"}, "q": {"type": "string"}}})
    )
    crm = "{backend: crm, url: https://crm.test, tools: {t: {call: POST /x, effect: write, input: {type: object,"
    crm += " properties: {a: {$ref: node.json}}}}}}"
    write(tmp_path, crm=crm, policy=ALLOWED)
    texts = [one.text for one in lint(load(tmp_path), tmp_path) if one.id == "unbounded-text"]
    assert texts == ["crm.t takes a text of any length as a.q, a.next.q"]


def test_a_huge_contract_is_looked_at_up_to_a_bound(tmp_path):
    many = {f"a{index}": {"type": "string"} for index in range(2 * MOST_PLACES)}
    (one,) = about(tmp_path, "unbounded-text", many)
    assert int(one.text.split()[-2]) < MOST_PLACES
