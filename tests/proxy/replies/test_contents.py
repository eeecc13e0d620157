"""Binary content of MCP servers, through the socket: withheld, passed and marked, told of, or cleaned as the text that
it is. Both eras, plain and in a stream of events.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.mcpwire import (
    EACH_ACCEPTED,
    FIND,
    ONE_OF_EACH,
    Client,
    Heard,
    Server,
    answer,
    answered,
    event,
    last,
    mcp_wall,
    played,
    stream,
)
from tests.wire import Reply, Wall

MAIL = "ann@example.com"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\x01 ann@example.com \xff\xfe"
POLICY = """
rules:
  - {id: all, allow: [crm.*, crm.prompts/*, crm.resources/*, crm.sampling/createMessage]}
"""
CALLS: dict[str, dict[str, Any]] = {
    "tools/call": {"name": "find", "arguments": {"text": "x"}},
    "prompts/get": {"name": "review"},
    "resources/read": {"uri": "repo://readme"},
}


def b64(data: bytes) -> str:
    return b64encode(data).decode()


def image(data: bytes = PNG, kind: str = "image/png", **more: Any) -> dict[str, Any]:
    return {"type": "image", "data": b64(data), "mimeType": kind, **more}


def blob(data: bytes = PNG, kind: str | None = "application/pdf") -> dict[str, Any]:
    return {"uri": "repo://readme", "blob": b64(data), **({"mimeType": kind} if kind else {})}


def holding(method: str, part: dict[str, Any]) -> dict[str, Any]:
    """A result of the method with a part in it, which is a resource if it has a blob."""
    content = {"type": "resource", "resource": part} if "blob" in part else part
    if method == "prompts/get":
        return {"messages": [{"role": "user", "content": content}]}
    if method == "resources/read":
        return {"contents": [part]}
    return {"content": [{"type": "text", "text": "look"}, content]}


def part_of(method: str, result: dict[str, Any]) -> dict[str, Any]:
    """The part that `holding` put there."""
    if method == "resources/read":
        return dict(result["contents"][0])
    part = result["messages"][0]["content"] if method == "prompts/get" else result["content"][-1]
    return dict(part.get("resource", part))


def places() -> Iterator[tuple[str, dict[str, Any]]]:
    for method in CALLS:
        yield method, blob()
        if method != "resources/read":
            yield method, image()
            yield method, {**image(kind="audio/wav"), "type": "audio"}


def ways() -> Iterator[tuple[bool, bool]]:
    return ((modern, streamed) for modern in (False, True) for streamed in (False, True))


async def asked(
    w: Wall, server: Server, method: str, result: dict[str, Any], modern: bool = True, streamed: bool = False
) -> Reply:
    """The reply of the sidecar where the server answers so."""

    def says(heard: Heard) -> Any:
        said = {"resultType": "complete", **result} if modern else result
        return stream(event(answered(heard, said))) if streamed else answer(heard, said)

    server.says["prompts/list"] = lambda _: {"prompts": [{"name": "review"}]}
    server.says["resources/list"] = lambda _: {"resources": [{"uri": "repo://readme", "name": "readme"}]}
    server.says[method] = says
    client = Client(w, modern=True) if modern else await Client(w).begin()
    params = dict(CALLS[method])
    if method == "tools/call":  # who is refused the same again and again is told something else
        params["arguments"] = {"text": f"x{len(server.heard)}"}
    message = client.message(method, params)
    more = [("Mcp-Name", "repo://readme")] if modern and method == "resources/read" else []
    return await client.send(message, more)


def refusal(said: Reply) -> Any:
    """What a refused message says."""
    message = last(said)
    return message["error"]["data"] if "error" in message else json.loads(message["result"]["content"][0]["text"])


def wall_of(folder: Path, server: Server, how: str = "") -> Any:
    return mcp_wall(
        folder, server, POLICY, ONE_OF_EACH, EACH_ACCEPTED, keys=f"reply: {{binary: {how}}}\n" if how else ""
    )


@played
async def test_what_is_no_text_is_withheld_by_default(tmp_path: Path) -> None:
    server = Server(tools=[FIND])
    async with wall_of(tmp_path, server) as w:
        for method, part in places():
            for modern, streamed in ways():
                said = await asked(w, server, method, holding(method, part), modern, streamed)
                assert refusal(said)["code"] == "reply_refused", said.raw
                assert b64(PNG).encode() not in said.raw
                assert w.records()[-1]["code"] == "reply_refused"


@played
async def test_nor_does_a_long_answer_hide_it(tmp_path: Path) -> None:
    server = Server(tools=[FIND])
    long = {"type": "text", "text": f"to {MAIL} " * 10_000}
    async with wall_of(tmp_path, server) as w:
        for modern, streamed in ways():
            said = await asked(w, server, "tools/call", {"content": [long, image()]}, modern, streamed)
            assert refusal(said)["code"] == "reply_refused"
            said = await asked(w, server, "tools/call", {"content": [long]}, modern, streamed)
            (text,) = last(said)["result"]["content"]
            assert text["text"] == "to <EMAIL_ADDRESS> " * 10_000


@pytest.mark.parametrize("how", ["refuse", "pass", "hash"])
@played
async def test_base64_that_is_none_is_withheld(tmp_path: Path, how: str) -> None:
    server, good = Server(tools=[FIND]), b64(b"!" * (3 * 17 + 1))
    assert good.endswith("IQ==")
    async with wall_of(tmp_path, server, how) as w:
        short = good.rstrip("=")
        lines = f"{good[:8]}\n{good[8:]}"
        for bad in (good[:-1], short, good + "\n", lines, f"{good}={good}", good[:-3] + "R==", "%" + good[1:], "ä"):
            for method in ("tools/call", "resources/read"):
                part = {**blob(), "blob": bad}
                said = await asked(w, server, method, holding(method, part), streamed=method == "tools/call")
                assert refusal(said)["code"] == "reply_refused", bad
        for name in ("Data", "BLOB", "Blob"):
            part = {"type": "image", name: b64(PNG), "mimeType": "image/png"}
            said = await asked(w, server, "tools/call", {"content": [part]})
            assert refusal(said)["code"] == "reply_refused", name
        wrapped = {"type": "resource", "Resource": blob()}
        said = await asked(w, server, "tools/call", {"content": [wrapped]})
        assert refusal(said)["code"] == "reply_refused"


@pytest.mark.parametrize("how", ["refuse", "hash"])
@played
async def test_no_odd_place_or_spelling_lets_an_image_through(tmp_path: Path, how: str) -> None:
    server = Server(tools=[FIND])
    results: list[dict[str, Any]] = [
        {"action": "accept", "content": [image()]},
        {"content": image()},
        {"content": [{"type": "tool_result", "content": [image()]}]},
        {"content": [{"data": b64(PNG)}]},
        {"content": [{"type": "text", "text": "x", "data": b64(PNG)}]},
        {"content": [{"type": "resource", "resource": [blob()]}]},
        {"content": [], "messages": [{"content": [image()]}]},
    ]
    async with wall_of(tmp_path, server, how) as w:
        for result in results:
            said = await asked(w, server, "tools/call", result)
            assert b64(PNG).encode() not in said.raw, result
        escaped = json.dumps({"content": [image()]}).replace('"data"', r'"d\u0061ta"').encode()
        server.says["tools/call"] = lambda heard: stream(
            event(b'{"jsonrpc":"2.0","id":%d,"result":%b}' % (heard.message["id"], escaped))
        )
        said = await Client(w, modern=True).call("find", text="x")
        assert b64(PNG).encode() not in said.raw


@played
async def test_what_passes_is_the_same_byte_for_byte_and_is_marked(tmp_path: Path) -> None:
    server = Server(tools=[FIND])
    async with wall_of(tmp_path, server, "pass") as w:
        for method, part in places():
            for modern, streamed in ways():
                result = holding(method, {**part, "_meta": {"a": MAIL}})
                said = await asked(w, server, method, result, modern, streamed)
                assert part_of(method, last(said)["result"]) == {**part, "_meta": {"a": "<EMAIL_ADDRESS>"}}
                record = w.records()[-1]
                assert record["passed_unchecked"] == ["clean"]
                assert record["redactions"] == {"EMAIL_ADDRESS": 1}


@played
async def test_a_hash_stands_for_it(tmp_path: Path) -> None:
    server = Server(tools=[FIND])
    told = {"sha256": sha256(PNG).hexdigest(), "bytes": len(PNG)}
    async with wall_of(tmp_path, server, "hash") as w:
        for method, part in places():
            for modern, streamed in ways():
                said = await asked(w, server, method, holding(method, part), modern, streamed)
                got = part_of(method, last(said)["result"])
                assert json.loads(got.pop("text")) == {**told, "media_type": part["mimeType"]}
                expected = (
                    {"type": "text"} if "data" in part else {"uri": "repo://readme", "mimeType": "application/json"}
                )
                assert got == expected
                assert "passed_unchecked" not in w.records()[-1]


@pytest.mark.parametrize("how", ["refuse", "pass", "hash"])
@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("text/plain", f"to {MAIL}", "to <EMAIL_ADDRESS>"),
        ("text/html; charset=utf-8", "<p>ann&#64;example.com", "<p>&lt;EMAIL_ADDRESS&gt;"),
        ("application/json", '{"a": "ann\\u0040example.com", "n": 1.10}', '{"a": "<EMAIL_ADDRESS>", "n": 1.10}'),
        ("image/svg+xml", f"<svg>{MAIL}</svg>", "<svg>&lt;EMAIL_ADDRESS&gt;</svg>"),
    ],
)
@played
async def test_text_in_base64_is_cleaned_as_the_text_that_it_is(
    tmp_path: Path, how: str, kind: str, before: str, after: str
) -> None:
    server = Server(tools=[FIND])
    async with wall_of(tmp_path, server, how) as w:
        for method in CALLS:
            for modern, streamed in ways():
                result = holding(method, blob(before.encode(), kind))
                said = await asked(w, server, method, result, modern, streamed)
                got = part_of(method, last(said)["result"])
                assert b64decode(got.pop("blob")).decode() == after
                assert got == {"uri": "repo://readme", "mimeType": kind}
                record = w.records()[-1]
                assert record["redactions"] == {"EMAIL_ADDRESS": 1}
                assert "passed_unchecked" not in record


@played
async def test_text_that_calls_itself_an_image_does_not_pass_unread(tmp_path: Path) -> None:
    server = Server(tools=[FIND])
    async with wall_of(tmp_path, server, "pass") as w:
        for part in (image(f"to {MAIL}".encode()), blob(f"to {MAIL}".encode(), None), blob(f"to {MAIL}".encode(), "x")):
            said = await asked(w, server, "tools/call", holding("tools/call", part))
            got = part_of("tools/call", last(said)["result"])
            assert b64decode(got.get("data") or got["blob"]) == b"to <EMAIL_ADDRESS>"
            assert "passed_unchecked" not in w.records()[-1]
        wide = image(f"to {MAIL}".encode("utf-16"))
        assert refusal(await asked(w, server, "tools/call", holding("tools/call", wide)))["code"] == "reply_refused"


@played
async def test_what_says_that_it_is_text_and_is_none_is_withheld(tmp_path: Path) -> None:
    server = Server(tools=[FIND])
    async with wall_of(tmp_path, server, "pass") as w:
        for kind in ("text/plain", "application/json"):
            said = await asked(w, server, "resources/read", holding("resources/read", blob(PNG, kind)))
            assert refusal(said)["code"] == "reply_refused"


@played
async def test_what_only_has_a_part_s_names_is_data(tmp_path: Path) -> None:
    server = Server(tools=[FIND])
    said = {"content": [{"type": "text", "text": "{}"}], "structuredContent": {"data": "x y", "blob": [{"blob": "%"}]}}
    async with wall_of(tmp_path, server) as w:
        told = await asked(w, server, "tools/call", said)
        assert last(told)["result"]["structuredContent"] == said["structuredContent"]


SAMPLING: dict[str, Any] = {"messages": [{"role": "user", "content": image()}], "maxTokens": 1}


@pytest.mark.parametrize("how", ["", "pass", "hash"])
@played
async def test_what_a_server_asks_of_a_model_brings_no_image_unless_it_may(tmp_path: Path, how: str) -> None:
    server = Server(tools=[FIND])
    async with wall_of(tmp_path, server, how) as w:
        wanted = {"a": {"method": "sampling/createMessage", "params": SAMPLING}}
        said = await asked(w, server, "tools/call", {"resultType": "input_required", "inputRequests": wanted})
        question = {"jsonrpc": "2.0", "id": "q", "method": "sampling/createMessage", "params": SAMPLING}
        server.says["tools/call"] = lambda heard: stream(event(question), event(answered(heard, {"content": []})))
        before = await (await Client(w).begin()).call("find", text="x")
        assert (b64(PNG).encode() in said.raw) == (b64(PNG).encode() in before.raw) == (how == "pass")
        assert (sha256(PNG).hexdigest().encode() in said.raw) == (how == "hash")
        assert (sha256(PNG).hexdigest().encode() in before.raw) == (how == "hash")


@pytest.mark.parametrize("how", ["", "pass", "hash"])
@pytest.mark.parametrize("data", [b64(PNG), "no base64"])
@played
async def test_what_a_model_says_brings_no_image_unless_it_may(tmp_path: Path, how: str, data: str) -> None:
    server = Server(tools=[FIND])
    said = {"role": "assistant", "model": "m", "content": {"type": "image", "mimeType": "image/png", "data": data}}
    goes = how == "pass" and data != "no base64"
    async with wall_of(tmp_path, server, how) as w:
        client = Client(w, modern=True)
        message = client.message("tools/call", {**CALLS["tools/call"], "inputResponses": {"a": said}})
        told = await client.send(message)
        assert len(server.calls("tools/call")) == goes
        if not goes:
            assert refusal(told)["code"] == "unsafe_argument"

    server = Server(tools=[FIND])
    over = asyncio.Event()
    question = {"jsonrpc": "2.0", "id": "q", "method": "sampling/createMessage", "params": {**SAMPLING, "messages": []}}

    async def asks(heard: Heard) -> Any:
        async for piece in stream(event(question)):
            yield piece
        await over.wait()
        yield event(answered(heard, {"content": []}))

    (tmp_path / "two").mkdir()
    async with wall_of(tmp_path / "two", server, how) as w:
        client = await Client(w).begin()
        server.says["tools/call"] = asks
        call = client.message("tools/call", CALLS["tools/call"])
        reader, writer = await w.connect()
        writer.write(w.raw("POST", client.path, json.dumps(call).encode(), client.head(call)))
        await reader.readuntil(b'"q"')
        told = await client.send({"jsonrpc": "2.0", "id": "q", "result": said})
        assert (told.status == 202) == goes, told.raw
        assert len(server.calls("response")) == goes
        over.set()
        await reader.read()
        writer.close()
