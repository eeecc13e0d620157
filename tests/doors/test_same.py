"""One contract, every door: the same calls have the same verdicts, the same Records and the same cleaned answers by the
reverse door, by MCP over HTTP in both eras, and by MCP over standard input and output in both. Refusals first."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests import mcpwire, scripted, stdiowire
from tests.mcpwire import Heard, mcp_wall, played
from tests.wire import reply, wall

DOORS = ("reverse", "http", "http-modern", "stdio", "stdio-modern")
KEYS = "reply: {redact: standard}\nbreaker: off\nretry: {attempts: 1}"
REST_TOOLS = "".join(
    f"\n  {name}: {{call: POST /{name}, input: {json.dumps(scripted.TEXT)}, effect: {effect}}}"
    for name, effect in (("find", "read"), ("drop", "write"), ("wipe", "irreversible"), ("hidden", "read"))
)
POLICY = """
rules:
  - {id: tools, allow: [crm.find, crm.wipe]}
  - {id: drops, allow: crm.drop, require: {limit: 1/hour}}
  - {id: never, deny: "crm.*", when: 'args.text == "forbidden"'}
"""


class Case(NamedTuple):
    """A call, and what becomes of it: the code of its refusal, or what is said."""

    tool: str
    arguments: str
    code: str = ""
    says: str = ""


CASES = (
    Case("find", '{"text":7}', "schema_violation"),
    Case("find", "{}", "schema_violation"),
    Case("find", '{"text":"a","more":1}', "schema_violation"),
    Case("find", '{"text":"a","text":"b"}', "bad_request"),
    Case("find", '{"text":NaN}', "bad_request"),
    Case("hidden", '{"text":"a"}', "unknown_tool"),
    Case("nothing", '{"text":"a"}', "unknown_tool"),
    Case("find", '{"text":"forbidden"}', "denied"),
    Case("wipe", '{"text":"a"}', "approval_pending"),
    Case("find", '{"text":"a"}', says="find: a of <EMAIL_ADDRESS>"),
    Case("find", '{"text":"card 4111 1111 1111 1111"}', says="find: card <CREDIT_CARD> of <EMAIL_ADDRESS>"),
    Case("drop", '{"text":"a"}', says="drop: a of <EMAIL_ADDRESS>"),
    Case("drop", '{"text":"b"}', "limit_reached"),
)


class Seen(NamedTuple):
    """What a caller sees: the code of a refusal, or the text that was said."""

    code: str
    says: str


class Door(NamedTuple):
    """How one case is played there, and the Records that were written."""

    play: Callable[[Case], Awaitable[Seen]]
    records: Callable[[], list[dict[str, Any]]]


async def _rest(raw: bytes) -> bytes:
    head, _, body = raw.partition(b"\r\n\r\n")
    name = head.split(b" ")[1].rpartition(b"/")[2].decode()
    said = scripted.text_of(name, json.loads(body)["text"])
    return reply(json.dumps({"content": [{"type": "text", "text": said}]}).encode())


async def _mcp(raw: bytes) -> bytes:
    heard = Heard.parse(raw)
    if heard.method != "POST":
        return reply(b"", status="405 Method Not Allowed", kind="")
    said = scripted.answer(heard.message)
    return mcpwire.ACCEPTED if said is None else reply(json.dumps(said).encode())


def _seen_in(message: dict[str, Any]) -> Seen:
    if "error" in message:
        unknown = message["error"]["message"].startswith("Unknown tool")
        data = message["error"].get("data", {})
        return Seen("unknown_tool" if unknown else data.get("code", str(message["error"]["code"])), "")
    result = message["result"]
    refused = result.get("_meta", {}).get("toolwall/refusal")
    text = result["content"][0]["text"]
    return Seen(refused["code"], "") if refused else Seen("", text)


def _line(case: Case, id: int, modern: bool) -> bytes:
    meta = {"protocolVersion": scripted.MODERN, "clientInfo": {"name": "c", "version": "1"}, "clientCapabilities": {}}
    said = json.dumps({f"{scripted.META}{name}": value for name, value in meta.items()})
    more = f',"_meta":{said}' if modern else ""
    params = f'{{"name":"{case.tool}","arguments":{case.arguments}{more}}}'
    return f'{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{params}}}'.encode()


@asynccontextmanager
async def reverse(folder: Path) -> AsyncIterator[Door]:
    async with wall(folder, REST_TOOLS, POLICY, _rest, backend_keys=KEYS) as w:

        async def play(case: Case) -> Seen:
            said = await w.call("POST", f"/crm/{case.tool}", case.arguments.encode())
            if "toolwall-refused" in said.headers:
                return Seen(said.json["code"], "")
            return Seen("", said.json["content"][0]["text"])

        yield Door(play, w.records)


@asynccontextmanager
async def http(folder: Path, modern: bool = False) -> AsyncIterator[Door]:
    server = mcpwire.Server(tools=scripted.TOOLS)
    async with mcp_wall(folder, server, POLICY, stdiowire.TOOLS, keys="reply: {redact: standard}") as w:
        w.backend.answer = _mcp
        client = mcpwire.Client(w, modern=modern)
        if not modern:
            await client.begin()

        async def play(case: Case) -> Seen:
            client.ids += 1
            head = [("Mcp-Method", "tools/call"), ("Mcp-Name", case.tool), ("MCP-Protocol-Version", scripted.MODERN)]
            session = [("Mcp-Session-Id", client.session)] if client.session else []
            headers = [("Accept", "application/json, text/event-stream"), *(head if modern else session)]
            said = await w.call("POST", "/crm/mcp", _line(case, client.ids, modern), headers)
            return _seen_in(mcpwire.last(said))

        yield Door(play, w.records)


@asynccontextmanager
async def stdio(folder: Path, modern: bool = False) -> AsyncIterator[Door]:
    stdiowire.folder_of(folder, POLICY, keys="reply: {redact: standard}")
    async with stdiowire.started(folder, modern=modern) as client:
        await client.begin()

        async def play(case: Case) -> Seen:
            client.ids += 1
            return _seen_in(await client.raw(_line(case, client.ids, modern), client.ids))

        yield Door(play, client.records)


MADE = {
    "reverse": reverse,
    "http": http,
    "http-modern": lambda folder: http(folder, True),
    "stdio": stdio,
    "stdio-modern": lambda folder: stdio(folder, True),
}
OF_ONE_CALL = {
    "approval",
    "call",
    "seq",
    "at_ns",
    "prev",
    "hash",
    "run",
    "step",
    "trace",
    "door",
    "revision",
    "arguments_hash",
}
OF_ONE_MESSAGE = {"started_ns", "bytes_in", "bytes_out", "result_hash", "total_ms", "clean_ms"}
OF_HTTP = {"mcp", "protocol", "notes", "checks", "method"}
"""What an API and an MCP server have of their own."""


def _told(record: dict[str, Any]) -> dict[str, Any]:
    """What a Record says of a call, whenever and wherever it was made."""
    told = {name: value for name, value in record.items() if name not in OF_ONE_CALL | OF_ONE_MESSAGE}
    if "mcp" in told:
        told["mcp"] = {name: told["mcp"].get(name) for name in ("method", "error")}
    return told


def _of_tools(door: Door) -> list[dict[str, Any]]:
    """The Records of the cases; the protocol has messages of its own besides."""
    return [_told(each) for each in door.records() if "/" not in each.get("tool", "")]


@played
async def test_the_same_calls_have_the_same_ends_by_every_door(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        doors = {}
        for name in DOORS:
            (tmp_path / name).mkdir()
            doors[name] = await stack.enter_async_context(MADE[name](tmp_path / name))
        for case in CASES:
            for name, door in doors.items():
                assert await door.play(case) == Seen(case.code, case.says), (name, case)
        told = {name: _of_tools(door) for name, door in doors.items()}
    for name in DOORS:
        assert [each.get("code", "") for each in told[name]] == [case.code for case in CASES], name
        for case, one, other in zip(CASES, told["http"], told[name], strict=True):
            left_out = OF_HTTP if name == "reverse" else set()
            if case.code == "bad_request" and left_out:  # the path names the tool where no message can be read
                left_out = left_out | {"tool", "effect"}
            keys = (one.keys() | other.keys()) - left_out
            differing = {key: (one.get(key), other.get(key)) for key in keys if one.get(key) != other.get(key)}
            assert not differing, (name, case)
