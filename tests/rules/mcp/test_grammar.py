import pytest

from rules.mcp.grammar import MCP_BACKEND
from rules.shape import Form
from tests.rules.helpers import write
from tests.rules.mcp.hub import HUB, accept, wrong
from tests.rules.mutations import check_mutations
from tests.rules.test_grammar import every_key


def test_every_key_says_what_it_is_for_and_none_is_refused_too():
    for _, key in every_key(MCP_BACKEND):
        assert key.says.endswith(".")
        if isinstance(key.shape, Form):
            assert not (key.shape.elsewhere.keys() | key.shape.later) & key.shape.keys.keys()


@pytest.mark.parametrize(
    ("kind", "entry", "key", "hint"),
    [
        ("tools", "search_issues: {effect: read, call: GET /x}", "call", "by a tool's name"),
        ("tools", "search_issues: {effect: read, args: {}}", "args", "mcp accept"),
        ("tools", "search_issues: {effect: read, replies: {}}", "replies", "mcp accept"),
        ("prompts", "review: {undo: {tool: x, with: {}}}", "undo", "is read"),
        ("tools", "search_issues: {effect: write, idempotency: {header: X}}", "header", "no headers"),
        ("resources", "readme: {uri: x, reply: {keep: [id]}}", "keep", "given whole"),
        ("prompts", "review: {reply: {most: 5}}", "most", "given whole"),
        ("prompts", "review: {effect: read}", "effect", "is read"),
        ("resources", "readme: {uri: x, repeatable: true}", "repeatable", "is read"),
        ("resources", "readme: {uri: x, name: x}", "name", "uri or template"),
    ],
)
def test_a_key_that_makes_no_sense_for_mcp_says_what_to_do(tmp_path, kind, entry, key, hint):
    text = f"backend: hub\nurl: https://hub.test\nmcp: hub.definitions.json\n{kind}:\n  {entry}\n"
    found = next(one for one in wrong(tmp_path, text) if one.path.endswith(f".{key}"))
    assert found.message == "has no place here"
    assert hint in found.hint


def test_there_is_nothing_to_probe_below_an_endpoint(tmp_path):
    (found,) = wrong(tmp_path, HUB + "    probe: /healthz\n")
    assert (found.path, found.message) == ("probe", "has no place here")


def test_a_tool_needs_its_effect(tmp_path):
    text = "backend: hub\nurl: https://hub.test\nmcp: hub.definitions.json\ntools: {search_issues: {says: x}}\n"
    assert "lacks the key effect" in wrong(tmp_path, text)[0].message


def test_every_key_misspelt_or_doubled_is_refused_with_its_line(tmp_path):
    (tmp_path / "source").mkdir()
    source = write(tmp_path / "source", hub=HUB)
    accept(source)
    assert check_mutations(source, tmp_path) > 20


@pytest.mark.parametrize("said", ["[]", "2025-11-25", "[2025-11-24]", "[all]", "[2026-07-28, 1]"])
def test_a_revision_is_one_that_is_known(tmp_path, said):
    text = f"revisions: {said}\nbackend: hub\nurl: https://hub.test\nmcp: hub.definitions.json\n"
    assert wrong(tmp_path, text)[0].path.startswith("revisions")
