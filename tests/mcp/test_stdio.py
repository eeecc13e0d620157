"""Clients that start a server, and servers that are started, that nobody here wrote: `toolwall mcp` stands between."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.mcp.environments import HERE, node, packages, sdk1, sdk2
from tests.mcp.published import LEGACY, MODERN, schema, wrong
from tests.mcp.sides import SERVERS, VISITORS, came_of, failed, lines_in, plays, script, tapped_lines, visits, where
from tests.mcp.test_clients import cleaned, differences
from tests.mcp.walls import records_in, wrapped

pytestmark = pytest.mark.full


@pytest.fixture(autouse=True)
def _published() -> None:
    """Skip at once, and not at the end, where the schemas are not there."""
    schema(MODERN)


Command = list[str | Path]


def server1() -> Command:
    return [sdk1(), HERE / "server1.py", "stdio"]


def server2() -> Command:
    return [sdk2(), HERE / "server2.py", "stdio"]


class Pair(NamedTuple):
    """A server, the client that plays with it, and the revision that they speak."""

    server: Callable[[], Command]
    client: Callable[[str], Command]
    revision: str


PAIRS = {
    "sdk1": Pair(server1, lambda at: [sdk1(), HERE / "client1.py", at], LEGACY),
    "sdk2": Pair(server2, lambda at: [sdk2(), HERE / "client2.py", at], MODERN),
    "ts1": Pair(server1, lambda at: [node(), script("clientts1.mjs"), at], LEGACY),
    "ts2": Pair(server2, lambda at: [node(), script("clientts2.mjs"), at], MODERN),
    "fastmcp-to-sdk1": Pair(server1, lambda at: [sdk2(), HERE / "clientfast.py", at, "auto"], LEGACY),
    "fastmcp-to-sdk2": Pair(server2, lambda at: [sdk2(), HERE / "clientfast.py", at, "auto"], MODERN),
}


def check_lines(file: Path, revision: str, least: int = 30) -> None:
    """Every line is as published, and most are of the revision that is meant."""
    eras = lines_in(file)
    assert len(eras[revision]) >= least
    assert {era: wrong(era, said) for era, said in eras.items()} == {MODERN: [], LEGACY: []}


@pytest.mark.parametrize("name", PAIRS)
def test_the_same_comes_of_the_same_plays(name: str, tmp_path: Path) -> None:
    pair = PAIRS[name]
    before, outside, inside = tmp_path / "before", tmp_path / "outside", tmp_path / "inside"
    alone = plays(*pair.client(where(tapped_lines(before, pair.server()))))
    assert failed(alone) == {}
    check_lines(before, pair.revision)
    wall = wrapped(tmp_path, "them", tapped_lines(inside, pair.server()))
    inside.unlink()  # of the import
    through = plays(*pair.client(where(tapped_lines(outside, wall))))
    assert differences(cleaned(alone), through) == []
    check_lines(outside, pair.revision)
    check_lines(inside, pair.revision)
    assert records_in(tmp_path / "state" / "stdio" / "them") != []


SECRET = "jane.roe" + "@" + "example.org"
UNKNOWN = -32602
RULES = """\
rules:
  - {{id: some, allow: {allow}, waive: {{approval: "Tests are their own approvers."}}}}
  - {{id: never, deny: {deny}, when: '{when}'}}
