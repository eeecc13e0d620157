"""Both sides as processes: servers with a tap before them, clients that play with them, and the conformance suite."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.processes import free_port, running
from tests.mcp.environments import HERE, node, packages, sdk1, sdk2
from tests.mcp.published import LEGACY, MODERN, PROTOCOL
from tests.mcp.tap import Exchange, Part, Said, Tap

MOST_S = 300
"""For all plays of one client, or the whole suite."""

PATIENCE_S = 90.0
"""For a process to listen, on a machine that runs other tests as well."""

SERVERS = Path("node_modules") / "@modelcontextprotocol"


class Served(NamedTuple):
    """A server that runs: its URL, and what passes by on the way to it."""

    url: str
    tap: Tap


@contextmanager
def served(name: str, command: list[str | Path], folder: Path) -> Iterator[Served]:
    """A server behind a tap. In the words of its command {port} is its own, {called} the one by which it is called."""
    ports = {"port": free_port(), "called": free_port()}
    words = [str(word).format(**ports) for word in command]
    with running(name, words, folder) as process:
        until_open(ports["port"], process.check)
        with tapped(ports["called"], ports["port"]) as tap:
            yield Served(f"http://127.0.0.1:{tap.port}/mcp", tap)


def until_open(port: int, check: Any = lambda: None) -> None:
    """Wait until somebody listens. `check` raises where it is in vain."""
    give_up = time.monotonic() + PATIENCE_S
    while True:
        check()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < give_up, f"nobody listens at {port}"
            time.sleep(0.05)


@contextmanager
def tapped(port: int, to: int) -> Iterator[Tap]:
    """A tap that is closed with the block."""
    tap = Tap(port, to)
    try:
        yield tap
    finally:
        tap.close()


def tapped_lines(file: Path, command: list[str | Path]) -> list[str | Path]:
    """A command that keeps in a file each line that passes to and from another."""
    return [sys.executable, "-I", "-S", HERE / "linetap.py", file, *command]


def where(command: list[str | Path]) -> str:
    """How clients are told which server they are to start."""
    return json.dumps([str(word) for word in command])


def lines_in(file: Path) -> dict[str, list[Said]]:
    """What a line tap kept, by revision: an answer is of that of its request. A process is a session."""
    eras: dict[str, list[Said]] = {MODERN: [], LEGACY: []}
    asked: dict[tuple[str, str, str], str] = {}
    now: dict[str, str] = {}
    for line in file.read_bytes().splitlines():
        kept = json.loads(line)
        message, by, session = json.loads(kept["line"]), kept["by"], str(kept["process"])
        if by == "client" and "method" in message:
            is_new = PROTOCOL in kept["line"] or ("id" not in message and now.get(session) == MODERN)
            now[session] = MODERN if is_new else LEGACY
        id = repr(message.get("id"))
        if "method" in message:
            era = asked[session, by, id] = now[session]
        else:
            era = asked.get((session, "server" if by == "client" else "client", id), now[session])
        body = kept["line"].encode() if by == "client" else b""
        exchange = Exchange(Part("", {"mcp-session-id": session}, body), None)
        eras[era].append(Said(by, message, exchange))
    return eras


def server1(folder: Path) -> Any:
    """server1.py, which knows sessions."""
    return served("server1", [sdk1(), HERE / "server1.py", "{port}", "{called}"], folder)


def server2(folder: Path) -> Any:
    """server2.py, which knows both eras."""
    return served("server2", [sdk2(), HERE / "server2.py", "{port}", "{called}"], folder)


def everything(folder: Path) -> Any:
    """npm's server-everything, over HTTP as it comes."""
    program = packages() / SERVERS / "server-everything" / "dist" / "index.js"
    return served("everything", ["env", "PORT={port}", node(), program, "streamableHttp"], folder)


def filesystem(folder: Path) -> Any:
    """npm's server-filesystem, which speaks stdio, over HTTP; it may reach FOLDER/files."""
    (folder / "files").mkdir()
    program = packages() / SERVERS / "server-filesystem" / "dist" / "index.js"
    return served("filesystem", [node(), script("bridge.mjs"), "{port}", node(), program, folder / "files"], folder)


def memory(folder: Path) -> Any:
    """npm's server-memory, which speaks stdio, over HTTP."""
    program = packages() / SERVERS / "server-memory" / "dist" / "index.js"
    kept = f"MEMORY_FILE_PATH={folder / 'memory.jsonl'}"
    return served("memory", [node(), script("bridge.mjs"), "{port}", "env", kept, node(), program], folder)


def script(name: str) -> Path:
    """A script of this folder for Node, where Node finds its packages."""
    return Path(shutil.copy(HERE / name, packages() / name))


def plays(*command: str | Path) -> dict[str, Any]:
    """What came of all plays of a client."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=MOST_S)
    assert done.returncode == 0, f"{command[1]}: {done.returncode}\n{done.stdout[-500:]}{done.stderr[-3000:]}"
    found: dict[str, Any] = json.loads(done.stdout)
    return found


VISITORS: dict[str, Callable[[str, str], list[str | Path]]] = {
    "sdk1": lambda at, calls: [sdk1(), HERE / "visitor.py", at, calls],
    "sdk2": lambda at, calls: [sdk2(), HERE / "visitor2.py", at, calls],
    "fastmcp": lambda at, calls: [sdk2(), HERE / "visitorfast.py", at, calls],
    "ts1": lambda at, calls: [node(), script("visitorts.mjs"), at, calls, "1"],
    "ts2": lambda at, calls: [node(), script("visitorts.mjs"), at, calls, "2"],
}
"""The commands of clients for servers that they do not know. Those with a 1 know sessions alone."""


def visits(clients: Iterable[str], at: str, calls: list[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What comes of the same calls of several clients, two at a time."""
    clients, asked = list(clients), json.dumps(calls)
    with ThreadPoolExecutor(2) as beside:
        yield from zip(clients, beside.map(lambda each: plays(*VISITORS[each](at, asked)), clients), strict=True)


def came_of(call: dict[str, Any]) -> str | int:
    """What came of a visitor's call: the code of an error or of a refusal, else all that it says."""
    if "error" in call:
        return int(call["error"]["code"])
    refused = call.get("_meta", {}).get("toolwall/refusal")
    return str(refused["code"] if refused else call)


def failed(outcomes: dict[str, Any]) -> dict[str, Any]:
    """The plays that failed."""
    return {name: each for name, each in outcomes.items() if isinstance(each, dict) and "failed" in each}


class Score(NamedTuple):
    """How many checks passed and failed, by scenario, and the suite's last words."""

    passed: dict[str, int]
    failed: dict[str, int]
    words: str


def conformance(url: str, suite: str = "active", scenario: str = "") -> Score:
    """The official suite, or one scenario of it, against a server."""
    program = packages() / SERVERS / "conformance" / "dist" / "index.js"
    which = ["--scenario", scenario] if scenario else ["--suite", suite]
    command = [str(node()), str(program), "server", "--url", url, *which]
    done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_S)
    lines = re.findall(r"^\S+ ([\w-]+): (\d+) passed, (\d+) failed", done.stdout, re.MULTILINE)
    lines += [(scenario, *each) for each in re.findall(r"^Passed: (\d+)/\d+, (\d+) failed", done.stdout, re.MULTILINE)]
    return Score(
        {name: int(passed) for name, passed, _ in lines if int(passed)},
        {name: int(failed) for name, _, failed in lines if int(failed)},
        done.stdout[-2500:] + done.stderr[-2000:],
    )
