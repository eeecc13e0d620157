"""`toolwall explain`: what it prints and how it ends."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from proxy.ledger import Ledger
from proxy.state import LEDGER_HEAD, load_key, state_folder
from rules.load import load
from tests.proxy.rulescli import rules_folder, toolwall
from tests.wire import perform, wall

AS_SUPPORT = ("--as", '{"roles": ["support"]}')


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return rules_folder(tmp_path, monkeypatch)


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
        (
            ["--call", "crm.gett"],
            1,
            "crm.gett as somebody; no roles: unknown_tool\n  There is no tool crm.gett (did you mean crm.get?).",
        ),
        (["--call", "zzz", *AS_SUPPORT], 1, "zzz as somebody; roles support: unknown_tool\n  There is no tool zzz."),
        (["--call", "\x1b[2J"], 1, "\\x1b[2J as somebody; no roles: unknown_tool\n  There is no tool \\x1b[2J."),
        (["--call", "crm.get", "--args", "{id: 7}"], 2, "--args is not JSON."),
        (["--call", "crm.get", "--args", "[7]"], 2, "--args is not a JSON object."),
        (["--call", "crm.get", "--as", "support"], 2, "--as is not JSON."),
        (["--call", "crm.get", "--args", '{"id": 7, "id": 8}'], 2, "--args could be read in two ways"),
        (["--call", "crm.get", "--args", '{"id": NaN}'], 2, "--args could be read in two ways"),
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
    told, changed, redacted, first, *_, last = out.splitlines()
    assert told.startswith('Recorded: 01ab {"decision": "deny", "code": "denied"')
    assert changed == f"The rules have changed since (then {'0' * 16}, now {load(rules).revision})."
    assert redacted.startswith("Arguments are redacted in the ledger")
    assert first == "crm.get as ann; roles support: allow"
    assert last == "Then it was denied, by the rules of today it is allow."


def test_rules_that_are_gone_are_named(rules: Path) -> None:
    recorded(rules.parent, record(arguments={"id": 7}, rules=["no-nights", "readers", "no-eve"]))
    assert "Gone since then: no-nights, no-eve." in toolwall("explain", "01ab")[1].splitlines()


def test_what_comes_out_as_it_did_is_not_told_twice(rules: Path) -> None:
    now = load(rules).revision
    refund = {"tool": "crm.refund", "roles": ["billing"], "arguments": {"cents": 7}, "decision": "allow"}
    recorded(
        rules.parent,
        record(decision="allow", code="", arguments={"id": 7}, revision=now),
        record(call="02", code="upstream_unreachable", decision="allow", arguments={"id": 7}, revision=now),
        record(call="03", **refund, code="approval_pending", approval="a1", revision=now),
    )
    for call, outcome in (("01ab", "allow"), ("02", "allow"), ("03", "approval")):
        code, out, _ = toolwall("explain", call)
        assert code == 0
        assert f": {outcome}\n" in out
        assert "Then it was" not in out
        assert "The rules have changed" not in out


def test_a_record_without_arguments_says_so_and_guesses_nothing(rules: Path) -> None:
    refund = record(call="02", tool="crm.refund", roles=["billing"], revision=load(rules).revision)
    recorded(rules.parent, record(revision=load(rules).revision), refund)
    code, out, _ = toolwall("explain", "01ab")
    assert code == 0
    assert "The ledger holds no arguments" in out
    assert "The rules have changed" not in out
    assert "crm.get as ann; roles support: depends on the arguments, which are not known" in out.splitlines()
    assert "policy.yaml:2: readers (allow) matches: it has no condition" in out
    out = toolwall("explain", "02")[1]
    assert "small (allow) cannot tell: `args.cents <= 100` asks for arguments, which are not known" in out
    for guess in ("missing", "What would change it", "Then it was", "contract"):
        assert guess not in out


def test_a_hidden_tool_is_explained_without_its_arguments(rules: Path) -> None:
    recorded(rules.parent, record(roles=[], code="unknown_tool", revision=""))
    out = toolwall("explain", "01ab")[1]
    assert "crm.get as ann; no roles: unknown_tool" in out.splitlines()
    assert "policy.yaml:2: readers would allow it, but it is about roles support" in out
    assert "Then it was" not in out


def test_the_time_and_the_step_are_those_of_the_record(rules: Path) -> None:
    (rules / "policy.yaml").write_text(
        "rules: [{id: a, allow: crm.get, when: 'time.getHours() == 3 && run.step == 4 && network.peer == \"\"'}]"
    )
    at = int(datetime(2026, 1, 31, 3, 30, tzinfo=UTC).timestamp() * 1e9)
    recorded(rules.parent, record(arguments={"id": 7}, started_ns=at, run="r", step=4))
    out = toolwall("explain", "01ab")[1]
    assert "crm.get as ann; roles support: allow" in out
    for known in ("time = 2026-01-31T03:30:00+00:00", "run.step = 4", 'network.peer = ""'):
        assert known in out
    assert "The ledger holds no addresses of callers" in out


def test_what_the_ledger_does_not_hold_is_said(rules: Path) -> None:
    (rules / "policy.yaml").write_text("rules: [{id: a, allow: crm.get, to: {users: [ann]}}]")
    recorded(rules.parent, record(arguments={"id": 7}))
    assert (
        "The ledger holds no user of this call, so rules `to` users may come out differently."
        in toolwall("explain", "01ab")[1]
    )


def test_a_record_of_a_call_that_no_rule_was_asked_about(rules: Path) -> None:
    recorded(rules.parent, record(decision="", code="too_large", revision="", arguments={"id": 7}))
    out = toolwall("explain", "01ab")[1]
    assert "It was refused before any rule was asked." in out.splitlines()
    assert "Then it was" not in out


@pytest.mark.parametrize("started", [10**30, -(10**30), "x", None])
def test_a_record_with_an_odd_time_is_explained_all_the_same(rules: Path, started: Any) -> None:
    recorded(rules.parent, record(arguments={"id": 7}, started_ns=started))
    assert toolwall("explain", "01ab")[0] == 0


@pytest.mark.parametrize(
    ("entry", "code", "says"),
    [
        ({"tool": "crm.gone"}, 1, "crm.gone as ann; roles support: unknown_tool\n  There is no tool crm.gone (did"),
        ({"call": "02"}, 1, "no call in the ledger begins with '01ab'"),
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


TOOLS = """
  get: {call: GET /get, args: {q: {type: string}}}
  pay: {call: POST /pay, args: {cents: {type: integer}}, effect: irreversible}
  hide: {call: GET /hide}