"""


class Visit(NamedTuple):
    """A server of others, rules for it, and calls with what has to come of each: a part of its text, the code of a
    refusal, or that of an error."""

    command: Callable[[Path], Command]
    allow: list[str]
    deny: tuple[str, str]
    calls: Callable[[Path], list[tuple[str, dict[str, Any], str | int]]]
    clients: tuple[str, ...] = ("sdk2", "ts1")


def npm(name: str, *words: str | Path) -> Command:
    return [node(), packages() / SERVERS / name / "dist" / "index.js", *words]


def everything_calls(_: Path) -> list[tuple[str, dict[str, Any], str | int]]:
    return [
        ("echo", {"message": f"write to {SECRET}"}, "write to <EMAIL_ADDRESS>"),
        ("echo", {"message": "forbidden"}, "denied"),
        ("get-env", {}, UNKNOWN),
        ("no-such-tool", {}, UNKNOWN),
        ("get-sum", {"a": "two", "b": 3}, "schema_violation"),
        ("get-sum", {"a": 2, "b": 3}, "is 5"),
        ("trigger-long-running-operation", {"duration": 0.2, "steps": 2}, "completed"),
        ("trigger-sampling-request", {"prompt": "hi", "maxTokens": 10}, "The client does not do this."),
        ("trigger-elicitation-request", {}, "declined"),
    ]


def filesystem_calls(folder: Path) -> list[tuple[str, dict[str, Any], str | int]]:
    files = folder / "files"
    files.mkdir(exist_ok=True)
    (files / "a.txt").write_text(f"write to {SECRET}")
    (files / "b.env").write_text("nothing")
    return [
        ("list_directory", {"path": str(files)}, "[FILE] a.txt"),
        ("read_text_file", {"path": str(files / "a.txt")}, "write to <EMAIL_ADDRESS>"),
        ("read_text_file", {"path": str(files / "b.env")}, "denied"),
        ("write_file", {"path": str(files / "a.txt"), "content": "x"}, UNKNOWN),
        ("read_text_file", {"path": "/etc/hostname"}, "denied - path outside"),
    ]


def memory_calls(_: Path) -> list[tuple[str, dict[str, Any], str | int]]:
    ada = {"name": "Ada", "entityType": "person", "observations": [f"reads {SECRET}"]}
    return [
        ("create_entities", {"entities": [ada]}, ""),
        ("read_graph", {}, "reads <EMAIL_ADDRESS>"),
        ("search_nodes", {"query": "forbidden"}, "denied"),
        ("delete_entities", {"entityNames": ["Ada"]}, UNKNOWN),
    ]


def time_calls(_: Path) -> list[tuple[str, dict[str, Any], str | int]]:
    asked = {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}
    return [
        ("convert_time", asked, "21:00"),
        ("convert_time", asked | {"target_timezone": "Mars/Base"}, "denied"),
        ("convert_time", asked | {"time": 12}, "schema_violation"),
        ("get_current_time", {"timezone": "UTC"}, UNKNOWN),
    ]


def git_calls(folder: Path) -> list[tuple[str, dict[str, Any], str | int]]:
    where = str(folder / "repo")
    return [
        ("git_status", {"repo_path": where}, "<EMAIL_ADDRESS>.txt"),
        ("git_diff", {"repo_path": where, "target": "forbidden"}, "denied"),
        ("git_reset", {"repo_path": where}, UNKNOWN),
    ]


def git_repo(folder: Path) -> Command:
    subprocess.run(["git", "init", "--quiet", folder / "repo"], check=True)
    (folder / "repo" / f"{SECRET}.txt").touch()
    return [sdk2(), "-m", "mcp_server_git", "--repository", folder / "repo"]


VISITS = {
    "everything": Visit(
        lambda _: npm("server-everything", "stdio"),
        [
            *("echo", "get-sum", "trigger-long-running-operation"),
            *("trigger-sampling-request", "trigger-elicitation-request", "elicitation/create"),
        ],
        ("echo", 'args.message == "forbidden"'),
        everything_calls,
        tuple(VISITORS),
    ),
    "filesystem": Visit(
        lambda folder: npm("server-filesystem", folder / "files"),
        ["list_directory", "read_text_file"],
        ("read_text_file", 'args.path.endsWith(".env")'),
        filesystem_calls,
    ),
    "memory": Visit(
        lambda folder: ["env", f"MEMORY_FILE_PATH={folder / 'memory.jsonl'}", *npm("server-memory")],
        ["create_entities", "read_graph", "search_nodes"],
        ("search_nodes", 'args.query == "forbidden"'),
        memory_calls,
    ),
    "time": Visit(
        lambda _: [sdk2(), "-m", "mcp_server_time", "--local-timezone", "UTC"],
        ["convert_time"],
        ("convert_time", 'args.target_timezone.startsWith("Mars/")'),
        time_calls,
        tuple(VISITORS),
    ),
    "git": Visit(git_repo, ["git_status", "git_diff"], ("git_diff", 'args.target == "forbidden"'), git_calls),
}


@pytest.mark.parametrize("name", VISITS)
def test_servers_of_others_are_held_to_the_rules(name: str, tmp_path: Path) -> None:
    visit, outside = VISITS[name], tmp_path / "outside"
    calls = visit.calls(tmp_path)
    denied, when = visit.deny
    allow = json.dumps([f"them.{each}" for each in visit.allow])
    wall = wrapped(
        tmp_path, "them", visit.command(tmp_path), RULES.format(allow=allow, deny=f"them.{denied}", when=when)
    )
    at = where(tapped_lines(outside, wall))
    for client, visited in visits(visit.clients, at, [each[:2] for each in calls]):
        check_visit(visit, calls, visited, client)
    said = [each for era in lines_in(outside).values() for each in era if each.by == "server"]
    assert [each.message for each in said if SECRET in json.dumps(each.message)] == []
    progress = [each for each in said if each.message.get("method") == "notifications/progress"]
    assert len(progress) == (2 * len(visit.clients) if name == "everything" else 0)
    assert {era: wrong(era, said) for era, said in lines_in(outside).items()} == {MODERN: [], LEGACY: []}


def check_visit(
    visit: Visit, calls: list[tuple[str, dict[str, Any], str | int]], visited: dict[str, Any], client: str
) -> None:
    """That a client saw what the rules let it see, and that nothing else came of its calls."""
    named = {each["name"] for each in visited["tools"]}
    assert named == {tool for tool, _, came in calls if came != UNKNOWN}, client
    for (tool, _, due), each in zip(calls, visited["calls"], strict=True):
        came = came_of(each)
        assert came == due or (isinstance(came, str) and str(due) in came), (client, tool, each)
    if "elicitation/create" in visit.allow:
        questions = [each for each in visited["told"] if isinstance(each, dict)]
        assert len(questions) == 1, client  # the model was never asked, the user was
        assert "messages" not in questions[0]
        # Of two; the TypeScript SDK 1.x loses the last one where the answer comes at once behind it.
        assert [each for each in visited["told"] if isinstance(each, list)] != [], client
