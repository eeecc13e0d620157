"""A client on FastMCP for a server that it does not know: `visitorfast.py WHERE CALLS`, as visitor2.py."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from clientfast import place, plain
from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult
from mcp.shared.exceptions import MCPError

PATIENCE_S = 20
told: list[Any] = []


async def call(client: Client[Any], tool: str, arguments: Any) -> Any:
    async def step(done: float, total: float | None, message: str | None) -> None:
        told.append([tool, done, total, message])

    try:
        return plain(await client.call_tool_mcp(tool, arguments, progress_handler=step))
    except MCPError as error:
        return {"error": plain(error.error)}


async def sample(messages: Any, _: Any, __: Any) -> str:
    told.append({"messages": [plain(each) for each in messages]})
    return "Very well."


async def elicit(message: str, *_: Any) -> Any:
    told.append({"message": message})
    return ElicitResult(action="decline")


async def main(where: str, calls: str) -> None:
    answering: Any = {"sampling_handler": sample, "elicitation_handler": elicit, "roots": ["file:///srv/here"]}
    async with Client(place(where), timeout=PATIENCE_S, cache=False, **answering) as client:
        found = {
            "tools": [plain(each) for each in await client.list_tools()],
            "calls": [await call(client, *each) for each in json.loads(calls)],
        }
    print(json.dumps(found | {"told": told}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
