import asyncio
import json

import pytest

from proxy.mcp import inventory as module
from proxy.mcp.inventory import NoServer, inventory
from rules.definitions import definitions
from tests.proxy.mcp.server import LISTED, McpServer, serving
from tests.rules.mcp.hub import CREATE, FILE, README, REVIEW, SEARCH
from tests.wire import reply

ALL = {
    "tools/list": [SEARCH, CREATE],
    "prompts/list": [REVIEW],
    "resources/list": [README],
    "resources/templates/list": [FILE],
}


def hub(**how):
    server = McpServer(**how)
    server.has = dict(ALL)
    return server


def asked(server, **how):
    with serving(server):
        return asyncio.run(inventory(server.url, **how))


def refused(server, **how):
    with pytest.raises(NoServer) as caught:
        asked(server, **how)
    return str(caught.value)


@pytest.mark.parametrize("as_events", [False, True])
@pytest.mark.parametrize("modern", [False, True])
def test_all_that_a_server_has_is_asked_for_page_by_page(modern, as_events):
    server = hub(modern=modern, as_events=as_events)
    said = asked(server)
    assert said.definitions == definitions([SEARCH, CREATE], [REVIEW], [README], [FILE], "Be careful.")
    assert (said.title, said.version, said.left) == ("Test hub", "7", ())
    assert said.revision == said.definitions.revision == ("2026-07-28" if modern else "2025-11-25")
    sent = [message["method"] for message in server.messages]
    hello = ["server/discover"] if modern else ["server/discover", "initialize", "notifications/initialized"]
    assert sent == [*hello, "tools/list", "tools/list", "prompts/list", "resources/list", "resources/templates/list"]


@pytest.mark.parametrize("modern", [False, True])
def test_what_a_server_shows_only_to_clients_that_can_be_asked_is_shown(modern):
    server = hub(modern=modern)
    asked(server)
    offered = [
        message["params"].get("capabilities")
        or message["params"].get("_meta", {}).get("io.modelcontextprotocol/clientCapabilities")
        for message in server.messages
        if message["method"] in (("tools/list",) if modern else ("initialize",))
    ]
    assert offered != []
    assert all({"roots", "sampling", "elicitation"} <= set(each) for each in offered)


def test_each_message_is_one_of_its_era():
    server = hub()
    asked(server)
    for message, head in zip(server.messages, server.heads, strict=True):
        assert message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] == "2026-07-28"
        assert "MCP-Protocol-Version: 2026-07-28" in head
        assert f"Mcp-Method: {message['method']}\r\n" in head
    server = hub(modern=False)
    asked(server)
    _, hello, *rest = server.messages
    assert hello["params"]["protocolVersion"] == "2025-11-25"
    assert all("_meta" not in message.get("params", {}) for message in rest)
    assert all("Mcp-Session-Id: s1" in head and "MCP-Protocol-Version: 2025-11-25" in head for head in server.heads[2:])
    assert server.heads[-1].startswith("DELETE /mcp "), "the session is over"


@pytest.mark.parametrize("revision", ["2025-06-18", "2025-03-26", "2024-11-05"])
def test_a_server_of_an_older_revision_is_asked_in_it(revision):
    server = hub(modern=False)
    server.revision = revision
    assert asked(server).revision == revision
    assert f"MCP-Protocol-Version: {revision}" in server.heads[-1]


def test_a_server_of_a_revision_that_nobody_knows_is_not():
    server = hub(modern=False)
    server.revision = "2024-10-07"
    assert "speaks none of 2026-07-28, 2025-11-25, 2025-06-18, 2025-03-26, 2024-11-05" in refused(server)


def test_what_a_server_does_not_have_is_not_asked_for():
    server = hub()
    del server.has["prompts/list"], server.has["resources/templates/list"]
    server.instructions = None
    assert asked(server).definitions == definitions([SEARCH, CREATE], [], [README])
    assert "prompts/list" not in [message["method"] for message in server.messages]


def test_a_token_goes_where_it_is_meant_to_go():
    server = hub()
    server.token = "t0k"
    assert asked(server, token="t0k").definitions.tools
    assert "--token" in refused(hub_with(server, token="other"))


