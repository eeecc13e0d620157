import pytest

from redaction.finding import Finding
from redaction.operators import APART, NAMES, kind, missing, splice


def test_a_finding_is_replaced_by_its_kind_in_angle_brackets() -> None:
    assert kind(Finding("EMAIL_ADDRESS", 0, 5, 0.9, "email")) == "<EMAIL_ADDRESS>"


def test_splice_keeps_everything_between_the_edits() -> None:
    assert splice("abcdef", [(0, 1, "X"), (3, 3, "-"), (5, 6, "")]) == "Xbc-de"


def test_splice_without_edits_gives_the_text() -> None:
    assert splice("abc", []) == "abc"


def test_only_encrypting_may_lack_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any(missing(name) for name in (*NAMES, APART))
    monkeypatch.setattr("redaction.operators.find_spec", lambda name: None)
    assert {name: missing(name) for name in (*NAMES, APART) if missing(name)} == {
        "encrypt": "cryptography",
        APART: "presidio-anonymizer",
    }
