"""A client on the official SDK 1.x that does everything with server1.py: `client1.py WHERE [PLAY...]`.

WHERE is a URL, or the command of a server that speaks stdio, as a JSON list. It prints one JSON object: what came
of each play. Where a play fails its outcome is `{"failed": ...}`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import mcp.types as t
from mcp import ClientSession, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from pydantic import AnyUrl

PATIENCE_S = 20
logs: list[Any] = []
news: list[Any] = []
asked: list[Any] = []

Play = Callable[[ClientSession], Awaitable[Any]]
PLAYS: dict[str, Play] = {}


def play(do: Play) -> Play:
    PLAYS[do.__name__] = do
    return do


def plain(model: Any) -> Any:
    """A model as it stands on the wire."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def calls(tool: str, **arguments: Any) -> Play:
    """A play that calls one tool."""

    async def do(session: ClientSession) -> Any:
        return plain(await session.call_tool(tool, arguments))

    PLAYS[f"call {tool}"] = do
    return do


@play
async def lists(session: ClientSession) -> Any:
    return {
        "tools": plain(await session.list_tools()),
        "prompts": plain(await session.list_prompts()),
        "resources": plain(await session.list_resources()),
        "templates": plain(await session.list_resource_templates()),
    }


@play
async def ping(session: ClientSession) -> Any:
    return plain(await session.send_ping())


for name in ("simple_text", "image_content", "audio_content", "embedded_resource", "multiple_content_types"):
    calls(f"test_{name}")
calls("test_error_handling")
calls("add", a=19, b=23)
calls("json_schema_2020_12_tool", name="Ada", address={"street": "Elm Road 7", "city": "Ulm"})
calls("where")
calls("test_reconnection")


@play
async def logging(session: ClientSession) -> Any:
    level = plain(await session.set_logging_level("debug"))
    del logs[:]
    result = plain(await session.call_tool("test_tool_with_logging", {}))
    return {"level": level, "logs": list(logs), "result": result}


@play
async def progress(session: ClientSession) -> Any:
    steps = []

    async def step(done: float, total: float | None, message: str | None) -> None:
        steps.append([done, total, message])

    return {
        "result": plain(await session.call_tool("test_tool_with_progress", {}, progress_callback=step)),
        "steps": steps,
    }


@play
async def questions(session: ClientSession) -> Any:
    del asked[:]
    said = [
        await session.call_tool("test_sampling", {"prompt": "How are you?"}),
        await session.call_tool("test_elicitation", {"message": "Who are you?"}),
        await session.call_tool("test_elicitation_sep1034_defaults", {}),
        await session.call_tool("test_elicitation_sep1330_enums", {}),
    ]
    return {"asked": list(asked), "said": [plain(each) for each in said]}


@play
async def reading(session: ClientSession) -> Any:
    uris = ("test://static-text", "test://static-binary", "test://template/a%20b/data", "test://template/7/data")
    return [plain(await session.read_resource(AnyUrl(uri))) for uri in uris]


@play
async def prompts(session: ClientSession) -> Any:
    given: dict[str, dict[str, str]] = {
        "test_simple_prompt": {},
        "test_prompt_with_arguments": {"arg1": "this", "arg2": "that"},
        "test_prompt_with_embedded_resource": {"resourceUri": "test://a-document"},
        "test_prompt_with_image": {},
    }
    return [plain(await session.get_prompt(name, arguments)) for name, arguments in given.items()]


@play
async def completing(session: ClientSession) -> Any:
    prompt = t.PromptReference(type="ref/prompt", name="test_prompt_with_arguments")
    template = t.ResourceTemplateReference(type="ref/resource", uri="test://template/{id}/data")
    return [
        plain(await session.complete(prompt, {"name": "arg1", "value": "te"})),
        plain(await session.complete(template, {"name": "id", "value": "to"})),
    ]


