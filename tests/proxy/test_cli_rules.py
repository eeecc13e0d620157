"""`toolwall check`, `test`, `explain` and `schema`: what they print and how they end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from proxy.cli import app
from proxy.ledger import Ledger
from proxy.state import LEDGER_HEAD, load_key, state_folder
from rules.load import load
from tests.rules.mutations import mutations

DEMO = Path(__file__).parents[2] / "deploy" / "demo" / "rules"
CRM = """\
backend: crm
url: https://crm.test/api
tools:
  get:
    says: Look up one customer. Changes nothing.
    call: GET /customers/{id}
    args: {id: {type: integer, minimum: 1}}
  refund:
    says: Pay money back.
    call: POST /refunds
    args: {cents: {type: integer}}
    effect: irreversible
"""
POLICY = """\
rules:
  - {id: readers, allow: crm.get, to: {roles: [support]}}
  - id: small
    allow: crm.refund
    to: {roles: [billing]}
    when: args.cents <= 100
examples:
  - {as: {roles: [support]}, call: crm.get, args: {id: 7}, expect: allow}
  - {as: {roles: [billing]}, call: crm.refund, args: {cents: 7}, expect: approval}
"""
AS_SUPPORT = ("--as", '{"roles": ["support"]}')


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of rules where the commands look for it."""
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "crm.yaml").write_text(CRM)
    (folder / "policy.yaml").write_text(POLICY)
    monkeypatch.chdir(tmp_path)
    return folder


def toolwall(*args: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, list(args))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


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


def test_examples_that_come_out_as_told(rules: Path) -> None:
    code, out, err = toolwall("test")
    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines() if line.startswith("  ok ")] == [
        ["ok", "policy.yaml:8", "crm.get", "allow", "allow"],
        ["ok", "policy.yaml:9", "crm.refund", "approval", "approval"],
    ]
    assert out.endswith("2 of 2 examples came out as expected\n")


def test_an_example_that_fails_is_1_and_told_with_its_reasons(rules: Path) -> None:
    (rules / "policy.yaml").write_text(POLICY.replace("expect: approval", "expect: deny"))
    code, out, err = toolwall("test")
    assert (code, err) == (1, "")
    assert ["FAILED", "policy.yaml:9", "crm.refund", "deny", "approval"] in [line.split() for line in out.splitlines()]
    assert "policy.yaml:9: crm.refund as billing: expected deny, got approval, by small\n" in out
    assert out.endswith("1 of 2 examples came out as expected\n")


def test_rules_without_examples_have_none_that_fail(rules: Path) -> None:
    (rules / "policy.yaml").write_text(POLICY.partition("examples:")[0])
    assert toolwall("test") == (0, "0 of 0 examples came out as expected\n", "")


def test_an_imagined_call_is_explained(rules: Path) -> None:
    code, out, err = toolwall("explain", "--call", "crm.get", "--args", '{"id": 7}', *AS_SUPPORT)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "crm.get as somebody; roles support: allow"
    assert "policy.yaml:2: readers (allow) matches: it has no condition" in out
    assert f"Rules revision {load(rules).revision}" in out


def test_what_would_change_it_is_told(rules: Path) -> None:
    _, out, _ = toolwall("explain", "--call", "crm.get")
    assert "as somebody; no roles: unknown_tool" in out
    assert "policy.yaml:2: readers would allow it, but it is about roles support" in out
    _, out, _ = toolwall(
        "explain", "--call", "crm.refund", "--args", '{"cents": 101}', "--as", '{"roles": ["billing"]}'
    )
    assert "`args.cents <= 100` is false with args.cents = 101" in out


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["--call", "crm.gett"], 1, "There is no tool crm.gett (did you mean crm.get?): unknown_tool."),
        (["--call", "zzz"], 1, "There is no tool zzz: unknown_tool."),
        (["--call", "\x1b[2J"], 1, "There is no tool \\x1b[2J: unknown_tool."),
        (["--call", "crm.get", "--args", "{id: 7}"], 2, "--args is not JSON."),
        (["--call", "crm.get", "--args", "[7]"], 2, "--args is not a JSON object."),
        (["--call", "crm.get", "--as", "support"], 2, "--as is not JSON."),
        (["--call", "crm.get", "--as", '{"role": ["support"]}'], 2, "--as has the keys id, roles (a list)"),
        (["--call", "crm.get", "--as", '{"roles": "support"}'], 2, "--as has the keys id, roles (a list)"),
        ([], 2, "Give either a call's id, or --call"),
        (["0123", "--call", "crm.get"], 2, "Give either a call's id, or --call"),
    ],
)
def test_what_cannot_be_explained(rules: Path, args: list[str], code: int, says: str) -> None:
    ended, out, err = toolwall("explain", *args)
    assert (ended, out) == (code, "")
    assert err.startswith(says)