def hub_with(server, token):
    made = hub()
    made.token = token
    return made


def test_one_definition_that_cannot_be_kept_does_not_keep_others_away():
    server = hub()
    server.has["tools/list"] = [
        SEARCH,
        {"name": 7},
        CREATE,
        {**CREATE, "title": "x"},
        {"name": "big", "x": "y" * 300_000},
    ]
    said = asked(server)
    assert list(said.definitions.tools) == ["search_issues"]
    assert len(said.left) == 3
    assert any("issue.create" in one and "twice" in one for one in said.left)


def test_a_server_that_says_nothing_to_what_it_does_not_know_is_asked_in_the_other_era(monkeypatch):
    monkeypatch.setattr(module, "PATIENCE_S", 3.0)
    server = hub(modern=False)
    server.instead["server/discover"] = lambda _: b""
    assert asked(server).revision == "2025-11-25"


def test_nothing_is_unpacked():
    server = hub()
    server.instead["server/discover"] = lambda _: reply(b"x", "Content-Encoding: gzip")
    assert "no MCP server" in refused(server)
    assert all("Accept-Encoding: identity" in head for head in server.heads)


def test_a_list_that_does_not_end_is_ended():
    server = hub()
    server.instead["tools/list"] = lambda message: server.said(message, result={"tools": [], "nextCursor": "1"})
    assert "does not end" in refused(server)
    server.instead["tools/list"] = lambda message: server.said(
        message, result={"tools": [], "nextCursor": str(message["id"])}
    )
    assert "does not end" in refused(server)
    assert len(server.messages) < module.MOST_PAGES + 10


@pytest.mark.parametrize(
    "answer",
    [
        lambda server, message: reply(b"hello", kind="text/html"),
        lambda server, message: reply(b'{"jsonrpc": "2.0", "id": 99, "result": {}}'),
        lambda server, message: reply(b'{"a": 1, "a": 2}'),
        lambda server, message: reply(b"[]"),
        lambda server, message: reply(b"", status="500 Oh"),
        lambda server, message: server.said(message, result={"protocolVersion": "2099-01-01"}),
        lambda server, message: server.said(message, result=[]),
        lambda server, message: server.said(message, error={"code": -32603, "message": "no\x1b[2Jway"}),
        lambda server, message: reply(b"data: x\n\n", kind="text/event-stream"),
        lambda server, message: reply(b"data: {}", kind="text/event-stream"),
    ],
)
def test_what_is_no_mcp_server_is_said(answer):
    server = hub(modern=False)
    server.instead["initialize"] = lambda message: answer(server, message)
    assert server.url.split(":")[0] in refused(server)


def test_a_redirect_is_not_followed():
    server = hub()
    server.instead["server/discover"] = lambda _: reply(b"", "Location: http://evil.test/", status="307 Away")
    assert "leads to http://evil.test/" in refused(server)
    assert len(server.messages) == 1


def test_an_answer_without_end_is_cut():
    server = hub()
    much = b" " * (module.MOST_FILE + 1)
    server.instead["server/discover"] = lambda _: reply(much)
    assert "more than" in refused(server)
    server.instead["server/discover"] = lambda _: reply(b"data: " + much, kind="text/event-stream")
    assert "more than" in refused(server)


def test_pages_are_bounded_in_all():
    server = hub()
    page = {"tools": [{"name": "t", "x": "y" * 9_000_000}]}
    server.instead["tools/list"] = lambda message: server.said(
        message, result={**page, "nextCursor": str(message["id"])}
    )
    assert "in all" in refused(server)
    assert len(server.messages) == 3


def test_instructions_without_end_are_refused():
    server = hub()
    server.instructions = "x" * 100_000
    assert "instructions" in refused(server)


def test_a_server_that_is_not_there_is_said():
    with pytest.raises(NoServer, match="cannot be reached"):
        asyncio.run(inventory("http://127.0.0.1:1/mcp"))
    with pytest.raises(NoServer, match="holds no certificates"):
        asyncio.run(inventory("http://127.0.0.1:1/mcp", ca="/nowhere"))


def test_every_kind_is_listed():
    assert {method for _, _, method, _ in module._LISTS} == set(LISTED)
    assert json.dumps(ALL)