"""
RULES = """
rules:
  - {id: mine, allow: [crm.get, crm.pay], to: {roles: [support]}, when: run.step < 9}
  - {id: not-x, deny: crm.get, when: args.q == 'x' || args.q.contains('@')}
"""


def test_records_that_a_real_sidecar_wrote(tmp_path: Path) -> None:
    calls: dict[str, str] = {}

    async def play() -> None:
        async with wall(tmp_path, TOOLS, RULES, config="ledger: {arguments: redacted}\n") as w:
            for name, request in {
                "good": ("GET", "/crm/get?q=y"),
                "denied": ("GET", "/crm/get?q=x"),
                "wrong": ("GET", "/crm/get?q=y&p=1"),
                "hidden": ("GET", "/crm/hide"),
                "none": ("GET", "/crm/nowhere"),
                "mail": ("GET", "/crm/get?q=ann@mail.example"),
            }.items():
                calls[name] = (await w.tell(*request)).record["call"]
            calls["pay"] = (await w.tell("POST", "/crm/pay", b'{"cents": 7}')).record["call"]

    perform(play())
    config = ("-c", str(tmp_path / "toolwall.yaml"))

    def told(name: str) -> tuple[int, str]:
        code, out, err = toolwall("explain", calls[name], *config)
        assert "Then it was" not in out, out
        assert "The rules have changed" not in out
        return code, out + err

    for name, outcome in {"good": "allow", "denied": "denied", "hidden": "unknown_tool", "pay": "approval"}.items():
        code, out = told(name)
        assert code == 0
        assert f" as bot; roles support: {outcome}\n" in out, out
    assert "policy.yaml:4: not-x (deny) matches" in told("denied")[1]
    assert "run.step = 1" in told("good")[1]
    assert "It named no tool" in told("none")[1]
    wrong = toolwall("explain", calls["wrong"], *config)[1].splitlines()
    assert wrong[-2] == "Then it was schema_violation, by the rules of today it is allow."
    assert wrong[-1].startswith("The rules are the same: what the ledger holds redacted, or not at all")
    mail = toolwall("explain", calls["mail"], *config)[1]
    assert "Then it was denied, by the rules of today it is allow.\nThe rules are the same" in mail
    assert "ann@" not in mail
    assert "Arguments are redacted in the ledger" in mail
