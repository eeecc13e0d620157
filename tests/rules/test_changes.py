from __future__ import annotations

from pathlib import Path

import pytest

from rules.changes import MOST_NAMES, changes
from rules.load import load
from tests.rules.helpers import write

CRM = """\
backend: crm
url: https://crm.test
tools:
  get: {says: Read., call: "GET /things/{id}", args: {id: {type: integer}}}
  find: {says: Search., call: GET /things, args: {q: {type: string}}}
"""
POLICY = """\
rules:
  - {id: read, allow: crm.get, to: {roles: [a]}, when: args.id > 3}
  - {id: search, allow: crm.find}
"""


def told(folder: Path, crm: str = CRM, policy: str = POLICY) -> tuple[str, ...]:
    """What is said of a change from CRM and POLICY to these files."""
    for name, text in {"crm.yaml": CRM, "policy.yaml": POLICY}.items():
        (folder / name).write_text(text)
    old = load(folder)
    for name, text in {"crm.yaml": crm, "policy.yaml": policy}.items():
        (folder / name).write_text(text)
    return changes(old, load(folder))


def test_nothing(tmp_path: Path) -> None:
    assert told(tmp_path) == ()


def test_where_a_thing_stands_does_not_matter(tmp_path: Path) -> None:
    policy = "# moved\nrules:\n" + "".join(reversed(POLICY.splitlines(keepends=True)[1:]))
    assert told(tmp_path, "# a comment\n" + CRM, policy) == ()


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("https://crm.test", "https://kb.test", "backends changed: crm"),
        ("says: Read.", "says: Look.", "tools changed: crm.get"),
        ("{type: integer}", "{type: integer, minimum: 1}", "tools changed: crm.get"),
        ("GET /things,", "POST /things, effect: write,", "tools changed: crm.find"),
        ("roles: [a]", "roles: [b]", "rules changed: read"),
        ("args.id > 3", "args.id > 4", "rules changed: read"),
        (", when: args.id > 3", "", "rules changed: read"),
        ("allow: crm.find", "deny: crm.find", "rules changed: search"),
    ],
)
def test_one_change(tmp_path: Path, old: str, new: str, line: str) -> None:
    assert told(tmp_path, CRM.replace(old, new), POLICY.replace(old, new)) == (line,)


def test_a_contracts_file_counts_as_its_contract(tmp_path: Path) -> None:
    crm = CRM.replace("args: {q: {type: string}}", "input: {$ref: find.json}")
    write(tmp_path, crm=crm, policy=POLICY)
    (tmp_path / "find.json").write_text('{"type": "object", "properties": {"q": {"type": "string"}}}')
    old = load(tmp_path)
    (tmp_path / "find.json").write_text('{"type": "object", "properties": {"q": {"type": "integer"}}}')
    assert changes(old, load(tmp_path)) == ("tools changed: crm.find",)


def test_a_file_about_replies_counts_as_well(tmp_path: Path) -> None:
    crm = CRM.replace("args: {q: {type: string}}", "replies: {200: {application/json: {$ref: found.json}}}")
    write(tmp_path, crm=crm, policy=POLICY)
    (tmp_path / "found.json").write_text('{"type": "object"}')
    old = load(tmp_path)
    (tmp_path / "found.json").write_text('{"type": "array"}')
    assert changes(old, load(tmp_path)) == ("tools changed: crm.find",)


def test_what_came_and_what_went(tmp_path: Path) -> None:
    crm = CRM.replace("  get: ", "  fetch: ")
    policy = POLICY.replace("crm.get", "crm.fetch").replace("id: read", "id: fetch")
    assert told(tmp_path, crm, policy) == (
        "tools added: crm.fetch",
        "tools removed: crm.get",
        "rules added: fetch",
        "rules removed: read",
    )


def test_many_names_are_counted(tmp_path: Path) -> None:
    more = "".join(f"  t{number:02}: {{says: Read., call: GET /t{number:02}}}\n" for number in range(MOST_NAMES + 5))
    (line,) = told(tmp_path, CRM + more)
    assert line.startswith("tools added: crm.t00, crm.t01, ")
    assert line.endswith(" and 5 more")
    assert line.count("crm.") == MOST_NAMES
