"""Results come in the same shape by every door of MCP, and the rest of them can be had there."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import scripted
from tests.mcpwire import MODERN, Client, Heard, Server, answered, event, last, mcp_wall, played, stream
from tests.proxy.mcp.test_joining import PATH, joined, legacy, modern
from tests.scripted import DATA, META
from tests.stdiowire import inside

SHAPED = "reply: {keep: [id, note], most: 2, longest: 20}"
TOOL = {
    **scripted.TOOLS[0],
    "outputSchema": {
        "type": "object",
        "properties": {
            "rows": {"type": "array", "items": {"type": "object", "required": ["id", "note", "secret"]}},
            "secret": {"type": "string"},
        },
        "required": ["rows", "secret"],
        "additionalProperties": False,
    },
}
LINK = re.compile(r"call (toolwall_rest) with rest=(\S+?)(?: and from=(\d+))?\]?$")
NOTE = "Customer {} wrote from <EMAIL_ADDRESS> and waits"
WHOLE = [{"id": number, "note": NOTE.format(number)} for number in range(1, 6)]

Ask = Callable[..., Awaitable[dict[str, Any]]]
"""The result of a method with these params."""


@asynccontextmanager
async def http(folder: Path, newer: bool, as_events: bool = False) -> AsyncIterator[tuple[Ask, Callable[[], Any]]]:
    def says(heard: Heard) -> Any:
        result = scripted.answer(heard.message)
        assert result
        if not as_events:
            return result["result"]
        return stream(event(json.loads(answered(heard, result["result"]))))

    server = Server([TOOL], {"tools/call": says})
    async with mcp_wall(folder, server, tools="\n  find: {effect: read}\n", keys=SHAPED) as w:
        client = Client(w, modern=newer)
        if not newer:
            await client.begin()

        async def ask(method: str, **params: Any) -> dict[str, Any]:
            return dict(last(await client.ask(method, **params))["result"])

        yield ask, lambda: w.records()


@asynccontextmanager
async def stdio(folder: Path, newer: bool) -> AsyncIterator[tuple[Ask, Callable[[], Any]]]:
    meta = {f"{META}protocolVersion": MODERN, f"{META}clientInfo": {"name": "c", "version": "1"}}
    more = {"_meta": {**meta, f"{META}clientCapabilities": {}}} if newer else {}
    async with inside(folder, keys=SHAPED) as one:
        if not newer:
            await one.begin()

        async def ask(method: str, **params: Any) -> dict[str, Any]:
            id = f"q{len(one.records())}"
            one.ask(id, method, **params, **more)
            return dict((await one.answer(id))["result"])

        yield ask, one.records


@asynccontextmanager
async def own(folder: Path, newer: bool, client_newer: bool) -> AsyncIterator[tuple[Ask, Callable[[], Any]]]:
    def says(heard: Heard) -> Any:
        result = scripted.answer(heard.message)
        assert result
        return result["result"]

    hub = modern(**{"tools/call": says}) if newer else legacy(**{"tools/call": says})
    async with joined(folder, {"hub": hub}, keys=SHAPED) as w:
        client = Client(w, path=PATH, modern=client_newer)

        async def ask(method: str, **params: Any) -> dict[str, Any]:
            params = {**params, "name": "hub__find"} if params.get("name") == "find" else params
            return dict(last(await client.ask(method, **params))["result"])

        yield ask, lambda: w.records()


DOORS = {
    "http, with sessions": lambda folder: http(folder, False),
    "http, with sessions, events": lambda folder: http(folder, False, as_events=True),
    "http, without sessions": lambda folder: http(folder, True),
    "http, without sessions, events": lambda folder: http(folder, True, as_events=True),
    "stdio, with sessions": lambda folder: stdio(folder, False),
    "stdio, without sessions": lambda folder: stdio(folder, True),
    **{
        f"own, {newer=}, {client=}": lambda folder, newer=newer, client=client: own(folder, newer, client)
        for newer in (False, True)
        for client in (False, True)
    },
}


async def fetched(ask: Ask, mark: str) -> list[Any]:
    """All pieces behind a mark: items or characters."""
    found: list[Any] = []
    while link := LINK.search(mark):
        since = {"from": int(link[3])} if link[3] else {}
        result = await ask("tools/call", name=link[1], arguments={"rest": link[2], **since})
        assert not result.get("isError"), result
        piece = json.loads(result["content"][0]["text"])
        found += piece.get("items", piece.get("text"))
        mark = piece.get("next", "")
    return found


async def complete(ask: Ask, row: dict[str, Any]) -> dict[str, Any]:
    """A row with the rest of its text."""
    shown, _, mark = row["note"].partition("... [")
    return {**row, "note": shown + "".join(await fetched(ask, mark))}


@pytest.mark.parametrize("door", DOORS)
@played
async def test_the_same_part_is_given_and_the_rest_is_had(tmp_path: Path, door: str) -> None:
    async with DOORS[door](tmp_path) as (ask, records):
        result = await ask("tools/call", name="find", arguments={"text": "rows"})
        assert "canary" not in json.dumps(result)
        data = result["structuredContent"]
        [text] = result["content"]
        assert json.loads(text["text"]) == data
        assert [row["id"] for row in data["rows"]] == [1, 2]
        assert data["rows"][0]["note"].startswith("Customer 1 wrote fro... [")
        assert result["_meta"]["toolwall/shaped"] == "fields=7, items=3, texts=2"
        rows = data["rows"] + await fetched(ask, data["rows:left_out"])
        assert [await complete(ask, row) for row in rows] == WHOLE
        called = [each for each in records() if each["method"] == "POST" or each["tool"]]
        first = next(each for each in called if each["tool"] in ("crm.find", "hub.find"))
        assert first["shaped"] == {"fields": 7, "items": 3, "texts": 2}
        assert first["checks"][-1] == "shape"
        assert sum("the rest of what call" in note for each in records() for note in each.get("notes", [])) >= 7
        assert not {each.get("code") for each in records()} - {None, ""}


@pytest.mark.parametrize("door", DOORS)
@played
async def test_what_is_asked_for_wrongly_is_refused(tmp_path: Path, door: str) -> None:
    async with DOORS[door](tmp_path) as (ask, records):
        result = await ask("tools/call", name="find", arguments={"text": "rows"})
        handle = LINK.search(result["structuredContent"]["rows:left_out"])
        assert handle
        for arguments, code in (
            ({"rest": "x" * 22 + "-0"}, "unknown_rest"),
            ({"rest": "x"}, "unknown_rest"),
            ({"rest": handle[2] + "99999"}, "unknown_rest"),
            ({"rest": handle[2], "from": 99}, "schema_violation"),
            ({"rest": handle[2], "more": 1}, "schema_violation"),
            ({"rest": 7}, "schema_violation"),
            ({}, "schema_violation"),
        ):
            said = await ask("tools/call", name="toolwall_rest", arguments=arguments)
            assert said["isError"] is True
            assert json.loads(said["content"][0]["text"])["code"] == code
            assert records()[-1]["code"] == code


@pytest.mark.parametrize("door", DOORS)
@played
async def test_the_tool_for_the_rest_is_listed_where_something_may_be_left_out(tmp_path: Path, door: str) -> None:
    async with DOORS[door](tmp_path) as (ask, _):
        tools = {each["name"]: each for each in (await ask("tools/list"))["tools"]}
        schema = tools["toolwall_rest"]["inputSchema"]
        assert (set(schema["properties"]), schema["required"]) == ({"rest", "from"}, ["rest"])
        if door.startswith("http"):
            shown = tools["find"]["outputSchema"]
            assert "required" not in shown
            assert shown["properties"]["rows"]["items"]["anyOf"] == [{"type": "object"}, {"type": "string"}]
    assert DATA["secret"] == "canary"
