"""A client on the official SDK 1.x for a server that it does not know: `visitor.py WHERE CALLS [URI]`.

WHERE is a URL, or the command of a server that speaks stdio, as a JSON list; CALLS is a JSON list of [tool, arguments].
A resource with URI is watched meanwhile, until it changes. It prints one JSON object: what the server is and has, and
what came of each call.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import mcp.types as t
from client1 import dialled, plain
from mcp import ClientSession, McpError
from pydantic import AnyUrl

PATIENCE = timedelta(seconds=20)
told: list[Any] = []
changed = asyncio.Event()


async def pages(lists: Callable[..., Awaitable[Any]], kind: str) -> Any:
    """All of a list; what the server answers where it has no such list."""
    found: list[Any] = []
    cursor = None
    while not found or cursor:
        try:
            page = await lists(cursor)
        except McpError as error:
            return error.error.code
        found += plain(page)[kind]
        cursor = page.nextCursor
        if not found:
            return found
    return found


async def call(session: ClientSession, tool: str, arguments: Any) -> Any:
    async def step(done: float, total: float | None, message: str | None) -> None:
        told.append([tool, done, total, message])

    try:
        return plain(await session.call_tool(tool, arguments, progress_callback=step))
    except McpError as error:
        return {"error": plain(error.error)}


async def sample(_: Any, params: t.CreateMessageRequestParams) -> t.CreateMessageResult:
    told.append(plain(params))
    return t.CreateMessageResult(role="assistant", content=t.TextContent(type="text", text="Very well."), model="none")


async def elicit(_: Any, params: t.ElicitRequestParams) -> t.ElicitResult:
    told.append(plain(params))
    return t.ElicitResult(action="decline")


async def hear(message: Any) -> None:
    if isinstance(message, t.ServerNotification) and isinstance(message.root, t.ResourceUpdatedNotification):
        changed.set()


async def main(where: str, calls: str, uri: str = "") -> None:
    hearing: Any = {"sampling_callback": sample, "elicitation_callback": elicit, "message_handler": hear}
    async with (
        dialled(where) as (read, write),
        ClientSession(read, write, PATIENCE, **hearing) as session,
    ):
        found = {"initialize": plain(await session.initialize())}
        found["tools"] = await pages(session.list_tools, "tools")
        found["prompts"] = await pages(session.list_prompts, "prompts")
        found["resources"] = await pages(session.list_resources, "resources")
        found["templates"] = await pages(session.list_resource_templates, "resourceTemplates")
        if uri:
            await session.subscribe_resource(AnyUrl(uri))
        found["calls"] = [await call(session, *each) for each in json.loads(calls)]
        if uri:
            await asyncio.wait_for(changed.wait(), PATIENCE.total_seconds())
            await session.unsubscribe_resource(AnyUrl(uri))
    print(json.dumps(found | {"told": told}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
