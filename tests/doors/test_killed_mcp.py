"""kill -9 in the middle of calls of an MCP server: each answer that came has its Record, what was sent its intent, and
after the next start nobody has to do anything."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from rules.definitions import Definitions, defined, written
from tests.doors.test_killed import command, served, sidecar
from tests.mcpwire import DROP, EVENTS, FOUND, Client, Heard, Server, answered, event, last, notification, played
from tests.wire import Backend, Reply, Wall, reply

SLOW = {**DROP, "name": "slow"}
TOOLS = "  drop: {effect: write, repeatable: true}\n  slow: {effect: write, repeatable: true}\n"


def write_files(folder: Path, port: int) -> None:
    rules = folder / "rules"
    rules.mkdir()
    (rules / "crm.definitions.json").write_bytes(written(Definitions(tools=defined("tools", [DROP, SLOW]))))
    keys = "mcp: crm.definitions.json\nbreaker: off\nretry: {attempts: 1}"
    (rules / "crm.yaml").write_text(f"backend: crm\nurl: http://127.0.0.1:{port}/api\n{keys}\ntools:\n{TOOLS}")
    (rules / "policy.yaml").write_text('rules: [{id: everything, allow: "crm.*"}]\n')
    listener = "{bind: '127.0.0.1:0', identity: {static: {id: bot}}}"
    (folder / "toolwall.yaml").write_text(f"state: state\nadmin: {{bind: '127.0.0.1:0'}}\nlisteners: [{listener}]\n")


def at(port: int, backend: Backend, folder: Path) -> Wall:
    """The door of a sidecar that is a process of its own."""
    return Wall(cast(Any, SimpleNamespace(doors=(f"127.0.0.1:{port}",))), backend, folder)


class Dropping(Server):
    """A server that answers `drop` at once, and of `slow` tells how it goes and does not end."""

    def __init__(self, form: str) -> None:
        super().__init__(tools=[DROP, SLOW], says={"tools/call": self._called})
        self.form, self.sent = form, asyncio.Event()

    def _called(self, heard: Heard) -> Any:
        slow = heard.message["params"]["name"] == "slow"
        return self._told(heard, slow) if self.form == "events" else self._whole(heard, slow)

    async def _told(self, heard: Heard, slow: bool) -> Any:
        yield EVENTS
        token = heard.message["params"]["_meta"]["progressToken"]
        yield event(notification("progress", progressToken=token, progress=1))
        if slow:
            self.sent.set()
            await asyncio.sleep(30)
        yield event(answered(heard, FOUND))

    async def _whole(self, heard: Heard, slow: bool) -> Any:
        if slow:
            self.sent.set()
            await asyncio.sleep(30)
        body = answered(heard, FOUND)
        yield reply(body, "Connection: close")


full = pytest.mark.full


@pytest.mark.parametrize(
    ("form", "modern"),
    [
        ("events", False),
        pytest.param("json", False, marks=full),
        pytest.param("events", True, marks=full),
        pytest.param("json", True, marks=full),
    ],
)
@played
async def test_killed_in_the_middle_of_a_call(tmp_path: Path, form: str, modern: bool) -> None:
    server = Dropping(form)
    backend = Backend(server)

    async def play(port: int) -> None:
        write_files(tmp_path, port)
        whole: list[Reply] = []
        with sidecar(tmp_path, "never") as door:
            client = await begun(Client(at(door, backend, tmp_path), modern=modern))
            whole += [await call(client, "drop") for _ in range(3)]
            reader, writer = await client.wall.connect()
            writer.write(client.wall.raw("POST", client.path, *asked(client, "slow")))
            await server.sent.wait()
            if form == "events":
                await reader.readuntil(b"notifications/progress")
        rest = b""
        with suppress(ConnectionError):
            rest = await reader.read()
        writer.close()
        assert b'"result"' not in rest

        kept = [json.loads(line) for line in client.wall.ledger().splitlines() if line.endswith(b"}")]
        calls = [each for each in kept if each["kind"] == "call" and each["tool"] in ("crm.drop", "crm.slow")]
        assert [each["call"] for each in calls] == [said.headers["toolwall-call"] for said in whole]
        assert [(each["outcome"], each["executed"]) for each in calls] == [("ok", "yes")] * 3
        intents = [each for each in kept if each["kind"] == "intent"]
        assert [each["tool"] for each in intents] == ["crm.drop"] * 3 + ["crm.slow"]

        with sidecar(tmp_path, "never") as door:
            client.wall = at(door, backend, tmp_path)
            if client.session:
                no = await call(client, "drop")
                assert (no.status, no.json["error"]["data"]["code"]) == (404, "unknown_session")
                client.session = ""
                await begun(client)
            assert last(await call(client, "drop"))["result"]["content"] == FOUND["content"]
        pending = await command(tmp_path, "ledger", "pending")
        assert intents[-1]["call"] in pending
        assert not any(each["call"] in pending for each in calls)
        await command(tmp_path, "ledger", "verify")

    await served(backend, play)


async def begun(client: Client) -> Client:
    return client if client.modern else await client.begin()


def asked(client: Client, name: str) -> tuple[bytes, list[tuple[str, str]]]:
    """A call that wants to hear how it goes."""
    params = {"name": name, "arguments": {}, "_meta": {"progressToken": "p"}}
    message = client.message("tools/call", params)
    return json.dumps(message).encode(), client.head(message)


async def call(client: Client, name: str) -> Reply:
    body, head = asked(client, name)
    return await client.wall.call("POST", client.path, body, head)


@pytest.mark.full
@pytest.mark.parametrize("form", ["json", "events"])
@pytest.mark.parametrize(("moment", "executed"), [("reserved", 0), ("intended", 0), ("recorded", 1)])
@played
async def test_killed_between_two_steps_of_a_call(tmp_path: Path, moment: str, executed: int, form: str) -> None:
    server = Dropping(form)
    backend = Backend(server)

    async def play(port: int) -> None:
        write_files(tmp_path, port)
        with sidecar(tmp_path, moment) as door:
            client = Client(at(door, backend, tmp_path), modern=True)
            raw = client.wall.raw("POST", client.path, *asked(client, "drop"))
            with suppress(ConnectionError):
                assert b'"result"' not in await client.wall.send(raw)
        assert len(server.calls("tools/call")) == executed
        kept = [json.loads(line) for line in client.wall.ledger().splitlines() if line.endswith(b"}")]
        assert [each["tool"] for each in kept if each["kind"] == "intent"] == ["crm.drop"] * (moment != "reserved")
        assert [each["executed"] for each in kept if each["kind"] == "call"] == ["yes"] * executed
        with sidecar(tmp_path, "never") as door:
            client.wall = at(door, backend, tmp_path)
            assert last(await call(client, "drop"))["result"]["content"] == FOUND["content"]
        await command(tmp_path, "ledger", "verify")

    await served(backend, play)
