"""Changing keys of a rules file: all else stays byte for byte."""

from __future__ import annotations

from typing import Any

import pytest

from rules.compare.edit import Editor, NotEditable

FILE = """\
# The shop, as we use it.
backend: shop
url: https://shop.test   # staging is elsewhere
tools:
  # Ours: look at the limit.
  list:
    says: >-
      List the orders
      of a customer.
    call: GET /orders
    args:
      # Fifty are enough.
      limit: {type: integer, maximum: 50}
      state: {type: string}
    effect: read

  # From the document.
  drop:
    call: DELETE /orders/{id}
    args: {id: {type: integer}}
    effect: irreversible
# The end.
"""


def editor(text: str = FILE) -> Editor:
    return Editor("shop.yaml", text.encode())


def test_nothing_changed_is_the_same_file() -> None:
    for text in (FILE, FILE.replace("\n", "\r\n"), FILE.rstrip("\n")):
        assert editor(text).text() == text.encode()


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_one_value_is_changed_and_no_other_byte(newline: str) -> None:
    one = editor(FILE.replace("\n", newline))
    one.set(("tools", "list", "args", "state"), {"type": "string", "maxLength": 9}, {"type": "string"})
    one.set(("tools", "drop", "effect"), "admin", "irreversible")
    wanted = FILE.replace("state: {type: string}", "state: {type: string, maxLength: 9}")
    assert one.text().decode() == wanted.replace("effect: irreversible", "effect: admin").replace("\n", newline)


def test_keys_come_in_order_and_with_their_notes() -> None:
    one = editor()
    one.set(("tools", "list", "body"), ["text/plain"], None, ["says", "call", "args", "in"])
    one.insert(("tools", "find"), {"call": "GET /find", "effect": "read"}, ["a note"], ["list", "gone"])
    one.insert(("tools", "last"), {"call": "GET /last"}, (), ["list", "drop"])
    text = one.text().decode()
    assert "      state: {type: string}\n    body: [text/plain]\n    effect: read\n" in text
    found = "  # a note\n  find: {call: GET /find, effect: read}\n"
    assert f"effect: read\n{found}\n  # From the document.\n" in text
    assert "effect: irreversible\n  last: {call: GET /last}\n# The end.\n" in text


def test_two_keys_at_one_place_keep_their_order() -> None:
    one = editor()
    for name in ("a", "b"):
        one.insert(("tools", name), {"call": f"GET /{name}", "effect": "read"}, (), ["list"])
    assert one.text().decode().index("\n  a:") < one.text().decode().index("\n  b:")


def test_a_key_goes_with_the_notes_that_were_generated_and_no_others() -> None:
    tool = {"call": "DELETE /orders/{id}", "args": {"id": {"type": "integer"}}, "effect": "irreversible"}
    one = editor()
    one.remove(("tools", "drop"), tool, ["From the document."])
    assert one.text().decode() == FILE[: FILE.index("  # From")] + "# The end.\n"
    other = editor()
    other.remove(("tools", "drop"), tool, ["Another note."])
    assert other.text().decode() == FILE[: FILE.index("  drop:")] + "# The end.\n"


@pytest.mark.parametrize(
    ("place", "value", "why", "line"),
    [
        (("url",), "https://other.test", "holds a comment that would be lost", 3),
        (("tools", "list", "args"), {"x": {"type": "null"}}, "holds a comment that would be lost", 11),
        (("tools", "drop", "args", "id"), {"type": "string"}, "stands in braces", 20),
        (("tools", "gone", "args"), {}, "there is no gone", 6),
    ],
)
def test_what_a_person_has_to_change(place: tuple[str, ...], value: Any, why: str, line: int) -> None:
    one = editor()
    with pytest.raises(NotEditable, match=why) as caught:
        one.set(place, value, None)
    assert caught.value.line == line
    assert one.text() == FILE.encode()


def test_text_that_only_looks_like_a_comment_is_no_reason_when_it_was_generated() -> None:
    text = FILE.replace("    call: GET /orders\n", '    call: "GET /orders #1"\n')
    one = editor(text)
    one.set(("tools", "list", "call"), "GET /orders2", "GET /orders #1")
    assert one.text().decode() == FILE.replace("GET /orders\n", "GET /orders2\n")


@pytest.mark.parametrize(
    "text",
    [
        "a: {b: 1}\nc: 1\n",
        "? a\n: 1\nc: 1\n",
        "a: 1\nc: |\n  # text\n  more\n",
        '"a": 1\nc: 1\n',
        "a:\n- 1\nc: 1",
        "{a: 1, c: 1}\n",
    ],
)
def test_odd_files_are_changed_rightly_or_not_at_all(text: str) -> None:
    one = editor(text)
    before = one.root.plain()
    try:
        one.set(("a",), "new", None)
        after = Editor("x", one.text()).plain
    except NotEditable:
        return
    assert after == {**before, "a": "new"}


@pytest.mark.parametrize("text", ["", "- 1\n", "a: 1\na: 2\n", "a: *x\n", "a: [\n"])
def test_a_file_that_is_no_rules_file_is_not_edited(text: str) -> None:
    with pytest.raises(NotEditable):
        editor(text)


def test_lines_of_keys() -> None:
    one = editor()
    assert one.line_of(("tools", "list", "args", "limit")) == 13
    assert one.line_of(("tools", "list", "none", "deeper")) == 6
    assert one.is_open(("tools", "list", "args"))
    assert not one.is_open(("tools", "drop", "args"))
