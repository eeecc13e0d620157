"""A client on FastMCP, which chooses the revision by itself: `clientfast.py WHERE MODE`.

WHERE is a URL, or the command of a server that speaks stdio, as a JSON list. It plays what server1.py and
server2.py have both, and prints one JSON object: what came of each play.
"""

from __future__ import annotations

import asyncio
import json
import sys
import warnings
from typing import Any

from fastmcp import Client
from fastmcp.client.transports import StdioTransport

warnings.simplefilter("ignore")

PATIENCE_S = 20
told: list[Any] = []


def plain(model: Any) -> Any:
    """A model as it stands on the wire."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


async def call(client: Client[Any], tool: str, **arguments: Any) -> Any:
    return plain(await client.call_tool_mcp(tool, arguments))


async def step(done: float, total: float | None, message: str | None) -> None:
    told.append([done, total, message])


async def sample(messages: Any, _: Any, __: Any) -> str:
    told.append([plain(each) for each in messages])
    return "Very well."


async def elicit(message: str, _: Any, params: Any, __: Any) -> Any:
    told.append(message)
    answers = {"name": "Ada", "age": 36, "username": "ada", "email": "ada" + "@" + "example.net"}
    return {each: answers[each] for each in params.requested_schema["properties"]}


async def lists(client: Client[Any]) -> Any:
    return {
        "tools": sorted(each.name for each in await client.list_tools()),
        "prompts": sorted(each.name for each in await client.list_prompts()),
        "resources": sorted(str(each.uri) for each in await client.list_resources()),
        "templates": sorted(each.uri_template for each in await client.list_resource_templates()),
    }


async def both(client: Client[Any]) -> Any:
    """What both servers have."""
    return {
        "lists": await lists(client),
        "add": await call(client, "add", a=19, b=23),
        "text": [plain(each) for each in await client.read_resource("test://static-text")],
        "blob": [plain(each) for each in await client.read_resource("test://static-binary")],
        "template": [plain(each) for each in await client.read_resource("test://template/7/data")],
    }


async def old(client: Client[Any]) -> Any:
    """What server1.py has."""
    return {
        "say": await call(client, "test_multiple_content_types"),
        "fail": await call(client, "test_error_handling"),
        "steps": plain(await client.call_tool_mcp("test_tool_with_progress", {}, progress_handler=step)),
        "sample": await call(client, "test_sampling", prompt="How are you?"),
        "ask": await call(client, "test_elicitation", message="Who are you?"),
        "prompt": plain(await client.get_prompt("test_prompt_with_arguments", {"arg1": "this", "arg2": "that"})),
        "again": await call(client, "test_reconnection"),
    }


async def new(client: Client[Any]) -> Any:
    """What server2.py has."""
    return {
        "say": await call(client, "say"),
        "fail": await call(client, "fail"),
        "place": await call(client, "place", region="Île", number=7, note="n"),
        "steps": plain(await client.call_tool_mcp("steps", {}, progress_handler=step)),
        "ask": await call(client, "ask"),
        "prompt": plain(await client.get_prompt("review", {"topic": "the ship"})),
    }


def place(where: str) -> Any:
    """What FastMCP calls a server."""
    if not where.startswith("["):
        return where
    command, *args = json.loads(where)
    return StdioTransport(command, args, keep_alive=False)


async def main(where: str, mode: Any) -> None:
    answering: Any = {"sampling_handler": sample, "elicitation_handler": elicit, "roots": ["file:///srv/here"]}
    async with Client(place(where), mode=mode, timeout=PATIENCE_S, cache=False, **answering) as client:
        found = await both(client)
        modern = "place" in found["lists"]["tools"]
        found |= await (new if modern and mode != "legacy" else old)(client)
    print(json.dumps(found | {"told": sorted(told, key=str)}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
