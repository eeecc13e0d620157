"""A server with everything the conformance suite asks for, on the official SDK 1.x: `server1.py PORT [PORT...]`,
or `server1.py stdio`.

Its environment is `build/mcp1-venv`. Beside the suite's tools it has some for the tests of this folder: for structured
output, cancelling, subscribed resources and roots, and one that tells what must not be told. Further ports are those by
which clients may name it (Host, Origin).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import mcp.types as t
import uvicorn
from mcp.server.fastmcp.server import StreamableHTTPASGIApp
from mcp.server.lowlevel import Server
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import AnyUrl
from starlette.applications import Starlette
from starlette.routing import Route

# A PNG of one pixel and a WAV without a sample: the smallest that are whole.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
WAV = base64.b64encode(b"RIFF$\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0@\x1f\0\0@\x1f\0\0\x01\0\x08\0data\0\0\0\0").decode()
STEP_S = 0.05
RETRY_MS = 200

server: Server[Any, Any] = Server("toolwall-everything", "1.0.0", instructions="Everything, for tests.")
stopped: list[str] = []
subscribed: dict[str, Any] = {}


class Events(EventStore):
    """What was sent on each stream, so that a client can come back for it."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, t.JSONRPCMessage | None]] = []

    async def store_event(self, stream_id: str, message: t.JSONRPCMessage | None) -> str:
        self.kept.append((stream_id, message))
        return str(len(self.kept))

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        at = int(last_event_id)
        if not 0 < at <= len(self.kept):
            return None
        stream = self.kept[at - 1][0]
        for number, (of, message) in enumerate(self.kept[at:], start=at + 1):
            if of == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


Doing = Callable[[dict[str, Any]], Awaitable[Any]]
TOOLS: dict[str, tuple[t.Tool, Doing]] = {}


def tool(
    schema: dict[str, Any] | None = None, output: dict[str, Any] | None = None, of_suite: bool = False
) -> Callable[[Doing], Doing]:
    """A tool with its function's name and docstring; the suite's names begin with `test_`."""

    def kept(do: Doing) -> Doing:
        name = f"test_{do.__name__}" if of_suite else do.__name__
        about = t.Tool(
            name=name,
            description=do.__doc__,
            inputSchema=schema or {"type": "object", "properties": {}},
            outputSchema=output,
        )
        TOOLS[name] = about, do
        return do

    return kept


def text(said: str) -> list[t.ContentBlock]:
    return [t.TextContent(type="text", text=said)]


