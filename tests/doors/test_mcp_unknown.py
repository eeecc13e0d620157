"""What is hidden from a caller and what nobody has are answered alike, in the words that the era has for the latter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rules.definitions import Definitions, defined
from tests.mcpwire import FIND, Client, Server, last, mcp_wall, played

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
