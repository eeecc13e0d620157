"""A client on the official SDK 2.x that does everything with server2.py, without sessions:
`client2.py WHERE [PLAY...]`.

WHERE is a URL, or the command of a server that speaks stdio, as a JSON list. It prints one JSON object: what came
of each play. Where a play fails its outcome is `{"failed": ...}`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import mcp_types as t
from mcp import Client, StdioServerParameters
from mcp.shared.exceptions import MCPError

warnings.simplefilter("ignore")  # logging is deprecated in this revision, and a part of it all the same

PATIENCE_S = 20
logs: list[Any] = []
asked: list[Any] = []

Play = Callable[[Client], Awaitable[Any]]
PLAYS: dict[str, Play] = {}


def play(do: Play) -> Play:
    PLAYS[do.__name__] = do
    return do


def plain(model: Any) -> Any:
    """A model as it stands on the wire."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def calls(tool: str, **arguments: Any) -> None:
    """A play that calls one tool."""

    async def do(client: Client) -> Any:
        return plain(await client.call_tool(tool, arguments))

    PLAYS[f"call {tool} {len(PLAYS)}"] = do


async def pages(lists: Callable[..., Awaitable[Any]]) -> list[Any]:
    """All pages of a list, each without the cursor, which is the server's own affair."""
    found, cursor = [], None
    while not found or cursor:
        one = await lists(cursor=cursor)
        cursor = one.next_cursor
        found.append({key: value for key, value in plain(one).items() if key != "nextCursor"})
    return found


@play
async def who(client: Client) -> Any:
    return {
        "revision": client.protocol_version,
        "server": plain(client.server_info),
        "capabilities": plain(client.server_capabilities),
        "instructions": client.instructions,
    }


@play
async def lists(client: Client) -> Any:
    return {
        "tools": await pages(client.list_tools),
        "prompts": await pages(client.list_prompts),
        "resources": await pages(client.list_resources),
        "templates": await pages(client.list_resource_templates),
    }


calls("say")
calls("fail")
calls("add", a=19, b=23)
calls("place", region="Hauts-de-Seine", number=-7, note="north")
calls("place", region="Île-de-France ", number=2**53 - 1, note="")


@play
async def progress(client: Client) -> Any:
    steps = []
    del logs[:]

    async def step(done: float, total: float | None, message: str | None) -> None:
        steps.append([done, total, message])

    result = plain(await client.call_tool("steps", {}, progress_callback=step))
    return {"result": result, "steps": steps, "logs": list(logs)}


@play
async def questions(client: Client) -> Any:
    del asked[:]
    return {"said": plain(await client.call_tool("ask", {})), "asked": sorted(asked, key=str)}


@play
async def reading(client: Client) -> Any:
    uris = ("test://static-text", "test://static-binary", "test://template/a%20b/data", "test://template/7/data")
    return [plain(await client.read_resource(uri)) for uri in uris]


@play
async def prompts(client: Client) -> Any:
    return plain(await client.get_prompt("review", {"topic": "the ship"}))


@play
async def completing(client: Client) -> Any:
    prompt = t.PromptReference(type="ref/prompt", name="review")
    template = t.ResourceTemplateReference(type="ref/resource", uri="test://template/{id}/data")
    return [
        plain(await client.complete(prompt, {"name": "topic", "value": "te"})),
        plain(await client.complete(template, {"name": "id", "value": "to"})),
    ]


@play
async def listening(client: Client) -> Any:
    watched = "test://watched-resource"
    async with client.listen(tools_list_changed=True, resource_subscriptions=[watched]) as heard:
        honored = plain(heard.honored)
        await client.call_tool("touch", {})
        news = [str(await asyncio.wait_for(anext(heard), PATIENCE_S)) for _ in range(2)]
        await client.call_tool("hang_up", {})
        rest = [str(each) async for each in heard]
    return {"honored": honored, "news": sorted(news), "rest": rest}


@play
async def cancelling(client: Client) -> Any:
    me = f"client {id(client)}"
    call = asyncio.create_task(client.call_tool("slow", {"name": me}))
    await asyncio.sleep(0.5)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    async with asyncio.timeout(PATIENCE_S):
        while me not in str((await client.call_tool("what_was_stopped", {})).content):
            await asyncio.sleep(0.05)
    return "stopped"


@play
async def side_by_side(client: Client) -> Any:
    many = [client.call_tool("add", {"a": n, "b": n}) for n in range(20)]
    return [each.structured_content for each in await asyncio.gather(*many)]


@play
async def what_is_not_there(client: Client) -> Any:
    codes = []
    for ask in (client.call_tool("no_such_tool", {}), client.read_resource("test://nowhere/at/all")):
        try:
            codes.append(plain(await ask))
        except MCPError as error:
            codes.append(error.code)
    return codes


@play
async def leak(client: Client) -> Any:
    return plain(await client.call_tool("leak", {}))


async def sample(_: Any, params: t.CreateMessageRequestParams) -> t.CreateMessageResult:
    asked.append(plain(params))
    said = t.TextContent(type="text", text="A ship.")
    return t.CreateMessageResult(role="assistant", content=said, model="none", stop_reason="endTurn")


async def elicit(_: Any, params: t.ElicitRequestParams) -> t.ElicitResult:
    asked.append(plain(params))
    return t.ElicitResult(action="accept", content={"name": "Ada", "age": 36})


async def roots(_: Any) -> t.ListRootsResult:
    return t.ListRootsResult(roots=[t.Root(uri="file:///srv/here", name="here")])


async def log(params: t.LoggingMessageNotificationParams) -> None:
    logs.append(plain(params))


async def outcome(do: Play, client: Client) -> Any:
    try:
        async with asyncio.timeout(2 * PATIENCE_S):
            return await do(client)
    except Exception as error:  # every play gets its turn
        return {"failed": f"{type(error).__name__}: {error}"}


def place(where: str) -> Any:
    """What the SDK calls a server."""
    if not where.startswith("["):
        return where
    command, *args = json.loads(where)
    return StdioServerParameters(command=command, args=args)


async def main(where: str, *only: str) -> None:
    answering: Any = {"sampling_callback": sample, "elicitation_callback": elicit, "list_roots_callback": roots}
    hearing: Any = {"logging_callback": log, "log_level": "debug", "read_timeout_seconds": PATIENCE_S}
    # Without a cache of its own, so that each call is on the wire.
    async with Client(place(where), cache=None, **answering, **hearing) as client:
        wanted = only or [each for each in PLAYS if each != "leak"]
        found = {name: await outcome(PLAYS[name], client) for name in wanted}
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