@play
async def watching(session: ClientSession) -> Any:
    watched = AnyUrl("test://watched-resource")
    del news[:]
    told = [plain(await session.subscribe_resource(watched))]
    await session.call_tool("touch", {})
    async with asyncio.timeout(PATIENCE_S):
        while not news:
            await asyncio.sleep(0.01)
    told.append(plain(await session.unsubscribe_resource(watched)))
    await session.call_tool("touch", {})
    await asyncio.sleep(0.3)
    return {"told": told, "news": list(news)}


@play
async def cancelling(session: ClientSession) -> Any:
    me = f"client {id(session)}"
    # The SDK counts the ids of its requests; the one after this is that of the next call.
    number = session._request_id
    call = asyncio.create_task(session.call_tool("slow", {"name": me}, timedelta(seconds=PATIENCE_S)))
    await asyncio.sleep(0.5)
    about = t.CancelledNotificationParams(requestId=number, reason="I changed my mind.")
    await session.send_notification(t.ClientNotification(t.CancelledNotification(params=about)))
    async with asyncio.timeout(PATIENCE_S):
        while me not in str((await session.call_tool("what_was_stopped", {})).content):
            await asyncio.sleep(0.05)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    return "stopped"


@play
async def side_by_side(session: ClientSession) -> Any:
    many = [session.call_tool("add", {"a": n, "b": n}) for n in range(20)]
    return [each.structuredContent for each in await asyncio.gather(*many)]


@play
async def leak(session: ClientSession) -> Any:
    return plain(await session.call_tool("leak", {}))


async def sample(_: Any, params: t.CreateMessageRequestParams) -> t.CreateMessageResult:
    asked.append(plain(params))
    said = t.TextContent(type="text", text="Very well.")
    return t.CreateMessageResult(role="assistant", content=said, model="none", stopReason="endTurn")


ANSWERS = {
    "username": "ada",
    "email": "ada" + "@" + "example.net",
    "name": "Ada",
    "age": 36,
    "score": 88,  # a fraction would be right, but the published schema knows integers only
    "status": "inactive",
    "verified": False,
    "untitledSingle": "option1",
    "titledSingle": "value1",
    "legacyEnum": "opt1",
    "untitledMulti": ["option1", "option2"],
    "titledMulti": ["value1", "value2"],
}


async def elicit(_: Any, params: t.ElicitRequestParams) -> t.ElicitResult:
    asked.append(plain(params))
    fields = plain(params)["requestedSchema"]["properties"]
    return t.ElicitResult(action="accept", content={each: ANSWERS[each] for each in fields})


async def roots(_: Any) -> t.ListRootsResult:
    return t.ListRootsResult(roots=[t.Root(uri=AnyUrl("file:///srv/here"), name="here")])


async def log(params: t.LoggingMessageNotificationParams) -> None:
    logs.append(plain(params))


async def hear(message: Any) -> None:
    if isinstance(message, t.ServerNotification) and isinstance(message.root, t.ResourceUpdatedNotification):
        news.append(plain(message.root.params))


async def outcome(do: Play, session: ClientSession) -> Any:
    try:
        async with asyncio.timeout(2 * PATIENCE_S):
            return await do(session)
    except Exception as error:  # every play gets its turn
        return {"failed": f"{type(error).__name__}: {error}"}


@asynccontextmanager
async def dialled(where: str) -> AsyncIterator[tuple[Any, Any]]:
    """Both streams to a server."""
    if where.startswith("["):
        command, *args = json.loads(where)
        async with stdio_client(StdioServerParameters(command=command, args=args)) as streams:
            yield streams
    else:
        async with streamable_http_client(where) as (read, write, _):
            yield read, write


async def main(where: str, *only: str) -> None:
    answering: Any = {"sampling_callback": sample, "elicitation_callback": elicit, "list_roots_callback": roots}
    hearing: Any = {"logging_callback": log, "message_handler": hear}
    async with (
        dialled(where) as (read, write),
        ClientSession(read, write, timedelta(seconds=PATIENCE_S), **answering, **hearing) as session,
    ):
        found = {"initialize": plain(await session.initialize())}
        for name in only or [each for each in PLAYS if each != "leak"]:
            found[name] = await outcome(PLAYS[name], session)
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