def needing(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def document(uri: str, kind: str, content: str) -> t.EmbeddedResource:
    held = t.TextResourceContents(uri=AnyUrl(uri), mimeType=kind, text=content)
    return t.EmbeddedResource(type="resource", resource=held)


IMAGE = t.ImageContent(type="image", data=PNG, mimeType="image/png")


@tool(of_suite=True)
async def simple_text(_: dict[str, Any]) -> Any:
    """Says one sentence."""
    return text("One plain sentence, and no more.")


@tool(of_suite=True)
async def image_content(_: dict[str, Any]) -> Any:
    """Shows one pixel."""
    return [IMAGE]


@tool(of_suite=True)
async def audio_content(_: dict[str, Any]) -> Any:
    """Plays nothing."""
    return [t.AudioContent(type="audio", data=WAV, mimeType="audio/wav")]


@tool(of_suite=True)
async def embedded_resource(_: dict[str, Any]) -> Any:
    """Holds a document."""
    return [document("test://embedded-resource", "text/plain", "A document inside of a reply.")]


@tool(of_suite=True)
async def multiple_content_types(_: dict[str, Any]) -> Any:
    """Says something, shows something and holds something."""
    return [*text("Three things:"), IMAGE, document("test://mixed-content-resource", "application/json", '{"n": 123}')]


@tool(of_suite=True)
async def error_handling(_: dict[str, Any]) -> Any:
    """Fails always."""
    raise RuntimeError("This one fails on purpose.")


@tool(of_suite=True)
async def tool_with_logging(_: dict[str, Any]) -> Any:
    """Tells how far it is, by log messages."""
    here = server.request_context
    for said in ("begun", "half done", "done"):
        await here.session.send_log_message("info", said, "everything", related_request_id=str(here.request_id))
        await asyncio.sleep(STEP_S)
    return text("Three log messages were sent.")


@tool(of_suite=True)
async def tool_with_progress(_: dict[str, Any]) -> Any:
    """Tells how far it is, by progress."""
    here = server.request_context
    token = here.meta.progressToken if here.meta else None
    for done in (0, 50, 100):
        if token is not None:
            await here.session.send_progress_notification(
                token, done, 100, f"{done} of 100", related_request_id=str(here.request_id)
            )
        await asyncio.sleep(STEP_S)
    return text("It is done.")


@tool(needing(prompt={"type": "string"}), of_suite=True)
async def sampling(args: dict[str, Any]) -> Any:
    """Asks the client's model."""
    here = server.request_context
    asked = t.SamplingMessage(role="user", content=t.TextContent(type="text", text=args["prompt"]))
    said = await here.session.create_message([asked], max_tokens=100, related_request_id=here.request_id)
    return text(f"The model says: {getattr(said.content, 'text', '')}")


async def elicit(question: str, properties: dict[str, Any], required: list[str]) -> Any:
    here = server.request_context
    schema = {"type": "object", "properties": properties, "required": required}
    said = await here.session.elicit_form(question, schema, related_request_id=here.request_id)
    return text(f"The user: {said.action} {json.dumps(said.content)}")


@tool(needing(message={"type": "string"}), of_suite=True)
async def elicitation(args: dict[str, Any]) -> Any:
    """Asks the client's user."""
    fields = {"username": {"type": "string"}, "email": {"type": "string", "description": "Where to write to"}}
    return await elicit(args["message"], fields, list(fields))


@tool(of_suite=True)
async def elicitation_sep1034_defaults(_: dict[str, Any]) -> Any:
    """Asks the client's user, and has an answer for each question already."""
    fields = {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": True},
    }
    return await elicit("Who are you?", fields, [])


@tool(of_suite=True)
async def elicitation_sep1330_enums(_: dict[str, Any]) -> Any:
    """Asks the client's user to choose, in each way that there is."""
    plain = ["option1", "option2", "option3"]
    titled = [{"const": f"value{n}", "title": f"Choice {n}"} for n in (1, 2, 3)]
    fields = {
        "untitledSingle": {"type": "string", "enum": plain},
        "titledSingle": {"type": "string", "oneOf": titled},
        "legacyEnum": {"type": "string", "enum": ["opt1", "opt2"], "enumNames": ["Option One", "Option Two"]},
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": plain}},
        "titledMulti": {"type": "array", "items": {"anyOf": titled}},
    }
    return await elicit("Which ones?", fields, [])


@tool(of_suite=True)
async def reconnection(_: dict[str, Any]) -> Any:
    """Closes its stream in the middle; the client has to come back for the answer."""
    here = server.request_context
    if here.close_sse_stream is not None:
        await here.close_sse_stream()
    await asyncio.sleep(2 * STEP_S)
    return text("You came back.")


@tool(
    {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {"type": "object", "properties": {"street": {"type": "string"}, "city": {"type": "string"}}}
        },
        "properties": {"name": {"type": "string"}, "address": {"$ref": "#/$defs/address"}},
        "additionalProperties": False,
    }
)
async def json_schema_2020_12_tool(args: dict[str, Any]) -> Any:
    """Has a schema of draft 2020-12."""
    return text(f"Hello, {args.get('name', 'whoever you are')}.")


@tool(needing(a={"type": "integer"}, b={"type": "integer"}), needing(sum={"type": "integer"}))
async def add(args: dict[str, Any]) -> Any:
    """Adds two numbers."""
    return {"sum": args["a"] + args["b"]}


@tool(needing(name={"type": "string"}))
async def slow(args: dict[str, Any]) -> Any:
    """Works for a minute, if nobody stops it."""
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        stopped.append(args["name"])
        raise
    return text("A minute has passed.")


@tool()
async def what_was_stopped(_: dict[str, Any]) -> Any:
    """Tells which slow ones were stopped."""
    return text(json.dumps(stopped))


@tool()
async def touch(_: dict[str, Any]) -> Any:
    """Changes the watched resource."""
    for uri, session in list(subscribed.items()):
        await session.send_resource_updated(AnyUrl(uri))
    return text("Touched.")


@tool()
async def leak(_: dict[str, Any]) -> Any:
    """Tells what nobody should know, in each kind of place."""
    here = server.request_context
    secret = "mail jane.roe" + "@" + "example.org"
    await here.session.send_log_message("info", {"who": secret}, "everything", related_request_id=str(here.request_id))
    return [*text(f"Write a {secret} today."), document("test://leak", "text/plain", secret)]


@tool()
async def where(_: dict[str, Any]) -> Any:
    """Asks the client for its roots."""
    said = await server.request_context.session.list_roots()
    return text(", ".join(str(each.uri) for each in said.roots))


