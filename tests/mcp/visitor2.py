"""A client on the official SDK 2.x for a server that it does not know: `visitor2.py WHERE CALLS`.

WHERE is a URL, or the command of a server that speaks stdio, as a JSON list; CALLS is a JSON list of [tool, arguments].
It prints one JSON object: what the server is and has, and what came of each call.
"""

from __future__ import annotations

import asyncio
import json
import sys
import warnings
from typing import Any

import mcp_types as t
from client2 import place, plain, roots
from mcp import Client
from mcp.shared.exceptions import MCPError

warnings.simplefilter("ignore")  # sampling is deprecated in the newest revision

PATIENCE_S = 20
told: list[Any] = []


async def call(client: Client, tool: str, arguments: Any) -> Any:
    async def step(done: float, total: float | None, message: str | None) -> None:
        told.append([tool, done, total, message])

    try:
        return plain(await client.call_tool(tool, arguments, progress_callback=step))
    except MCPError as error:
        return {"error": plain(error.error)}


async def sample(_: Any, params: t.CreateMessageRequestParams) -> t.CreateMessageResult:
    told.append(plain(params))
    return t.CreateMessageResult(role="assistant", content=t.TextContent(type="text", text="Very well."), model="none")


async def elicit(_: Any, params: t.ElicitRequestParams) -> t.ElicitResult:
    told.append(plain(params))
    return t.ElicitResult(action="decline")


async def main(where: str, calls: str) -> None:
    asking: Any = {"sampling_callback": sample, "elicitation_callback": elicit, "list_roots_callback": roots}
    async with Client(place(where), cache=None, read_timeout_seconds=PATIENCE_S, **asking) as client:
        found = {
            "revision": client.protocol_version,
            "server": plain(client.server_info),
            "tools": plain(await client.list_tools())["tools"],
            "calls": [await call(client, *each) for each in json.loads(calls)],
        }
    print(json.dumps(found | {"told": told}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
