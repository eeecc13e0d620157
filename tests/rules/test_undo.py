"""What a contract may say of undoing, and what is wrong with what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.load import RulesError, load
from rules.tools import Tool

CANCEL = "  cancel: {says: Cancel., call: 'DELETE /r/{id}', args: {id: {type: string}}, effect: write}\n"


def pay(undo: str, effect: str = "write", more: str = CANCEL) -> str:
    return (
        "backend: crm\nurl: https://crm.example\ntools:\n"
        "  pay:\n    says: Pay.\n    call: POST /pay\n"
        "    args: {order: {type: string}, note: {type: string, optional: true}}\n"
        f"    effect: {effect}\n    undo: {undo}\n{more}"
    )


def loaded(folder: Path, text: str) -> Tool:
    (folder / "crm.yaml").write_text(text)
    return load(folder).catalog.tools["crm.pay"]


def test_an_undo_is_read(tmp_path: Path) -> None:
    undo = loaded(tmp_path, pay("{tool: cancel, with: {id: reply.id}, within: 2h}")).undo
    assert undo is not None
    assert (undo.tool, undo.within_s, undo.needs_reply) == ("crm.cancel", 7200.0, True)
    assert [(name, formula.text) for name, formula in undo.arguments] == [("id", "reply.id")]


def test_a_day_is_the_default_and_arguments_alone_may_do(tmp_path: Path) -> None:
    undo = loaded(tmp_path, pay("{tool: cancel, with: {id: args.order}}")).undo
    assert undo is not None
    assert (undo.within_s, undo.needs_reply) == (86400.0, False)


@pytest.mark.parametrize(
    ("undo", "says"),
    [
        ("{tool: canel, with: {id: reply.id}}", "crm.yaml:9:18: tools.pay.undo.tool: there is no tool canel in"),
        ("{tool: canel, with: {id: reply.id}}", "(did you mean cancel?)"),
        ("{tool: cancel, with: {idd: reply.id}}", "is no argument of cancel (did you mean id?)"),
        ("{tool: cancel, with: {idd: reply.id}}", "lacks id, which cancel requires"),
        ("{tool: cancel, with: {}}", "lacks id, which cancel requires"),
        ("{tool: cancel, with: {id: reply.}}", "is not CEL at line 1"),
        ("{tool: cancel, with: {id: answer.id}}", "known are: args, reply"),
        ("{tool: cancel, with: {id: args.ordr}}", "args.ordr is no argument of pay (did you mean args.order?)"),
        ("{tool: cancel, with: {id: args.note}}", "args.note is optional, so it may be missing"),
        ("{tool: cancel, with: {id: 7}}", "is an integer, must be text"),
        ("{tool: cancel}", "lacks the key with"),
        ("{with: {id: reply.id}}", "lacks the key tool"),
        ("{tool: cancel, with: {id: reply.id}, wthin: 3d}", "did you mean within?"),
        ("{tool: cancel, with: {id: reply.id}, within: soon}", "must be a duration"),
        ("{tool: other.cancel, with: {id: reply.id}}", "must be the short name of a tool of this file"),
        ("{tool: pay, with: {order: args.order}}", "would do the same again"),
        ("cancel", "must be a mapping"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, undo: str, says: str) -> None:
    with pytest.raises(RulesError) as caught:
        loaded(tmp_path, pay(undo))
    assert says in str(caught.value)
    assert "crm.yaml:9:" in str(caught.value)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (
            "  cancel: {says: C., call: 'GET /r/{id}', args: {id: {type: string}}}\n",
            "cancel reads, so it undoes nothing",
        ),
        (
            "  cancel: {says: C., call: 'POST /r/{id}', args: {id: {type: string}}, effect: write, repeatable: true}\n",
            "cancel is repeatable",
        ),
        (
            "  cancel: {call: POST /r, args: {id: {type: string}}, body: multipart/form-data, effect: write}\n",
            "takes a body that cannot be written from values",
        ),
    ],
)
def test_what_cannot_undo(tmp_path: Path, more: str, says: str) -> None:
    with pytest.raises(RulesError, match=says):
        loaded(tmp_path, pay("{tool: cancel, with: {id: reply.id}}", more=more))


def test_a_read_needs_no_undo(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match="is for tools with effects"):
        loaded(tmp_path, pay("{tool: cancel, with: {id: reply.id}}", effect="read"))


def test_a_tool_with_problems_of_its_own_is_no_second_problem(tmp_path: Path) -> None:
    with pytest.raises(RulesError) as caught:
        loaded(tmp_path, pay("{tool: cancel, with: {id: reply.id}}", more="  cancel: {call: POST /r/{id}}\n"))
    assert not any("undo" in each.path for each in caught.value.problems)


def test_two_tools_may_undo_each_other_and_one_itself_with_other_arguments(tmp_path: Path) -> None:
    back = "undo: {tool: pay, with: {order: args.order}}"
    both = f"  shut: {{says: S., call: POST /s, args: {{order: {{type: string}}}}, effect: write, {back}}}\n"
    undo = loaded(tmp_path, pay("{tool: shut, with: {order: args.order}}", more=both)).undo
    assert undo is not None
    assert undo.tool == "crm.shut"
    own = loaded(tmp_path, pay("{tool: pay, with: {order: \"'not ' + args.order\"}}")).undo
    assert own is not None
    assert own.tool == "crm.pay"
