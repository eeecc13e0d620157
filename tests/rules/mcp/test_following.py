"""The keys of an MCP server's tools that name a call which follows."""

import pytest

from tests.rules.mcp.hub import CREATE, HUB, SEARCH, hub, wrong

CLOSE = {
    "name": "close",
    "inputSchema": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
}
TITLED = {**CREATE, "inputSchema": {**CREATE["inputSchema"], "required": ["title"]}}
TOOLS = [SEARCH, TITLED, CLOSE]
BOTH = HUB.replace(
    "effect: write, guessed: true}",
    """effect: write, undo: {tool: close, with: {id: reply.id}, within: 2h},
               settle_by: {tool: search_issues, with: {q: args.title}, done: reply.count > 0}}
      close: {effect: write}""",
)


def test_they_are_read_as_those_of_an_api_s_tools(tmp_path):
    tools = hub(tmp_path, text=BOTH, tools=TOOLS).catalog.tools
    undo, settle_by = tools["hub.create"].undo, tools["hub.create"].settle_by
    assert (undo.tool, undo.within_s, undo.needs_reply) == ("hub.close", 7_200, True)
    assert (settle_by.tool, settle_by.after_s) == ("hub.search_issues", 60)
    assert tools["hub.search_issues"].tells
    assert not tools["hub.close"].tells


@pytest.mark.parametrize(
    ("old", "new", "path", "words"),
    [
        ("tool: close", "tool: closed", "undo.tool", "did you mean close"),
        ("tool: close", "tool: search_issues", "undo.tool", "reads"),
        ("{id: reply.id}", "{}", "undo.with", "lacks id"),
        ("{id: reply.id}", "{id: reply.id, x: args.title}", "x", "no argument of close"),
        ("tool: search_issues", "tool: close", "settle_by.tool", "has effects"),
        ("done: reply.count > 0", "done: status == 200", "settle_by.done", "size(reply.orders) > 0"),
        ("done: reply.count > 0", "done: reply.count > 0 && status == 200", "settle_by.done", "ask for `reply`"),
        ("https://hub.test/mcp", '"stdio:"', "undo", "the client"),
    ],
)
def test_what_cannot_be_is_said_at_load(tmp_path, old, new, path, words):
    found = [one for one in wrong(tmp_path, BOTH.replace(old, new, 1), tools=TOOLS) if one.path.endswith(path)]
    assert found
    assert any(words in f"{one.message} {one.hint}" for one in found), found


def test_a_tool_that_only_goes_as_a_task_follows_nothing(tmp_path):
    later = {**CLOSE, "execution": {"taskSupport": "required"}}
    [problem] = wrong(tmp_path, BOTH, tools=[SEARCH, TITLED, later])
    assert (problem.path, "only goes as a task" in problem.message) == ("tools.create.undo.tool", True)
