"""The Record of one message: what else the message is about has to be the caller's too."""

from __future__ import annotations

from pathlib import Path

from rules.definitions import Definitions, defined
from tests.mcpwire import FIND, Client, Server, last, mcp_wall, played

PROMPTS = [{"name": "review"}, {"name": "secret"}]
ACCEPTED = Definitions(tools=defined("tools", [FIND]), prompts=defined("prompts", PROMPTS))
TOOLS = """
  find: {effect: read}
prompts:
  review: {}
  secret: {}
"""
POLICY = """
rules:
  - {id: some, allow: [crm.find, crm.prompts/review]}
"""


@played
async def test_what_a_caller_may_not_know_is_not_completed(tmp_path: Path) -> None:
    server = Server(tools=[FIND])
    async with mcp_wall(tmp_path, server, POLICY, TOOLS, ACCEPTED) as w:
        server.says["completion/complete"] = lambda _: {"completion": {"values": ["a"]}}
        client, told = Client(w, modern=True), {}
        for name in ("review", "secret", "never"):
            said = await client.ask(
                "completion/complete", ref={"type": "ref/prompt", "name": name}, argument={"name": "a", "value": ""}
            )
            told[name] = last(said)
        assert "result" in told["review"]
        assert told["secret"]["error"] == told["never"]["error"]
        assert len(server.calls("completion/complete")) == 1
        assert [record["code"] for record in w.records()[-2:]] == ["unknown_tool"] * 2
