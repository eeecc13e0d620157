"""A Record as JSON."""

from __future__ import annotations

import json

import pytest

from proxy.record import Record, veiled


def test_what_says_nothing_is_left_out_and_what_must_be_there_is() -> None:
    assert Record("c1", 5).as_dict() == {
        "call": "c1", "started_ns": 5, "step": 0, "status": 0, "executed": "no", "outcome": "", "attempts": 0,
    }  # fmt: skip


def test_it_is_plain_json() -> None:
    record = Record("c1", 5, roles=("a",), rules=("r",), waived={"approval": "why"}, redactions={"JWT": 1})
    record.checks.append("contract")
    again = json.loads(json.dumps(record.as_dict()))
    assert again["checks"] == ["contract"]
    assert again["rules"] == ["r"]


def test_two_records_share_nothing() -> None:
    one, two = Record("a", 1), Record("b", 2)
    one.checks.append("x")
    one.redactions = {"JWT": 1}
    assert two.checks == []
    assert two.redactions == {}


def test_what_it_does_not_hold_cannot_be_said() -> None:
    with pytest.raises(TypeError, match="no redacted"):
        Record("a", 1, redacted={"JWT": 1})


def test_arguments_are_shown_as_they_stood_before_values_were_put_back() -> None:
    before = {"to": "<A_1>", "n": "<B_1>", "list": ["x", "<A_1>"], "same": [1], "split": "<A_2>"}
    after = {"to": "ana", "n": 1, "list": ["x", "ana"], "same": [1], "split": ["a", "b"]}
    masked = {"to": "ana", "n": 1, "list": ["*", "ana"], "same": ["*"], "split": ["a", "b"]}
    assert veiled(before, after, after) == before
    assert veiled(before, after, masked) == {**before, "list": ["*", "<A_1>"], "same": ["*"]}
    assert veiled({"<A_1>": 1}, {"ana": 1}, {"ana": 1}) == {"<A_1>": 1}
    assert veiled({"a": 1}, {"a": True}, {"a": True}) == {"a": 1}
