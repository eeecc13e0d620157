"""What docs/rules.md shows is what really comes."""

import json
import re
import shlex
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from proxy.cli import app
from rules.examples import run
from rules.facts import Facts
from rules.load import load
from rules.when import VARIABLES, Asking, When
from tests.rules.helpers import NOW, facts, problems

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)
REFUND = {"properties": {"order_id": {"type": "integer"}, "amount_cents": {"type": "integer"}}}


@pytest.fixture
def shown(tmp_path):
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "refund.json").write_text(json.dumps(REFUND))
    (tmp_path / "crm.yaml").write_text(BLOCKS[0][1])
    (tmp_path / "policy.yaml").write_text(BLOCKS[1][1])
    return tmp_path


def test_the_first_files_load_and_their_examples_hold(shown):
    outcomes = run(load(shown), NOW)
    assert [one.passed for one in outcomes] == [True, True]


def test_the_explanation_is_what_comes(monkeypatch):
    shown = next(text for _, text in BLOCKS if text.startswith("$ toolwall explain"))
    command, _, printed = shown.partition("\n")
    monkeypatch.chdir(Path(__file__).parents[2] / "deploy" / "demo")
    came = CliRunner().invoke(app, shlex.split(command)[2:], env={"COLUMNS": "400"})
    assert came.output.rstrip("\n") == printed.rstrip("\n")


def test_the_errors_are_what_comes(tmp_path):
    lines = [line for line in PAGE.splitlines() if re.match(r"\w+\.yaml:\d+:\d+: ", line)]
    crm = "backend: crm\nurl: https://c.test\ntools:\n  get_customer:\n    call: GET /x\n    efect: read\n"
    found = problems(tmp_path, crm=crm, policy="rules:\n  - id: a\n    allow: crm.get_custommer\n")
    assert lines == [str(one) for one in found]


def test_the_conditions_are_good_and_can_be_answered(shown):
    rules = load(shown)
    answers = []
    for line in next(text for _, text in BLOCKS if text.startswith("when:")).splitlines():
        when = When(line.removeprefix("when: "))
        args = {"amount_cents": 5, "note": "hi", "recipients": ["a@example.com"]}
        call = facts(rules, "crm.create_refund", args)
        noon = Facts(call.tool, args, call.principal, call.run, datetime(2026, 1, 1, 12, tzinfo=UTC))
        answers.append(when.ask(Asking(noon, when.uses)))
    assert answers == [True, False, True, True]


def test_the_table_of_variables_is_complete():
    assert [name for name in re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) if name in VARIABLES] == list(VARIABLES)


def test_the_placed_tool_loads_and_travels_as_told(tmp_path):
    text = next(text for _, text in BLOCKS if "encoded_slash" in text)
    tool = "".join(f"    {line}\n" for line in ["effect: write", *text.splitlines()])
    (tmp_path / "x.yaml").write_text(f"backend: x\nurl: https://x.test\ntools:\n  t:\n{tool}")
    one = load(tmp_path).catalog.tools["x.t"]
    assert {param.name: param.place for param in one.params} == {"id": "path", "file": "path", "branch": "query"}
    assert (dict(one.body_wire), one.params[1].encoded_slash) == ({"body_id": "id"}, True)
