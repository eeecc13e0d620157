"""`toolwall test`: what it prints and how it ends."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree.ElementTree import parse

import pytest

from rules.load import load
from tests.proxy.rulescli import POLICY, rules_folder, toolwall

REPLY = """\
  - as: {roles: [support]}
    call: crm.get
    args: {id: 7}
    expect: allow
    reply: {body: {id: 7, mail: ann@mail.example}}
    expect_reply: {redacted: {/mail: EMAIL_ADDRESS}}
"""


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return rules_folder(tmp_path, monkeypatch)


def rows(out: str) -> list[list[str]]:
    """The table without its times."""
    cells = [re.split(r"\s{2,}", line.strip()) for line in out.splitlines() if re.match(r"  (ok|FAILED) ", line)]
    assert all(re.fullmatch(r"\d+\.\d", row[-1]) for row in cells)
    return [row[:-1] for row in cells]


def test_examples_that_come_out_as_told(rules: Path) -> None:
    code, out, err = toolwall("test")
    assert (code, err) == (0, "")
    assert rows(out) == [
        ["ok", "policy.yaml:8", "crm.get", "allow", "allow"],
        ["ok", "policy.yaml:9", "crm.refund", "approval", "approval"],
    ]
    *_, last, coverage = out.splitlines()
    assert re.fullmatch(r"2 of 2 examples came out as expected, in \d+ ms", last)
    assert coverage == "2 of 2 rules are exercised by examples: 100 %"


def test_an_example_that_fails_is_1_and_told_with_its_reasons(rules: Path) -> None:
    (rules / "policy.yaml").write_text(POLICY.replace("expect: approval", "expect: deny"))
    code, out, err = toolwall("test")
    assert (code, err) == (1, "")
    assert ["FAILED", "policy.yaml:9", "crm.refund", "deny", "approval"] in rows(out)
    assert "policy.yaml:9: crm.refund as billing: expected deny, got approval, by small\n" in out
    assert "1 of 2 examples came out as expected" in out


def test_a_reply_comes_back_redacted(rules: Path) -> None:
    (rules / "policy.yaml").write_text(POLICY + REPLY)
    code, out, _ = toolwall("test")
    assert code == 0
    told = "allow, reply redacted EMAIL_ADDRESS at /mail"
    assert ["ok", "policy.yaml:10", "crm.get", told, told] in rows(out)


def test_a_reply_that_comes_back_otherwise_is_1_and_told_without_its_values(rules: Path) -> None:
    (rules / "policy.yaml").write_text(POLICY + REPLY.replace("/mail: EMAIL", "/email: EMAIL"))
    code, out, err = toolwall("test")
    assert code == 1
    assert (
        "policy.yaml:10: crm.get as support: expected allow, reply redacted EMAIL_ADDRESS at /email, "
        "got allow, reply redacted EMAIL_ADDRESS at /mail\n"
    ) in out
    assert "ann@" not in out + err


def test_rules_without_examples_have_none_that_fail(rules: Path) -> None:
    (rules / "policy.yaml").write_text(POLICY.partition("examples:")[0])
    code, out, err = toolwall("test")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "policy.yaml:2: readers (allow): no example is allowed by it",
        "policy.yaml:3: small (allow): no example is allowed by it",
        "0 of 0 examples came out as expected, in 0 ms",
        "0 of 2 rules are exercised by examples: 0 %",
    ]


@pytest.mark.parametrize(("least", "code"), [("0", 0), ("50", 0), ("51", 1), ("100", 1)])
def test_too_little_coverage_is_1(rules: Path, least: str, code: int) -> None:
    (rules / "policy.yaml").write_text(POLICY.rpartition("  - {as")[0])
    ended, out, _ = toolwall("test", "--coverage-min", least)
    assert ended == code
    assert "policy.yaml:3: small (allow): no example is allowed by it\n" in out
    assert (f"50 % is below --coverage-min {least}\n" in out) == bool(code)


@pytest.mark.parametrize("least", ["-1", "101", "many"])
def test_a_minimum_that_is_no_percentage_is_wrong_usage(rules: Path, least: str) -> None:
    assert toolwall("test", "--coverage-min", least)[0] == 2


def test_the_report_for_build_servers_says_the_same(rules: Path, tmp_path: Path) -> None:
    (rules / "policy.yaml").write_text(POLICY.replace("expect: approval", "expect: deny"))
    file = tmp_path / "report.xml"
    code, _, _ = toolwall("test", "--junit", str(file), "--coverage-min", "60")
    assert code == 1
    (suite,) = parse(file).getroot()
    assert suite.attrib["name"] == f"toolwall test, revision {load(rules).revision}"
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("3", "2")
    assert [(case.attrib["classname"], case.attrib["name"]) for case in suite] == [
        ("policy.yaml", "line 8: crm.get as support"),
        ("policy.yaml", "line 9: crm.refund as billing"),
        ("coverage", "rules that examples exercise"),
    ]
    messages = [case[0].attrib["message"] if len(case) else "" for case in suite]
    assert messages == ["", "expected deny, got approval, by small", "50 % is below --coverage-min 60"]


def test_a_report_of_what_passed_has_no_failures(rules: Path, tmp_path: Path) -> None:
    assert toolwall("test", "--junit", str(tmp_path / "report.xml"))[0] == 0
    assert parse(tmp_path / "report.xml").getroot().attrib["failures"] == "0"


def test_a_report_that_cannot_be_written_is_3(rules: Path, tmp_path: Path) -> None:
    code, out, err = toolwall("test", "--junit", str(tmp_path / "no" / "report.xml"))
    assert code == 3
    assert "2 of 2 examples" in out
    assert err.endswith("No such file or directory.\n")


def test_nothing_moves_what_a_terminal_shows(rules: Path) -> None:
    evil = '"\\e[2J\\u202E"'
    (rules / "policy.yaml").write_text(f"examples: [{{as: {{roles: [{evil}]}}, call: crm.get, expect: allow}}]\n")
    code, out, err = toolwall("test")
    assert code == 1
    assert all(line.isprintable() for line in (out + err).split("\n"))
