"""A server of the era without sessions, on the official SDK 2.x: `server2.py PORT [PORT...]`, or
`server2.py stdio`.

Its environment is `build/mcp2-venv`. It has one tool, resource or prompt for each thing that revision 2026-07-28 knows;
the SDK serves the revisions before it as well. Further ports are those by which clients may name it (Host, Origin).
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import warnings
from typing import Any

import mcp_types as t
import uvicorn
from mcp.server import CacheHint, Server, ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated, ToolsListChanged
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.exceptions import MCPError

warnings.simplefilter("ignore")  # logging is deprecated in this revision, and a part of it all the same

Context = ServerRequestContext[Any, Any]
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
STEP_S = 0.05
PAGE = 4
"""So many of each kind on one page of a list."""

bus = InMemorySubscriptionBus()
listening = ListenHandler(bus)
stopped: list[str] = []


def needing(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def text(said: str) -> t.TextContent:
    return t.TextContent(type="text", text=said)


def told(*content: t.ContentBlock) -> t.CallToolResult:
    return t.CallToolResult(content=list(content))


async def say(_: Context, __: t.CallToolRequestParams) -> Any:
    """Says, shows and holds something."""
    document = t.TextResourceContents(uri="test://held", mime_type="text/plain", text="A document inside of a reply.")
    return told(
        text("One plain sentence."),
        t.ImageContent(type="image", data=PNG, mime_type="image/png"),
        t.EmbeddedResource(type="resource", resource=document),
        t.ResourceLink(type="resource_link", uri="test://static-text", name="static-text"),
    )


async def add(_: Context, params: t.CallToolRequestParams) -> Any:
    """Adds two numbers."""
    total = {"sum": params.arguments["a"] + params.arguments["b"]}
    return t.CallToolResult(content=[text(json.dumps(total))], structured_content=total)


async def fail(_: Context, __: t.CallToolRequestParams) -> Any:
    """Fails always."""
    return t.CallToolResult(content=[text("This one fails on purpose.")], is_error=True)


async def place(_: Context, params: t.CallToolRequestParams) -> Any:
    """Has arguments that headers mirror."""
    return told(text(json.dumps(params.arguments, sort_keys=True)))


async def steps(ctx: Context, _: t.CallToolRequestParams) -> Any:
    """Tells how far it is, by progress and by log messages."""
    token = (ctx.meta or {}).get("progress_token")
    for done in (0, 50, 100):
        if token is not None:
            about = t.ProgressNotificationParams(
                progress_token=token, progress=done, total=100, message=f"{done} of 100"
            )
            await ctx.session.send_notification(t.ProgressNotification(params=about), related_request_id=ctx.request_id)
        await ctx.session.send_log_message("info", f"step {done}", "steps", related_request_id=ctx.request_id)
        await asyncio.sleep(STEP_S)
    return told(text("It is done."))


ASKED = {
    "who": t.ElicitRequest(
        params=t.ElicitRequestFormParams(
            message="Who are you?",
            requested_schema={
                "type": "object",
                "properties": {"name": {"type": "string", "default": "nobody"}, "age": {"type": "integer"}},
                "required": ["name"],
            },
        )
    ),
    "what": t.CreateMessageRequest(
        params=t.CreateMessageRequestParams(
            messages=[t.SamplingMessage(role="user", content=text("What is it?"))], max_tokens=100
        )
    ),
    "where": t.ListRootsRequest(),
}


async def ask(_: Context, params: t.CallToolRequestParams) -> Any:
    """Asks the user, the model and the client, and goes on from there."""
    if not params.input_responses:
        return t.InputRequiredResult(input_requests=ASKED, request_state="asked once")
    said = {
        key: value.model_dump(mode="json", by_alias=True, exclude_none=True)
        for key, value in sorted(params.input_responses.items())
    }
    return told(text(json.dumps({"state": params.request_state, "said": said}, sort_keys=True)))


async def slow(_: Context, params: t.CallToolRequestParams) -> Any:
    """Works for a minute, if nobody stops it."""
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        stopped.append(params.arguments["name"])
        raise
    return told(text("A minute has passed."))


async def what_was_stopped(_: Context, __: t.CallToolRequestParams) -> Any:
    """Tells which slow ones were stopped."""
    return told(text(json.dumps(stopped)))


async def touch(_: Context, __: t.CallToolRequestParams) -> Any:
    """Changes the watched resource, and says that the tools changed."""
    await bus.publish(ResourceUpdated(uri="test://watched-resource"))
    await bus.publish(ToolsListChanged())
    return told(text("Touched."))


async def hang_up(_: Context, __: t.CallToolRequestParams) -> Any:
    """Ends all subscriptions."""
    listening.close()
    return told(text("Ended."))


async def leak(ctx: Context, _: t.CallToolRequestParams) -> Any:
    """Tells what nobody should know, in each kind of place."""
    secret = "mail jane.roe" + "@" + "example.org"
    await ctx.session.send_log_message("info", {"who": secret}, "leak", related_request_id=ctx.request_id)
    document = t.TextResourceContents(uri="test://leak", mime_type="text/plain", text=secret)
    return t.CallToolResult(
        content=[text(f"Write a {secret} today."), t.EmbeddedResource(type="resource", resource=document)],
        structured_content={"who": secret},
    )


PLACE = needing(
    region={"type": "string", "x-mcp-header": "Region"},
    number={"type": "integer", "x-mcp-header": "Number"},
    note={"type": "string"},
)
NUMBERS = needing(a={"type": "integer"}, b={"type": "integer"})
NOTHING = {"type": "object", "additionalProperties": False}
TOOLS = {
    each.__name__: (each, schema, output)
    for each, schema, output in (
        (say, NOTHING, None),
        (add, NUMBERS, needing(sum={"type": "integer"})),
        (fail, NOTHING, None),
        (place, PLACE, None),
        (steps, NOTHING, None),
        (ask, NOTHING, None),
        (slow, needing(name={"type": "string"}), None),
        (what_was_stopped, NOTHING, None),
        (touch, NOTHING, None),
        (hang_up, NOTHING, None),
        (leak, NOTHING, None),
    )
}


def page(kept: list[Any], params: t.PaginatedRequestParams | None) -> tuple[list[Any], str | None]:
    """One page, and the cursor of the next."""
    at = int(params.cursor) if params and params.cursor else 0
    return kept[at : at + PAGE], str(at + PAGE) if at + PAGE < len(kept) else None


async def list_tools(_: Context, params: t.PaginatedRequestParams | None) -> t.ListToolsResult:
    known = [
        t.Tool(name=name, title=name.title(), description=do.__doc__, input_schema=schema, output_schema=output)
        for name, (do, schema, output) in TOOLS.items()
    ]
    tools, cursor = page(known, params)
    return t.ListToolsResult(tools=tools, next_cursor=cursor)


async def call_tool(ctx: Context, params: t.CallToolRequestParams) -> t.CallToolResult | t.InputRequiredResult:
    if params.name not in TOOLS:
        raise MCPError(t.INVALID_PARAMS, f"Unknown tool: {params.name}")
    return await TOOLS[params.name][0](ctx, params)


RESOURCES = {
    "test://static-text": ("text/plain", "A text that stays as it is."),
    "test://static-binary": ("image/png", base64.b64decode(PNG)),
    "test://watched-resource": ("text/plain", "A text that one may watch."),
}


async def list_resources(_: Context, params: t.PaginatedRequestParams | None) -> t.ListResourcesResult:
    known = [t.Resource(uri=uri, name=uri.rpartition("/")[2], mime_type=kind) for uri, (kind, _) in RESOURCES.items()]
    resources, cursor = page(known, params)
    return t.ListResourcesResult(resources=resources, next_cursor=cursor)


async def list_templates(_: Context, __: t.PaginatedRequestParams | None) -> t.ListResourceTemplatesResult:
    one = t.ResourceTemplate(uri_template="test://template/{id}/data", name="data", mime_type="application/json")
    return t.ListResourceTemplatesResult(resource_templates=[one])


async def read_resource(_: Context, params: t.ReadResourceRequestParams) -> t.ReadResourceResult:
    kind, content = RESOURCES.get(params.uri, ("application/json", b""))
    of, _, rest = params.uri.removeprefix("test://template/").partition("/")
    if rest == "data":
        content = json.dumps({"id": of})
    if not content:
        raise MCPError(t.INVALID_PARAMS, "There is no such resource.", {"uri": params.uri})
    if isinstance(content, bytes):
        held: Any = t.BlobResourceContents(uri=params.uri, mime_type=kind, blob=base64.b64encode(content).decode())
    else:
        held = t.TextResourceContents(uri=params.uri, mime_type=kind, text=content)
    return t.ReadResourceResult(contents=[held])


async def list_prompts(_: Context, __: t.PaginatedRequestParams | None) -> t.ListPromptsResult:
    needed = [t.PromptArgument(name="topic", description="Any text", required=True)]
    return t.ListPromptsResult(prompts=[t.Prompt(name="review", description="Asks for a review", arguments=needed)])


async def get_prompt(_: Context, params: t.GetPromptRequestParams) -> t.GetPromptResult:
    said = [
        t.PromptMessage(role="user", content=text(f"Review {(params.arguments or {})['topic']}.")),
        t.PromptMessage(role="user", content=t.ImageContent(type="image", data=PNG, mime_type="image/png")),
    ]
    return t.GetPromptResult(messages=said)


async def complete(_: Context, params: t.CompleteRequestParams) -> t.CompleteResult:
    values = [each for each in ("test", "text", "tone") if each.startswith(params.argument.value)]
    return t.CompleteResult(completion=t.Completion(values=values, total=len(values), has_more=False))


server: Server[Any] = Server(
    "toolwall-modern",
    version="1.0.0",
    instructions="Everything of 2026-07-28, for tests.",
    cache_hints={"resources/read": CacheHint(ttl_ms=60_000, scope="private")},
    on_list_tools=list_tools,
    on_call_tool=call_tool,
    on_list_resources=list_resources,
    on_list_resource_templates=list_templates,
    on_read_resource=read_resource,
    on_list_prompts=list_prompts,
    on_get_prompt=get_prompt,
    on_completion=complete,
    on_subscriptions_listen=listening,
)


def main(ports: list[int]) -> None:
    """Serve on loopback at /mcp; only the own Host and Origins are taken, as the SDK does it."""
    here = [f"{host}:{port}" for host in ("127.0.0.1", "localhost") for port in ports]
    security = TransportSecuritySettings(allowed_hosts=here, allowed_origins=[f"http://{each}" for each in here])
    app = server.streamable_http_app(transport_security=security)
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
