"""`toolwall check` and `schema`: what they print and how they end."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from rules.load import load
from tests.proxy.rulescli import CRM, POLICY, rules_folder, toolwall
from tests.rules.mutations import mutations

DEMO = Path(__file__).parents[2] / "deploy" / "demo" / "rules"


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return rules_folder(tmp_path, monkeypatch)


def test_check_of_good_rules(rules: Path) -> None:
    code, out, err = toolwall("check")
    assert (code, err) == (0, "")
    assert (
        out.splitlines()[-1] == f"1 backends, 2 tools, 2 rules: no errors, 0 warnings, revision {load(rules).revision}"
    )
    assert toolwall("check", str(rules)) == (code, out, err)


def test_warnings_are_allowed(rules: Path) -> None:
    (rules / "more.yaml").write_text("rules:\n  - {id: everything, allow: '*'}\n")
    code, out, err = toolwall("check")
    assert (code, err) == (0, "")
    warnings = [line for line in out.splitlines() if line.startswith("more.yaml:2: warning: ")]
    assert warnings
    assert f"no errors, {out.count(': warning: ')} warnings" in out


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
    assert toolwall(command, *args)[0] == 3


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