def record(**fields: Any) -> dict[str, Any]:
    base = {
        "kind": "call",
        "call": "01ab",
        "principal": "ann",
        "roles": ["support"],
        "tool": "crm.get",
        "code": "denied",
    }
    return base | {"decision": "deny", "outcome": "refused", "revision": "0" * 16} | fields


def recorded(folder: Path, *entries: dict[str, Any]) -> None:
    """A ledger with these entries, and a configuration that names it."""
    (folder / "toolwall.yaml").write_text(
        "state: state\nlisteners: [{bind: '127.0.0.1:0', identity: {static: {id: bot}}}]\n"
    )
    key = load_key("", state_folder(folder / "state"), {}, make=True)
    ledger = Ledger.open(folder / "state" / "ledger", key.derive(LEDGER_HEAD))
    for entry in entries:
        ledger.append(entry)
    ledger.close()


def test_a_recorded_call_is_explained_by_the_rules_of_today(rules: Path) -> None:
    recorded(rules.parent, record(arguments={"id": 7}))
    code, out, err = toolwall("explain", "01ab")
    assert (code, err) == (0, "")
    told, changed, redacted, first, *_ = out.splitlines()
    assert told.startswith('Recorded: 01ab {"decision": "deny", "code": "denied"')
    assert changed == f"The rules have changed since (then {'0' * 16}, now {load(rules).revision})."
    assert redacted.startswith("Arguments are redacted in the ledger")
    assert first == "crm.get as ann; roles support: allow"


def test_a_record_without_arguments_says_so(rules: Path) -> None:
    recorded(rules.parent, record(revision=load(rules).revision))
    code, out, _ = toolwall("explain", "01ab")
    assert code == 0
    assert "The ledger holds no arguments" in out
    assert "The rules have changed" not in out


@pytest.mark.parametrize(
    ("entry", "code", "says"),
    [
        ({"tool": "crm.gone"}, 1, "There is no tool crm.gone"),
        ({"call": "02"}, 3, "no call in the ledger begins with '01ab'"),
        ({"kind": "intent"}, 1, "There is no finished call 01ab in the ledger."),
    ],
)
def test_a_record_that_cannot_be_explained(rules: Path, entry: dict[str, Any], code: int, says: str) -> None:
    recorded(rules.parent, record(**entry))
    ended, _, err = toolwall("explain", "01ab")
    assert ended == code
    assert err.startswith(says)


def test_a_record_of_a_caller_whom_nobody_knew(rules: Path) -> None:
    recorded(rules.parent, {"kind": "call", "call": "01ab", "code": "unauthenticated", "outcome": "refused"})
    code, out, err = toolwall("explain", "01ab")
    assert code == 0
    assert '"code": "unauthenticated"' in out
    assert err.startswith("It named no tool")


def test_no_record_moves_what_a_terminal_shows(rules: Path) -> None:
    evil = "\x1b[2J\u202e\r"
    fields = {"principal": evil, "roles": [evil], "agent": evil, "code": evil, "outcome": evil, "revision": evil}
    recorded(rules.parent, record(**fields, arguments={evil: evil, "id": evil}))
    code, out, err = toolwall("explain", "01ab")
    assert code == 0
    assert all(line.isprintable() for line in (out + err).split("\n"))
    assert "\\x1b[2J" in out


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
