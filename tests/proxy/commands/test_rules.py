"""`toolwall check` and `schema`: what they print and how they end."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from rules.load import load
from tests.proxy.rulescli import CRM, POLICY, rules_folder, toolwall
from tests.rules.mutations import mutations

DEMO = Path(__file__).parents[3] / "deploy" / "demo" / "rules"


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return rules_folder(tmp_path, monkeypatch)


def test_check_of_rules_without_errors(rules: Path) -> None:
    code, out, err = toolwall("check")
    assert (code, err) == (0, "")
    last = out.splitlines()[-1]
    assert last.startswith("1 backends, 2 tools, 2 rules: no errors, no warnings, ")
    assert last.endswith(f", revision {load(rules).revision}")
    assert toolwall("check", str(rules)) == (code, out, err)


def test_warnings_are_allowed(rules: Path) -> None:
    (rules / "more.yaml").write_text("rules:\n  - {id: everything, allow: '*'}\n")
    code, out, err = toolwall("check")
    assert (code, err) == (0, "")
    assert "warning allows-everything: a rule allows every tool\n  more.yaml:2: everything allows every tool\n" in out
    assert "no errors, 1 warning, " in out


def test_errors_are_not(rules: Path) -> None:
    (rules / "policy.yaml").write_text(POLICY.replace("args.cents <= 100", "args.cents <= '100'"))
    code, out, err = toolwall("check")
    assert (code, err) == (1, "")
    assert "  policy.yaml:6: small compares args.cents, an integer, with '100' by <=\n" in out
    assert ": 1 error, " in out


def test_a_review_as_json_and_sarif(rules: Path) -> None:
    (rules / "policy.yaml").write_text(POLICY.replace("args.cents <= 100", "args.cents <= '100'"))
    code, out, err = toolwall("check", "--format", "json")
    assert (code, err) == (1, "")
    made = json.loads(out)
    assert (made["revision"], made["tools"], made["counts"]["error"]) == (load(rules).revision, 2, 1)
    assert (made["findings"][0]["id"], made["findings"][0]["line"]) == ("when-wrong-type", 6)
    code, out, err = toolwall("check", "--format", "sarif")
    assert (code, err) == (1, "")
    (run,) = json.loads(out)["runs"]
    where = run["results"][0]["locations"][0]["physicalLocation"]
    assert where == {"artifactLocation": {"uri": "rules/policy.yaml"}, "region": {"startLine": 6}}
    code, out, _ = toolwall("check", "--format", "sarif", str(rules))
    uri = json.loads(out)["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == (rules / "policy.yaml").as_uri()


@pytest.mark.parametrize("form", ["json", "sarif"])
def test_rules_that_cannot_be_used_are_findings_for_programs(rules: Path, form: str) -> None:
    (rules / "crm.yaml").write_text(CRM.replace("says: Look", "sayz: Look"))
    code, out, err = toolwall("check", "--format", form)
    assert (code, err) == (1, "")
    made = json.loads(out)
    found = made["findings"] if form == "json" else made["runs"][0]["results"]
    assert [one.get("id") or one["ruleId"] for one in found] == ["broken-file"]
    assert "did you mean says?" in out


def test_the_page_about_check_is_true(rules: Path) -> None:
    page = (DEMO.parents[2] / "docs" / "check.md").read_text(encoding="utf-8")
    crm, policy = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (rules / "crm.yaml").write_text(crm.partition("\n")[2])
    (rules / "policy.yaml").write_text(policy.partition("\n")[2])
    code, out, _ = toolwall("check")
    assert code == 1
    assert re.sub(r"revision [0-9a-f]+", "revision ...", out).strip() in page


def test_all_places_are_shown_on_demand(rules: Path) -> None:
    lines = "".join(f"  t{index}: {{call: GET /t{index}}}\n" for index in range(9))
    (rules / "crm.yaml").write_text(CRM + lines)
    _, few, _ = toolwall("check")
    _, every, _ = toolwall("check", "--all")
    assert "and 6 more in 1 file (--all shows them)" in few
    assert "--all" not in every
    assert all(f"crm.t{index} does not say what it is for" in every for index in range(9))


def test_a_review_has_a_format_that_exists(rules: Path) -> None:
    assert toolwall("check", "--format", "xml")[0] == 2


def test_what_a_file_holds_cannot_move_the_cursor(rules: Path) -> None:
    (rules / "policy.yaml").write_text(POLICY + "  - {as: {}, call: crm.none, expect: deny}\n")
    (rules / "more.yaml").write_text('rules: [{id: w, allow: crm.refund, waive: {approval: "a\\e[2Jb\\nc"}}]\n')
    code, out, _ = toolwall("check")
    assert code == 0
    assert "approval-waived" in out
    assert "\x1b" not in out


def test_check_names_all_that_is_wrong(rules: Path) -> None:
    (rules / "crm.yaml").write_text(CRM.replace("says: Look", "sayz: Look"))
    (rules / "policy.yaml").write_text(POLICY.replace("roles: [billing]", "rolls: [billing]", 1))
    code, out, err = toolwall("check")
    assert (code, out) == (1, "")
    lines = err.splitlines()
    assert "crm.yaml:5:5: tools.get.sayz: is an unknown key (did you mean says?)" in lines
    assert "policy.yaml:5:10: rules[1].to.rolls: is an unknown key (did you mean roles?)" in lines


@pytest.mark.parametrize("command", ["check", "test", "explain"])
def test_a_folder_that_is_not_there(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    args = ["--call", "crm.get", "--rules", "nowhere"] if command == "explain" else ["nowhere"]
    code, out, err = toolwall(command, *args)
    assert (code, out) == (3, "")
    assert err.startswith("There is no rules folder nowhere. ")
    (tmp_path / "nowhere").write_text("a file")
    code, out, err = toolwall(command, *args)
    assert (code, out) == (3, "")
    assert err.startswith("nowhere is no folder. ")


@pytest.mark.parametrize("command", ["check", "test", "explain"])
def test_rules_that_cannot_be_used_are_1(rules: Path, command: str) -> None:
    (rules / "policy.yaml").write_text('rules:\n  - {id: "a\\e[2J", allow: crm.gett}\n')
    code, out, err = toolwall(command, *(["--call", "crm.get"] if command == "explain" else []))
    assert (code, out) == (1, "")
    assert err.startswith("policy.yaml:2:")
    assert all(line.isprintable() for line in err.splitlines())


def test_the_schema_is_one_and_takes_the_rules_of_the_demo() -> None:
    code, out, err = toolwall("schema")
    assert (code, err) == (0, "")
    schema = json.loads(out)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for file in DEMO.glob("*.yaml"):
        validator.validate(yaml.safe_load(file.read_text()))
    misspelt = [
        each for each in mutations(DEMO) if each.kind == "misspelt" and each.key in ("says", "call", "allow", "id")
    ]
    assert len(misspelt) > 20
    for each in misspelt[::4]:
        assert not validator.is_valid(yaml.safe_load(each.text)), each
