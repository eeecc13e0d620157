"""Servers of both eras that nobody here wrote behind one endpoint: each client sees and reaches all of them, and those
that are gone, silent or no servers of MCP change nothing for the others."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.bench.processes import free_port
from tests.mcp.published import MODERN, schema, wrong
from tests.mcp.sides import VISITORS, came_of, conformance, everything, server1, server2, visits
from tests.mcp.test_clients import of_era
from tests.mcp.walls import imported, sidecar

pytestmark = pytest.mark.full

SECRET = "jane.roe" + "@" + "example.org"
OLD = ("sdk1", "ts1")
"""Clients that know nothing of the era without sessions."""

NAMES = ("old", "new", "gone", "mute", "never")
ALLOWED = ["old.echo", "old.get-sum", "old.trigger-long-running-operation", *(f"{name}.*" for name in NAMES[1:])]
ALLOWED += [f"new.{asked}" for asked in ("elicitation/create", "sampling/createMessage", "roots/list")]
CALLS: list[tuple[str, dict[str, Any], str | int]] = [
    ("old__echo", {"message": f"write to {SECRET}"}, "write to <EMAIL_ADDRESS>"),
    ("gone__add", {"a": 2, "b": 3}, "upstream_unreachable"),
    ("mute__add", {"a": 2, "b": 3}, "timeout"),
    ("never__add", {"a": 2, "b": 3}, -32603),
    ("new__add", {"a": 2, "b": 3}, "5"),
    ("new__add", {"a": "two", "b": 3}, "schema_violation"),
    ("new__leak", {}, "<EMAIL_ADDRESS>"),
    ("old__trigger-long-running-operation", {"duration": 0.2, "steps": 2}, "completed"),
    ("new__steps", {}, "It is done."),
    ("new__place", {"region": "Île-de-France ", "number": 7, "note": "north"}, "north"),
    ("new__ask", {}, "asked once"),
    ("old__get-env", {}, -32602),
    ("old__no-such-tool", {}, -32602),
    ("echo", {"message": "hello"}, -32602),
]
AFTER: list[tuple[str, dict[str, Any], str | int]] = [
    ("new__add", {"a": 2, "b": 3}, "upstream_unreachable"),
    ("old__get-sum", {"a": 2, "b": 3}, "is 5"),
]


class Never(BaseHTTPRequestHandler):
    """No server of MCP."""

    def do_POST(self) -> None:
        self.send_error(405)

    do_GET = do_POST  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def bad_ones() -> Iterator[dict[str, int]]:
    """The ports of what is no good server: nobody listens, somebody listens and says nothing, 405 to everything."""
    with socket.create_server(("127.0.0.1", 0)) as mute, ThreadingHTTPServer(("127.0.0.1", 0), Never) as never:
        threading.Thread(target=never.serve_forever, daemon=True).start()
        yield {"gone": free_port(), "mute": mute.getsockname()[1], "never": never.server_port}
        never.shutdown()


def set_up(folder: Path, urls: dict[str, str], bad: dict[str, int]) -> None:
    """The files of all backends: the bad ones were accepted when they were as the new one."""
    rules = folder / "rules"
    for name, url in urls.items():
        imported(folder, name, url)
    patience = {"timeout": "1s", "retry": {"attempts": 1}, "breaker": "off"}
    for name, port in bad.items():
        whole = yaml.safe_load((rules / "new.yaml").read_text()) | patience
        whole |= {"backend": name, "url": f"http://127.0.0.1:{port}/mcp", "mcp": f"{name}.definitions.json"}
        (rules / whole["mcp"]).write_bytes((rules / "new.definitions.json").read_bytes())
        (rules / f"{name}.yaml").write_text(yaml.safe_dump(whole))


def check(client: str, visited: dict[str, Any], calls: list[tuple[str, dict[str, Any], str | int]]) -> None:
    """That of each call of a client came what had to."""
    for (tool, _, due), each in zip(calls, visited["calls"], strict=True):
        if tool == "new__ask" and client in OLD:
            due = "reply_refused"  # by the era with sessions nobody can be asked here
        came = came_of(each)
        assert came == due or (isinstance(came, str) and str(due) in came), (client, tool, each)


def test_each_client_reaches_servers_of_both_eras_and_bad_ones_change_nothing(tmp_path: Path) -> None:
    schema(MODERN)
    with ExitStack() as dying, everything(tmp_path) as old, bad_ones() as bad:
        new = dying.enter_context(server2(tmp_path))
        set_up(tmp_path, {"old": old.url, "new": new.url}, bad)
        with sidecar(tmp_path, ALLOWED, f"mcp: {{backends: [{', '.join(NAMES)}]}}") as wall:
            lists = []
            for client, visited in visits(VISITORS, wall.own, [each[:2] for each in CALLS]):
                check(client, visited, CALLS)
                steps = {each[0] for each in visited["told"] if isinstance(each, list)}
                steps.discard("new__ask")  # the TypeScript SDK 2.x says by progress that it was asked
                assert steps == {"old__trigger-long-running-operation", "new__steps"}, client
                questions = [each for each in visited["told"] if isinstance(each, dict)]
                assert len(questions) == (0 if client in OLD else 2), client
                lists.append(sorted(each["name"] for each in visited["tools"]))
            assert lists == [lists[0]] * len(VISITORS)
            assert {each.partition("__")[0] for each in lists[0]} == set(NAMES)
            dying.close()
            for client, visited in visits(("sdk1", "ts2"), wall.own, [each[:2] for each in AFTER]):
                check(client, visited, AFTER)
                assert sorted(each["name"] for each in visited["tools"]) == lists[0]
            assert wall.tap.count(SECRET.encode()) == 0
            eras = of_era(wall.tap.said())
            assert {era: wrong(era, said) for era, said in eras.items()} == {era: [] for era in eras}
            assert min(len(said) for said in eras.values()) > 30


SCENARIOS = {"server-initialize": 1, "ping": 1, "tools-list": 1, "dns-rebinding-protection": 2}
"""Of the conformance suite: those that need no tool by a name, for here each has that of its server before it."""


def test_the_conformance_suite_finds_the_endpoint_in_order(tmp_path: Path) -> None:
    with server1(tmp_path) as server:
        imported(tmp_path, "them", server.url)
        with sidecar(tmp_path, ["them.*"], "mcp: {backends: [them]}") as wall:
            at = f"http://127.0.0.1:{wall.port}/.toolwall/mcp"  # its own Host and Origin count
            for scenario, passed in SCENARIOS.items():
                score = conformance(at, scenario=scenario)
                assert (score.passed, score.failed) == ({scenario: passed}, {}), score.words
