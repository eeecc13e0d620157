"""`toolwall test`: what it prints and how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.proxy.rulescli import POLICY, rules_folder, toolwall


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return rules_folder(tmp_path, monkeypatch)


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
