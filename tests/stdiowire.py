"""What tests of stdio need: `toolwall mcp` as a process of its own before a scripted server, and a client that writes
lines."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proxy.app import Running, running
from proxy.config import load_config
from proxy.identity.identity import static
from proxy.ledger.segments import segments_in
from proxy.mcp.lane import Lane, Server
from proxy.transports.stdio import StdioDoor
from rules.definitions import Definitions, defined, written
from tests import scripted
from tests.wire import repeatable

SERVER = [sys.executable, str(Path(scripted.__file__))]
PATIENCE_S = 120.0
"""For one answer: machines that run tests are busy."""

CONFIG = """
rules: rules
state: state
stdio: {identity: {static: {id: bot, roles: [support]}}}
"""
TOOLS = """
  find: {effect: read}
  drop: {effect: write}
  wipe: {effect: irreversible}
  hidden: {effect: read}
"""
POLICY = """
rules:
  - {id: tools, allow: [crm.find, crm.drop, crm.wipe]}
  - {id: never, deny: "crm.*", when: 'args.text == "forbidden"'}
"""


def folder_of(folder: Path, policy: str = POLICY, tools: str = TOOLS, config: str = CONFIG, keys: str = "") -> Path:
    """The files of a sidecar for the scripted server; where its configuration is."""
    rules = folder / "rules"
    rules.mkdir()
    (rules / "crm.definitions.json").write_bytes(written(Definitions(tools=defined("tools", scripted.TOOLS))))
    head = f"backend: crm\nurl: 'stdio:'\nmcp: crm.definitions.json\nbreaker: off\nretry: {{attempts: 1}}\n{keys}"
    (rules / "crm.yaml").write_text(f"{head}\ntools:{repeatable(tools)}")
    (rules / "policy.yaml").write_text(policy)
    (folder / "toolwall.yaml").write_text(config)
    return folder / "toolwall.yaml"


@dataclass
class Client:
    """A client of either era, and the process that it started. `told` are messages that are no answers."""

    process: asyncio.subprocess.Process
    folder: Path
    modern: bool = False
    told: list[dict[str, Any]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    ids: int = 0
    _answers: dict[str, asyncio.Future[dict[str, Any]]] = field(default_factory=dict)

    def message(self, method: str, params: dict[str, Any], **more: Any) -> dict[str, Any]:
        if self.modern:
            meta = {"protocolVersion": scripted.MODERN, "clientInfo": {"name": "c", "version": "1"}}
            said = {f"{scripted.META}{name}": value for name, value in {**meta, "clientCapabilities": {}}.items()}
            params = {**params, "_meta": {**said, **params.get("_meta", {})}}
        return {"jsonrpc": "2.0", **more, "method": method, "params": params}

    async def write(self, line: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + b"\n")
        await self.process.stdin.drain()

    def expect(self, id: Any) -> asyncio.Future[dict[str, Any]]:
        """The answer to come to this id."""
        future = self._answers[json.dumps(id)] = asyncio.get_running_loop().create_future()
        return future

    async def raw(self, line: bytes, id: Any) -> dict[str, Any]:
        """The answer to a line."""
        coming = self.expect(id)
        await self.write(line)
        async with asyncio.timeout(PATIENCE_S):
            return await coming

    async def begin_ask(self, method: str, **params: Any) -> tuple[int, asyncio.Future[dict[str, Any]]]:
        """Ask, and do not wait for the answer."""
        self.ids += 1
        coming = self.expect(self.ids)
        await self.write(json.dumps(self.message(method, params, id=self.ids)).encode())
        return self.ids, coming

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        _, coming = await self.begin_ask(method, **params)
        async with asyncio.timeout(PATIENCE_S):
            return await coming

    async def call(self, name: str, text: Any, **meta: Any) -> dict[str, Any]:
        more = {"_meta": meta} if meta else {}
        return await self.ask("tools/call", name=name, arguments={"text": text}, **more)

    async def tell(self, method: str, **params: Any) -> None:
        await self.write(json.dumps(self.message(method, params)).encode())

    async def begin(self) -> Client:
        if not self.modern:
            info = {"name": "c", "version": "1"}
            said = await self.ask("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo=info)
            assert said["result"]["serverInfo"]["name"] == "scripted", said
            await self.tell("notifications/initialized")
        return self

    async def until(self, seen: Any, within_s: float = PATIENCE_S) -> None:
        """Wait until something is there among what was told and what stands in the log. Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while not seen():
                self.news.clear()
                await self.news.wait()

    async def logged(self, text: str) -> str:
        """The line of the log that holds a text."""
        await self.until(lambda: any(text in line for line in self.errors))
        return next(line for line in self.errors if text in line)

    async def leave(self) -> int:
        """Close the input; the exit code."""
        assert self.process.stdin
        self.process.stdin.close()
        return await self.process.wait()

    async def server(self) -> int:
        """The process of the newest server."""
        await self.logged("pid=")
        return int([line for line in self.errors if "pid=" in line][-1].rpartition("=")[2])

    def records(self) -> list[dict[str, Any]]:
        """What the ledgers of this state folder say of calls."""
        found = [one for each in sorted(self.folder.glob("state/stdio/*/ledger")) for one in segments_in(each)]
        lines = [json.loads(line) for one in found for line in one.read_bytes().splitlines()]
        return [line for line in lines if line["kind"] == "call"]

    async def hear(self) -> None:
        assert self.process.stdout
        async for line in self.process.stdout:
            message = json.loads(line)  # nothing else may stand there
            assert message["jsonrpc"] == "2.0"
            if "method" in message:
                self.told.append(message)
            elif (coming := self._answers.pop(json.dumps(message["id"]), None)) and not coming.done():
                coming.set_result(message)
            else:
                self.told.append(message)
            self.news.set()

    async def read(self) -> None:
        assert self.process.stderr
        async for line in self.process.stderr:
            self.errors.append(line.decode().rstrip())
            self.news.set()


