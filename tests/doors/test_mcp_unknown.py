"""What is hidden from a caller and what nobody has are answered alike, in the words that the era has for the latter."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from rules.definitions import Definitions, defined
from tests.mcpwire import DROP, FIND, Client, Server, last, mcp_wall, played

TOOLS = """
  find: {effect: read}
prompts:
  review: {}
  secret: {}
resources:
  readme: {uri: "repo://readme"}
  hidden: {uri: "repo://secret"}
  file: {template: "vault://{name}"}
"""
POLICY = """
rules:
  - {id: some, allow: [crm.find, crm.prompts/review, crm.resources/readme]}
  - {id: others, allow: [crm.prompts/secret, crm.resources/*], to: {roles: [nobody]}}
"""
RESOURCES = [{"uri": f"repo://{name}", "name": name} for name in ("readme", "secret")]
ACCEPTED = Definitions(
    tools=defined("tools", [FIND]),
    prompts=defined("prompts", [{"name": "review"}, {"name": "secret"}]),
    resources=defined("resources", RESOURCES),
    templates=defined("templates", [{"uriTemplate": "vault://{name}", "name": "file"}]),
)


@pytest.mark.parametrize("modern", [False, True])
@played
async def test_hidden_is_answered_as_unknown_is(tmp_path: Path, modern: bool) -> None:
    server = Server(tools=[FIND])
    async with mcp_wall(tmp_path, server, POLICY, TOOLS, ACCEPTED) as w:
        client = Client(w, modern=True) if modern else await Client(w).begin()

        async def no(method: str, more: tuple[tuple[str, str], ...] = (), **params: Any) -> Any:
            said = last(await client.send(client.message(method, params), more))
            assert w.records()[-1]["code"] == "unknown_tool", said
            assert not server.calls(method)
            return said["error"]

        for uri in ("repo://secret", "repo://nothing", "vault://x", "vault://x/../y"):
            error = {
                "code": -32602 if modern else -32002,
                "message": f"Unknown resource: {uri}",
                "data": {"uri": uri},
            }
            assert await no("resources/read", (("Mcp-Name", uri),) if modern else (), uri=uri) == error
            if not modern:
                assert await no("resources/subscribe", uri=uri) == error
        argument = {"name": "a", "value": "b"}
        hidden, unknown = [
            await no("completion/complete", ref={"type": "ref/prompt", "name": name}, argument=argument)
            for name in ("secret", "nothing")
        ]
        assert hidden == unknown
        assert hidden["code"] == -32602
        hidden, unknown = [
            await no("completion/complete", ref={"type": "ref/resource", "uri": uri}, argument=argument)
            for uri in ("vault://{name}", "repo://{nothing}")
        ]
        assert hidden == unknown
        assert hidden["code"] == -32602
        for name in ("secret", "nothing"):
            assert await no("prompts/get", name=name) == {"code": -32602, "message": f"Unknown prompt: {name}"}


SECRET, NEVER = "secret", "nobody"  # of one length, for lengths are told
MIRRORED = {
    "name": "secret",
    "inputSchema": {
        "type": "object",
        "properties": {"who": {"type": "string", "x-mcp-header": "Who"}},
        "required": ["who"],
    },
}
WITH_TOOL = Definitions(
    tools=defined("tools", [FIND, MIRRORED, DROP]),
    prompts=ACCEPTED.prompts,
    resources=ACCEPTED.resources,
    templates=defined("templates", [{"uriTemplate": "vault://secret/{name}", "name": "file"}]),
)
TOOLS_TOO = TOOLS.replace("vault://", "vault://secret/").replace(
    "prompts:", "  secret: {effect: write}\n  drop: {effect: write}\nprompts:"
)
LIMITS = (
    POLICY
    + """
  - {id: tool, allow: [crm.secret], to: {roles: [nobody]}, require: {limit: 1/hour}}
"""
)


def asks(name: str, modern: bool) -> list[tuple[str, dict[str, Any], tuple[tuple[str, str], ...]]]:
    """Every way to ask for something by its name: the method, its params and further headers."""
    argument = {"name": "a", "value": "b"}
    uris = [f"repo://{name}", f"vault://{name}/x", f"vault://{name}/../x"]
    prompt, resource = {"type": "ref/prompt", "name": name}, {"type": "ref/resource", "uri": f"vault://{name}/{{name}}"}
    calls: list[dict[str, Any]] = [{}, {"who": "x"}, {"who": 7}, {"what": [1] * 20}]
    found: list[tuple[str, dict[str, Any], tuple[tuple[str, str], ...]]] = [
        *(("tools/call", {"name": name, "arguments": each}, ()) for each in calls),
        ("tools/call", {"name": name}, ()),
        ("tools/call", {"name": name, "arguments": None}, ()),
        ("tools/call", {"name": name, "arguments": {}, "task": {"ttl": 5}}, ()),
        ("tools/call", {"name": name, "arguments": {}, "_meta": {"progressToken": 1}}, ()),
        ("tools/call", {"name": name, "arguments": {"who": "x"}}, (("Mcp-Param-Who", "y"),)),
        ("tools/call", {"name": name, "arguments": {"who": "x"}}, (("Toolwall-Idempotency-Key", "k"),)),
        ("prompts/get", {"name": name}, ()),
        ("prompts/get", {"name": name, "arguments": {"a": "b"}}, ()),
        ("prompts/get", {"name": name, "arguments": {"a": 1}}, ()),
        *(("resources/read", {"uri": uri}, (("Mcp-Name", uri),) if modern else ()) for uri in uris),
        ("completion/complete", {"ref": prompt, "argument": argument}, ()),
        ("completion/complete", {"ref": resource, "argument": argument}, ()),
        ("completion/complete", {"ref": {"type": "ref/resource", "uri": uris[0]}, "argument": argument}, ()),
    ]
    if modern:
        wanted = [{"resourceSubscriptions": [uri]} for uri in uris]
        return [*found, *(("subscriptions/listen", {"notifications": each}, ()) for each in wanted)]
    subscribing = ("resources/subscribe", "resources/unsubscribe")
    return [*found, *((method, {"uri": uri}, ()) for method in subscribing for uri in uris)]


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize("modern", [False, True])
@played
async def test_byte_by_byte_too(tmp_path: Path, modern: bool, joined: bool) -> None:
    server = Server(tools=[FIND, MIRRORED, DROP])
    listener = ", mcp: {backends: [crm]}" if joined else ""
    async with mcp_wall(tmp_path, server, LIMITS, TOOLS_TOO, WITH_TOOL, listener=listener) as w:
        client = Client(w, modern=True, path="/.toolwall/mcp" if joined else "/crm/mcp") if modern else Client(w)
        client.path = "/.toolwall/mcp" if joined else "/crm/mcp"
        if not modern:
            await client.begin()
        before = len(server.heard)

        async def told(name: str, number: int) -> tuple[str, bytes]:
            method, params, more = asks(f"crm__{name}" if joined else name, modern)[number]
            said = await client.send(client.message(method, params, id=5), more)
            plain = re.sub(rb"(?im)^(toolwall-call|date): .*\r$", b"", said.raw)
            for each in (w.records()[-1]["call"].encode(), name.encode()):
                plain = plain.replace(each, b"?")
            return f"{method} {params}", plain

        for number in range(len(asks("", modern))):
            what, hidden = await told(SECRET, number)
            assert (what.replace(SECRET, NEVER), hidden) == await told(NEVER, number)
        assert len(server.heard) == before
        codes = [each.get("code", "") for each in w.records()]
        assert set(codes) <= {"", "unknown_tool", "bad_request"}
        assert codes.count("unknown_tool") > 15  # or it was not about that
