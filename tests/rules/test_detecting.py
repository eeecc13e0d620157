import json
from pathlib import Path

import pytest

from redaction.detector import all_patterns
from redaction.scanner import Scanner
from rules.detecting import read_detectors
from rules.load import RulesError, load

BADGE = """
[[pattern]]
name = "badge"
kind = "EMPLOYEE_BADGE"
says = "A badge of this company: EB and six figures."
regex = '\\bEB-\\d{6}\\b'
yes = ["badge EB-{digit:6}"]
no = ["EB-12345", "XEB-123456"]
"""
BACKEND = """
backend: hr
url: https://hr.example.com
reply: {redact: [EMPLOYEE_BADGE, EMAIL_ADDRESS]}
outgoing: {refuse: [EMPLOYEE_BADGE]}
tools:
  get_person: {says: Look up a person., call: GET /people, effect: read}
"""
POLICY = """
rules:
  - {id: all, allow: hr.get_person, to: {roles: [agent]}}
examples:
  - as: {roles: [agent]}
    call: hr.get_person
    expect: allow
    reply: {body: {badge: EB-123456, name: x}}
    expect_reply: {redacted: {/badge: [EMPLOYEE_BADGE]}}
"""


def folder(tmp_path: Path, detectors: str = BADGE, **files: str) -> Path:
    (tmp_path / "detectors").mkdir()
    (tmp_path / "detectors" / "ours.toml").write_text(detectors, "utf-8")
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text, "utf-8")
    return tmp_path


def problems(tmp_path: Path, detectors: str) -> str:
    return "\n".join(map(str, read_detectors(folder(tmp_path, detectors)).problems))


def test_a_kind_of_the_authors_is_found_where_rules_name_it(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    from rules.examples import judge

    rules = load(folder(tmp_path, hr=BACKEND, policy=POLICY))
    assert [judge(rules, each, datetime(2026, 1, 1, tzinfo=UTC)).passed for each in rules.examples] == [True]
    tool = rules.catalog.tools["hr.get_person"]
    scanner = Scanner(tool.reply.redact, own=rules.detectors)
    cleaned = scanner.clean_json(json.dumps({"badge": "EB-123456", "mail": "ana@example.com", "n": "EB-12345"}))
    assert json.loads(cleaned.value) == {"badge": "<EMPLOYEE_BADGE>", "mail": "<EMAIL_ADDRESS>", "n": "EB-12345"}
    assert "EMPLOYEE_BADGE" in tool.outgoing.refuse


def test_without_the_file_the_kind_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "hr.yaml").write_text(BACKEND)
    with pytest.raises(RulesError, match="nothing finds the kind 'EMPLOYEE_BADGE'"):
        load(tmp_path)


def test_a_rule_that_names_the_kind_of_a_broken_pattern_is_no_second_mistake(tmp_path: Path) -> None:
    with pytest.raises(RulesError) as told:
        load(folder(tmp_path, BADGE.replace("XEB-123456", "EB-123456"), hr=BACKEND))
    assert [problem.file for problem in told.value.problems] == ["detectors/ours.toml"]


def test_the_detectors_are_part_of_the_revision(tmp_path: Path) -> None:
    here = folder(tmp_path, hr=BACKEND)
    before = load(here).revision
    (here / "detectors" / "ours.toml").write_text(BADGE.replace("six figures", "figures"))
    assert load(here).revision != before


def test_a_folder_without_detectors_has_none(tmp_path: Path) -> None:
    assert read_detectors(tmp_path) == ((), {}, [], frozenset())


@pytest.mark.parametrize(
    ("was", "now", "message"),
    [
        ("badge EB-{digit:6}", "badge EB-{digit:5}", "finds nothing in example 1 of yes"),
        ("XEB-123456", "EB-123456", "finds something in example 2 of no"),
        ("kind =", "kin =", "kin is no field of a pattern"),
        ("kind =", "kin =", "needs the field kind"),
        ('"EMPLOYEE_BADGE"', '"employee badge"', "kind must match"),
        ('"badge"', '"Our Badge"', "name must match"),
        ("\\d{6}", "(\\d{6}", "regex is no expression of RE2"),
        ("\\d{6}", "(?=\\d{6})", "regex is no expression of RE2"),
        ("yes =", 'check = "crad"\nyes =', "there is no check 'crad' .did you mean 'card'"),
        ("yes =", 'gate = "("\nyes =', "gate is no expression of RE2"),
        ("yes =", "score = 2.0\nyes =", "score must be above 0"),
        ("yes =", 'score = "high"\nyes =', "score has the wrong type"),
        ("yes =", "numbers = 1\nyes =", "numbers has the wrong type"),
        ("yes =", 'context = ["a", 1]\nyes =', "context has the wrong type"),
        ('"badge"', f'"{all_patterns()[0].name}"', "the name is taken"),
        ("[[pattern]]", "[[pattern]", "cannot be read"),
        ("[[pattern]]", "[pattern]", "must be blocks"),
        ('["badge EB-{digit:6}"]', "[]", "needs the field yes"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, was: str, now: str, message: str) -> None:
    import re

    assert was in BADGE
    told = problems(tmp_path, BADGE.replace(was, now))
    assert re.search(message, told)
    assert told.startswith("detectors")


def test_a_finding_must_not_hold_a_quotation_mark(tmp_path: Path) -> None:
    told = problems(
        tmp_path, BADGE.replace("\\bEB-\\d{6}\\b", "EB-\\d{6}.*").replace("badge EB-{digit:6}", 'EB-{digit:6}\\"x')
    )
    assert "takes a quotation mark" in told


def test_the_line_is_that_of_the_block(tmp_path: Path) -> None:
    told = problems(tmp_path, BADGE + BADGE.replace("badge", "badge-2").replace("{digit:6}", "none"))
    assert told.startswith("detectors/ours.toml:10:1: pattern badge-2: finds nothing")


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    here = folder(tmp_path)
    (here / "detectors" / "b.toml").write_bytes(b"\xff\xfe")
    found = read_detectors(here)
    assert [problem.file for problem in found.problems] == ["detectors/b.toml"]
    assert found.kinds == {"EMPLOYEE_BADGE"}
