"""The keys `idempotency` and `repeatable`."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.load import RulesError, load
from rules.once import NOT_DONE, Once
from rules.tools import Tool

ARGS = "args: {order_id: {type: string}, n: {type: integer}, note: {type: string, optional: true}}"


def tool(folder: Path, more: str, effect: str = "write", args: str = ARGS) -> Tool:
    text = f"backend: crm\nurl: https://crm.test\ntools:\n  pay: {{call: POST /pay, {args}, effect: {effect}{more}}}\n"
    (folder / "crm.yaml").write_text(text)
    return load(folder).catalog.tools["crm.pay"]


def test_what_has_effects_is_done_once_when_nobody_says_otherwise(tmp_path: Path) -> None:
    assert tool(tmp_path, "").once == Once()
    assert tool(tmp_path, "", "irreversible").once == Once()
    assert tool(tmp_path, "", "admin").once == Once()
    assert tool(tmp_path, ", repeatable: false").once == Once()


def test_reads_and_what_is_repeatable_are_not(tmp_path: Path) -> None:
    assert tool(tmp_path, "", "read").once is None
    assert tool(tmp_path, ", repeatable: true").once is None


def test_a_contract_says_how_a_repeat_is_known(tmp_path: Path) -> None:
    said = "key: 'refund-{args.order_id}/{args.n}', header: Idempotency-Key, window: 2h, not_done: [503]"
    once = tool(tmp_path, f", idempotency: {{{said}}}").once
    assert once == Once(("refund-", "order_id", "/", "n", ""), "idempotency-key", 7200.0, frozenset({503}))
    assert once.named({"order_id": "o-7", "n": 3, "note": "x"}) == ["refund-", "o-7", "/", 3, ""]
    assert once.lasts_s(True) == once.lasts_s(False) == 7200.0


def test_the_same_call_counts_for_minutes_and_a_named_one_for_a_day(tmp_path: Path) -> None:
    once = tool(tmp_path, ", idempotency: {header: X-Key}").once
    assert once is not None
    assert once.named({"order_id": "o-7", "n": 3}) == []
    assert (once.lasts_s(False), once.lasts_s(True)) == (600.0, 86400.0)
    assert once.not_done == NOT_DONE


@pytest.mark.parametrize(
    ("more", "effect", "says"),
    [
        (", repeatable: true", "read", "is for tools with effects"),
        (", idempotency: {window: 1h}", "read", "is for tools with effects"),
        (", repeatable: true, idempotency: {window: 1h}", "write", "cannot be used where the tool is repeatable"),
        (", idempotency: {key: 'r-{args.order}'}", "write", "args.order is no required argument"),
        (", idempotency: {key: 'r-{args.note}'}", "write", "args.note is no required argument"),
        (", idempotency: {key: plain}", "write", "text with {args.NAME} in it"),
        (", idempotency: {key: 'r-{principal.id}'}", "write", "text with {args.NAME} in it"),
        (", idempotency: {header: Authorization}", "write", "means something else"),
        (", idempotency: {header: Toolwall-Run}", "write", "means something else"),
        (", idempotency: {header: If-Match}", "write", "means something else"),
        (", idempotency: {header: 'two words'}", "write", "the name of a header"),
        (", idempotency: {not_done: [200]}", "write", "400"),
        (", idempotency: {}", "write", ""),
    ],
)
def test_what_cannot_be_meant_does_not_load(tmp_path: Path, more: str, effect: str, says: str) -> None:
    with pytest.raises(RulesError) as error:
        tool(tmp_path, more, effect)
    assert says in str(error.value)


def test_a_header_of_the_model_is_not_the_one_of_the_key(tmp_path: Path) -> None:
    args = "args: {Idempotency-Key: {type: string}}, in: {Idempotency-Key: header}"
    with pytest.raises(RulesError, match="is an argument of this tool"):
        tool(tmp_path, ", idempotency: {header: idempotency-key}", args=args)