@server.list_tools()
async def list_tools() -> list[t.Tool]:
    return [about for about, _ in TOOLS.values()]


@server.call_tool()
async def call_tool(name: str, arguments: dict[str, Any]) -> Any:
    return await TOOLS[name][1](arguments)


RESOURCES = {
    "test://static-text": ("text/plain", "A text that stays as it is."),
    "test://static-binary": ("image/png", base64.b64decode(PNG)),
    "test://watched-resource": ("text/plain", "A text that one may watch."),
}


@server.list_resources()
async def list_resources() -> list[t.Resource]:
    return [
        t.Resource(uri=AnyUrl(uri), name=uri.rpartition("/")[2], description=f"The test's {uri}", mimeType=kind)
        for uri, (kind, _) in RESOURCES.items()
    ]


@server.list_resource_templates()
async def list_templates() -> list[t.ResourceTemplate]:
    return [
        t.ResourceTemplate(
            uriTemplate="test://template/{id}/data", name="data", description="By id", mimeType="application/json"
        )
    ]


@server.read_resource()
async def read_resource(uri: AnyUrl) -> list[ReadResourceContents]:
    kind, content = RESOURCES.get(str(uri), ("", b""))
    if not kind:
        place, _, rest = str(uri).removeprefix("test://template/").partition("/")
        if rest != "data":
            raise ValueError("there is no such resource")
        kind, content = "application/json", json.dumps({"id": place, "templateTest": True, "data": f"All of {place}"})
    return [ReadResourceContents(content=content, mime_type=kind)]


@server.subscribe_resource()
async def subscribe(uri: AnyUrl) -> None:
    subscribed[str(uri)] = server.request_context.session


@server.unsubscribe_resource()
async def unsubscribe(uri: AnyUrl) -> None:
    subscribed.pop(str(uri), None)


def says(content: t.ContentBlock) -> t.PromptMessage:
    return t.PromptMessage(role="user", content=content)


def prompted(name: str, args: dict[str, str]) -> list[t.PromptMessage]:
    if name == "test_simple_prompt":
        return [says(c) for c in text("A prompt of one sentence.")]
    if name == "test_prompt_with_arguments":
        return [says(c) for c in text(f"First {args['arg1']}, then {args['arg2']}.")]
    if name == "test_prompt_with_image":
        return [says(IMAGE), *(says(c) for c in text("What do you see?"))]
    return [says(document(args["resourceUri"], "text/plain", "A document.")), *(says(c) for c in text("Read it."))]


PROMPTS = {
    "test_simple_prompt": [],
    "test_prompt_with_arguments": ["arg1", "arg2"],
    "test_prompt_with_embedded_resource": ["resourceUri"],
    "test_prompt_with_image": [],
}


@server.list_prompts()
async def list_prompts() -> list[t.Prompt]:
    return [
        t.Prompt(
            name=name,
            description=f"The test's {name}",
            arguments=[t.PromptArgument(name=each, description="Any text", required=True) for each in arguments],
        )
        for name, arguments in PROMPTS.items()
    ]


@server.get_prompt()
async def get_prompt(name: str, arguments: dict[str, str] | None) -> t.GetPromptResult:
    return t.GetPromptResult(description=f"The test's {name}", messages=prompted(name, arguments or {}))


@server.set_logging_level()
async def set_level(_: t.LoggingLevel) -> None:
    """Everything is told, whatever the level."""


@server.completion()
async def complete(_: Any, argument: t.CompletionArgument, __: Any) -> t.Completion:
    values = [each for each in ("test", "text", "tone") if each.startswith(argument.value)]
    return t.Completion(values=values, total=len(values), hasMore=False)


def main(ports: list[int]) -> None:
    """Serve on loopback at /mcp; only the own Host and Origins are taken, as the SDK does it."""
    here = [f"{host}:{port}" for host in ("127.0.0.1", "localhost") for port in ports]
    security = TransportSecuritySettings(allowed_hosts=here, allowed_origins=[f"http://{each}" for each in here])
    manager = StreamableHTTPSessionManager(server, Events(), security_settings=security, retry_interval=RETRY_MS)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with manager.run():
            yield

    app = Starlette(routes=[Route("/mcp", StreamableHTTPASGIApp(manager))], lifespan=lifespan)
    uvicorn.run(app, host="127.0.0.1", port=ports[0], log_level="warning")


async def by_stdio() -> None:
    """Serve one client by standard input and output."""
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        asyncio.run(by_stdio())
    else:
        main([int(each) for each in sys.argv[1:]])
