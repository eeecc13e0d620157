"""What a contract may say of finding out, and what is wrong with what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.load import RulesError, load
from rules.tools import Tool

FIND = "  find: {says: Find., call: 'GET /r/{id}', args: {id: {type: string}}}\n"


def pay(settle_by: str, effect: str = "write", more: str = FIND) -> str:
    return (
        "backend: crm\nurl: https://crm.example\ntools:\n"
        "  pay:\n    says: Pay.\n    call: POST /pay\n"
        "    args: {order: {type: string}, note: {type: string, optional: true}}\n"
        f"    effect: {effect}\n    settle_by: {settle_by}\n{more}"
    )


def loaded(folder: Path, text: str) -> dict[str, Tool]:
    (folder / "crm.yaml").write_text(text)
    return dict(load(folder).catalog.tools)


def test_it_is_read_and_the_tool_that_tells_is_known(tmp_path: Path) -> None:
    tools = loaded(tmp_path, pay("{tool: find, with: {id: args.order}, done: status == 200, after: 5s}"))
    settle_by = tools["crm.pay"].settle_by
    assert settle_by is not None
    assert (settle_by.tool, settle_by.after_s, settle_by.done.text) == ("crm.find", 5.0, "status == 200")
    assert [tools[name].tells for name in ("crm.pay", "crm.find")] == [False, True]


def test_a_minute_is_the_default(tmp_path: Path) -> None:
    tools = loaded(tmp_path, pay("{tool: find, with: {id: args.order}, done: reply.paid}"))
    assert tools["crm.pay"].settle_by is not None
    assert tools["crm.pay"].settle_by.after_s == 60.0


@pytest.mark.parametrize(
    ("settle_by", "says"),
    [
        ("{tool: fnd, with: {id: args.order}, done: status == 200}", "did you mean find?"),
        ("{tool: pay, with: {order: args.order}, done: status == 200}", "pay has effects"),
        ("{tool: find, with: {id: reply.id}, done: status == 200}", "known are: args"),
        ("{tool: find, with: {id: args.ordr}, done: status == 200}", "did you mean args.order?"),
        ("{tool: find, with: {id: args.note}, done: status == 200}", "is optional, so it may be missing"),
        ("{tool: find, with: {}, done: status == 200}", "lacks id, which find requires"),
        ("{tool: find, with: {id: args.order}, done: status}", "is INT, must be yes or no"),
        ("{tool: find, with: {id: args.order}, done: args.order == 'x'}", "does not look at the answer"),
        ("{tool: find, with: {id: args.order}, done: reply.x == args.nope}", "args.nope is no argument of pay"),
        ("{tool: find, with: {id: args.order}, done: principal.id == 'x'}", "undeclared reference"),
        ("{tool: find, with: {id: args.order}}", "lacks the key done"),
        ("{tool: find, with: {id: args.order}, done: status == 200, aftr: 5s}", "did you mean after?"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, settle_by: str, says: str) -> None:
    with pytest.raises(RulesError) as caught:
        loaded(tmp_path, pay(settle_by))
    assert says in str(caught.value)
    assert "crm.yaml:9:" in str(caught.value)


def test_a_read_needs_none(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match="is for tools with effects"):
        loaded(tmp_path, pay("{tool: find, with: {id: args.order}, done: status == 200}", effect="read"))