@asynccontextmanager
async def started(
    folder: Path, *options: str, command: Sequence[str] = SERVER, modern: bool = False, **environ: str
) -> AsyncIterator[Client]:
    """`toolwall mcp` in a folder whose files are there, as a client starts it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proxy.cli", "mcp", "--server", "crm", "-c", str(folder / "toolwall.yaml"), *options),
        *("--", *command),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environ},
        limit=1 << 24,
    )
    client = Client(process, folder, modern)
    tasks = [asyncio.create_task(client.hear()), asyncio.create_task(client.read())]
    try:
        yield client
        for task in tasks:
            if task.done():
                task.result()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
            await process.wait()
        await asyncio.wait(tasks)


@dataclass
class Inside:
    """The same in this process: no pipes of ours, but a real server. `said` are the lines that the client got."""

    door: StdioDoor
    lane: Lane
    sidecar: Running
    reader: asyncio.StreamReader
    staying: asyncio.Task[None]
    said: list[dict[str, Any]]
    errors: list[str]
    folder: Path

    def feed(self, message: dict[str, Any] | bytes) -> None:
        """One line of the client's."""
        self.reader.feed_data((message if isinstance(message, bytes) else json.dumps(message).encode()) + b"\n")

    def ask(self, id: Any, method: str, **params: Any) -> None:
        """A request of the era with sessions."""
        self.feed({"jsonrpc": "2.0", "id": id, "method": method, "params": params})

    def call(self, id: Any, name: str, text: str) -> None:
        self.ask(id, "tools/call", name=name, arguments={"text": text})

    async def answer(self, id: Any) -> dict[str, Any]:
        """The answer to an id, which is taken away."""
        found = await self.until(lambda: [each for each in self.said if each.get("id") == id and "method" not in each])
        self.said.remove(found[0])
        return dict(found[0])

    async def until(self, seen: Callable[[], Any]) -> Any:
        """What is there sooner or later. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE_S):
            while not (found := seen()):
                await asyncio.sleep(0.01)
        return found

    async def begin(self) -> None:
        info = {"name": "c", "version": "1"}
        self.ask(0, "initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo=info)
        assert "result" in await self.answer(0)
        self.feed({"jsonrpc": "2.0", "method": "notifications/initialized"})

    async def server(self) -> int:
        """The process of the newest server."""
        lines = await self.until(lambda: [line for line in self.errors if line.startswith("pid=")])
        return int(lines[-1][4:])

    def records(self) -> list[dict[str, Any]]:
        found = segments_in(self.folder / "state" / "ledger")
        lines = [json.loads(line) for one in found for line in one.read_bytes().splitlines()]
        return [line for line in lines if line["kind"] == "call"]


@asynccontextmanager
async def inside(
    folder: Path,
    command: Sequence[str] = SERVER,
    policy: str = POLICY,
    most_line: int = 1 << 20,
    most_calls: int = 99,
    keys: str = "",
    most_event: int = 1 << 20,
) -> AsyncIterator[Inside]:
    """A door and a server that was started for it."""
    settings = load_config(folder_of(folder, policy, keys=keys))
    async with running(settings) as sidecar:
        said: list[dict[str, Any]] = []
        errors: list[str] = []

        async def write(line: bytes) -> None:
            assert b"\n" not in line
            said.append(json.loads(line))

        environ = {"PATH": os.environ["PATH"]}
        lane = Lane(Server("crm", command, environ, most_line, lambda line: errors.append(line.decode())))
        await lane.start()
        sidecar.servers.ways["crm"] = lane.send
        assert settings.stdio is not None
        assert settings.stdio.identity.static is not None
        door = StdioDoor(
            sidecar.firewall,
            sidecar.servers,
            "crm",
            static(settings.stdio.identity.static),
            write,
            most_line=most_line,
            most_depth=64,
            most_calls=most_calls,
            most_event=most_event,
        )
        reader = asyncio.StreamReader()
        staying, serving = asyncio.create_task(lane.run(door.again)), asyncio.create_task(door.serve(reader))
        try:
            yield Inside(door, lane, sidecar, reader, staying, said, errors, folder)
        finally:
            lane.stop()
            await door.close()
            staying.cancel()
            serving.cancel()
            await asyncio.wait({staying, serving})


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be looked at does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


async def gone(pid: int, within_s: float = PATIENCE_S) -> None:
    """Wait until a process has ended. Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while is_alive(pid):
            await asyncio.sleep(0.05)
