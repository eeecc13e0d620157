"""`toolwall mcp` as clients start it: real processes, real pipes, refusals first."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from proxy.app import CannotRun
from proxy.stdio import MOST_ERRORS, Errors, environment, own_folder
from redaction.known import NOTHING
from tests.mcpwire import played
from tests.stdiowire import CONFIG, SERVER, folder_of, gone, started

ASKING = """
rules:
  - {id: tools, allow: [crm.find, crm.drop]}
  - {id: asks, allow: crm.elicitation/create}
"""


@played
async def test_a_client_is_told_no_and_served_by_one_process_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    folder_of(tmp_path, ASKING)
    named = {"NAMED": "1", "VAULT_TOKEN": "x", "TOOLWALL_KEY": "y", "AWS_SECRET_ACCESS_KEY": "z"}
    async with started(tmp_path, "--env", "NAMED", **named) as client:
        early = await client.raw(b'{"jsonrpc":"2.0","id":"a","method":"ping","id":"b"}', "a")
        assert early["error"]["code"] == -32700
        await client.begin()
        listed = await client.ask("tools/list")
        assert [tool["name"] for tool in listed["result"]["tools"]] == ["find", "drop"]

        long = b'{"method":"tools/call","params":{"x":"%b"},"jsonrpc":"2.0","id":77}' % (b"y" * 1_100_000)
        assert (await client.raw(long, 77))["error"]["data"]["code"] == "too_large"
        untrue = await client.call("find", "twice")
        assert untrue["result"]["_meta"]["toolwall/refusal"]["code"] == "reply_refused"

        said = await client.call("find", "environment")
        variables = set(said["result"]["content"][0]["text"].removeprefix("find: ").partition(" of ")[0].split())
        assert {"PATH", "NAMED"} <= variables
        assert not variables & (named.keys() - {"NAMED"})

        said = await client.call("find", "progress", progressToken="mine")
        assert "<EMAIL_ADDRESS>" in said["result"]["content"][0]["text"]
        [progress] = [each["params"] for each in client.told if each["method"] == "notifications/progress"]
        assert progress == {"progressToken": "mine", "progress": 1, "message": "half of <EMAIL_ADDRESS>"}

        await client.call("find", "log")
        await client.until(lambda: any(each["method"] == "notifications/message" for each in client.told))
        assert client.told[-1]["params"]["data"] == "seen by <EMAIL_ADDRESS>"

        _, coming = await client.begin_ask("tools/call", name="find", arguments={"text": "ask"})
        await client.until(lambda: client.told[-1]["method"] == "elicitation/create")
        assert client.told[-1]["params"]["message"] == "Really, <EMAIL_ADDRESS>?"
        await client.write(json.dumps({"jsonrpc": "2.0", "id": "q1", "result": {"action": "decline"}}).encode())
        assert "result" in await coming
        assert '"action":"decline"' in await client.logged("answered: ")

        assert "result" in await client.call("find", "junk")
        await client.call("find", "errors")
        assert "hunter2" not in await client.logged("password")

        id, coming = await client.begin_ask("tools/call", name="drop", arguments={"text": "slow"})
        await client.logged('"slow"')
        await client.tell("notifications/cancelled", requestId=id)
        server = await client.server()
        assert await client.leave() == 0
        assert not coming.done()
        await gone(server)
        told = [(each.get("tool", ""), each["outcome"], each["executed"]) for each in client.records()]
        assert ("crm.drop", "client_gone", "unknown") in told
        assert ("crm.elicitation/create", "ok") in {each[:2] for each in told}
        assert all(
            each["door"] == "stdio" and each["principal"] == "bot" for each in client.records() if "tool" in each
        )


@pytest.mark.full
@played
async def test_two_processes_have_a_state_of_their_own_each_and_serve_both(tmp_path: Path) -> None:
    folder_of(tmp_path)
    async with started(tmp_path, modern=True) as one, started(tmp_path) as other:
        said = await one.ask("server/discover")
        assert said["result"]["supportedVersions"] == ["2026-07-28"]
        await other.begin()
        for client in (one, other):
            assert "<EMAIL_ADDRESS>" in (await client.call("find", "a"))["result"]["content"][0]["text"]
        assert await one.leave() == 0
        assert await other.leave() == 0
    assert sorted(each.name for each in (tmp_path / "state" / "stdio").iterdir()) == ["crm", "crm-2"]


@pytest.mark.full
@pytest.mark.parametrize(
    ("command", "options", "config", "why"),
    [
        (["no-such-command"], [], CONFIG, "no-such-command cannot be run: No such file or directory"),
        (["/dev/null"], [], CONFIG, "/dev/null cannot be run: Permission denied"),
        (SERVER, ["--env", "NOT_THERE"], CONFIG, "the environment has no NOT_THERE"),
        (SERVER, [], "listeners: [{bind: '127.0.0.1:0', identity: {static: {id: a}}}]", "lacks the key `stdio`"),
    ],
)
@played
async def test_what_cannot_run_says_so_on_standard_error_with_exit_code_3(
    tmp_path: Path, command: list[str], options: list[str], config: str, why: str
) -> None:
    folder_of(tmp_path, config=config)
    async with started(tmp_path, *options, command=command) as client:
        assert await client.process.wait() == 3
        await client.logged(why)


@pytest.mark.full
@played
async def test_a_server_that_does_not_stay_is_left_alone_with_exit_code_3(tmp_path: Path) -> None:
    folder_of(tmp_path)
    async with started(tmp_path, command=[sys.executable, "-c", "raise SystemExit(7)"]) as client:
        assert await client.process.wait() == 3
        assert "exit code 7" in await client.logged("does not stay")
        assert len([line for line in client.errors if "is started again" in line]) == 4


def test_the_server_gets_what_every_program_needs_and_what_is_named() -> None:
    environ = {"PATH": "p", "HOME": "h", "VAULT_TOKEN": "v", "AWS_SECRET_ACCESS_KEY": "a", "GITHUB_TOKEN": "g"}
    assert environment(environ, ["GITHUB_TOKEN"]) == {"PATH": "p", "HOME": "h", "GITHUB_TOKEN": "g"}
    with pytest.raises(CannotRun, match="the environment has no A, B, which"):
        environment(environ, ["B", "PATH", "A"])


def test_a_state_folder_is_nobody_elses_as_long_as_it_is_used(tmp_path: Path) -> None:
    first, lock = own_folder(tmp_path, "crm")
    second, other = own_folder(tmp_path, "crm")
    assert (first.name, second.name) == ("crm", "crm-2")
    lock.close()
    again, third = own_folder(tmp_path, "crm")
    assert again == first
    third.close()
    other.close()
    (tmp_path / "stdio").chmod(0o777)
    with pytest.raises(CannotRun, match="others may write"):
        own_folder(tmp_path, "crm")


def test_a_talkative_server_is_heard_in_part_and_what_was_left_out_is_counted() -> None:
    said: list[str] = []
    errors = Errors("crm", NOTHING, said.append)
    for number in range(MOST_ERRORS + 50):
        errors(b"line %d" % number)
    assert len(said) == MOST_ERRORS
    errors._since -= 2
    errors(b"more \xff\x1b[2J")
    assert said[-2:] == ["[crm] 50 lines were left out", "[crm] more \ufffd\\x1b[2J"]
