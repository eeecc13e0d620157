"""What is revoked or stopped stays out, seen from the port: at every door, calls that wait too, and after a start."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from proxy import orders
from proxy.app import CannotRun
from proxy.identity.identity import digest
from proxy.stops import halting, revoked
from proxy.stops.halts import Mark
from proxy.stops.killswitch import turn_off, turn_on
from tests.proxy.test_cli import toolwall
from tests.wire import OK, Reply, Wall, perform, reply, wall

KEYS = {name: f"twk_key-of-{name}" for name in ("ann", "bob")}
IDENTITY = "{api_keys: [" + ", ".join(f"{{id: {name}, sha256: {digest(key)}}}" for name, key in KEYS.items()) + "]}"
TOOLS = """
  get: {says: Get., call: GET /get}
  pay: {says: Pay., call: POST /pay, args: {n: {type: integer}}, effect: write, undo: {tool: unpay, with: {n: args.n}}}
  unpay: {says: Take back., call: POST /unpay, args: {n: {type: integer}}, effect: write}
  some: {call: GET /some, reply: {most: 1}}
"""
AT = "2026-01-01T00:00:00Z"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(halting, "LOOK_S", 0.02)
    monkeypatch.setattr(orders, "LOOK_S", 0.02)


@asynccontextmanager
async def house(
    folder: Path, answer: Callable[[bytes], Awaitable[Any]] | None = None, **how: Any
) -> AsyncIterator[Wall]:
    how.setdefault("backend_keys", "breaker: off\nretry: {attempts: 1}")
    how.setdefault("identity", IDENTITY)
    how.setdefault("once", True)
    if answer:
        how["answer"] = answer
    async with wall(folder, TOOLS, **how) as w:
        yield w


def named(who: str, run: str = "") -> list[tuple[str, str]]:
    return [("Toolwall-Key", KEYS[who]), *([("Toolwall-Run", run)] if run else [])]


async def get(w: Wall, who: str = "ann", run: str = "", path: str = "/crm/get") -> Reply:
    return await w.call("GET", path, headers=named(who, run))


@asynccontextmanager
async def busy(folder: Path) -> AsyncIterator[tuple[Wall, asyncio.Event, asyncio.Event]]:
    """A sidecar whose backend takes one call at a time: `asked` says that it has one, and it answers after `go`."""
    asked, go = asyncio.Event(), asyncio.Event()

    async def slow(_: bytes) -> bytes:
        asked.set()
        await go.wait()
        return OK

    keys = "breaker: off\nretry: {attempts: 1}\nbulkhead: {at_once: 1, wait: 20s}"
    async with house(folder, slow, backend_keys=keys) as w:
        yield w, asked, go


async def revoke(w: Wall, principal: str = "", run: str = "") -> None:
    revoked.revoke(w.folder / "state", Mark(principal, run), AT)
    await seen(lambda: any(mark.run == run for mark in w.sidecar.firewall.halts.marks))


async def seen(so: Callable[[], bool], within_s: float = 1.0) -> None:
    async with asyncio.timeout(within_s):
        while not so():
            await asyncio.sleep(0.005)


def check_refused(answer: Reply, says: str) -> None:
    assert answer.status == 403, answer.raw
    assert (answer.json["code"], answer.json["executed"], answer.json["retry"]) == ("denied", "no", "never")
    assert says in answer.json["detail"]


def test_a_revoked_run_gets_nothing_more_and_others_do(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as w:
            assert (await get(w, "ann", "r1")).status == 200
            await revoke(w, "", "r1")
            w.news()
            told = await w.tell("GET", "/crm/get", headers=named("ann", "r1"))
            check_refused(told.reply, "revoked by the operator")
            assert told.reached == []
            assert (told.record["code"], told.record["run"], told.record["executed"]) == ("denied", "r1", "no")
            assert "revoked" in " ".join(told.record["notes"])
            check_refused(await get(w, "bob", "r1"), "revoked")  # whoever calls it so
            assert (await get(w, "ann", "r2")).status == 200
            assert (await get(w, "ann")).status == 200
            assert [(each["order"], each["said"]) for each in w.records("order")] == [("runs revoke", "run r1")]
            revoked.allow(w.folder / "state", Mark("", "r1"))
            await seen(lambda: not w.sidecar.firewall.halts.marks)
            assert (await get(w, "ann", "r1")).status == 200
            assert w.records("order")[-1]["order"] == "runs allow"

    perform(play())


def test_a_run_of_one_is_not_that_of_another(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as w:
            await revoke(w, "ann", "r1")
            check_refused(await get(w, "ann", "r1"), "revoked")
            assert (await get(w, "bob", "r1")).status == 200

    perform(play())


def test_a_revoked_principal_does_nothing_under_any_name(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as w:
            await revoke(w, "ann")
            before = len(w.backend.requests)
            for run in ("", "r1", "new", "R1"):
                check_refused(await get(w, "ann", run), "revoked")
            for path in ("/.toolwall/tools", "/.toolwall/rest/x-0"):
                check_refused(await get(w, "ann", "", path), "revoked")
            check_refused(await w.call("POST", "/.toolwall/undo", headers=named("ann", "r1")), "revoked")
            batch = json.dumps({"calls": [{"method": "GET", "path": "/crm/get"}]}).encode()
            check_refused(await w.call("POST", "/.toolwall/batch", batch, named("ann", "r1")), "revoked")
            assert len(w.backend.requests) == before
            assert (await get(w, "bob")).status == 200

    perform(play())


def test_the_command_stops_a_run_within_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # as often as the sidecar looks in truth

    async def play() -> None:
        async with house(tmp_path) as w:
            assert (await get(w, "ann", "r1")).status == 200
            config = str(tmp_path / "toolwall.yaml")
            code, out, _ = await asyncio.to_thread(toolwall, "runs", "revoke", "r1", "-c", config)
            began = time.monotonic()
            assert (code, b"Revoked: run r1." in out) == (0, True)
            while (await get(w, "ann", "r1")).status == 200:
                assert time.monotonic() - began < 1.0
                await asyncio.sleep(0.02)

    perform(play())


@pytest.mark.parametrize("run", ["r1", ""])
def test_what_is_revoked_stays_so_over_a_restart(tmp_path: Path, run: str) -> None:
    async def play() -> None:
        async with house(tmp_path) as w:
            await get(w, "ann", run)
            (id,) = {each["run"] for each in w.records()}
            revoked.revoke(w.folder / "state", Mark("", id), AT)
            await seen(lambda: w.sidecar.firewall.halts.revoked("ann", id))
            check_refused(await get(w, "ann", run), "revoked")
        async with house(tmp_path) as w:
            check_refused(await get(w, "ann", run), "revoked")
            assert w.records()[-1]["run"] == id
            assert (await get(w, "bob", run)).status == (200 if not run else 403)
            gone = revoked.allow(w.folder / "state", Mark("", id))
            assert len(gone) == 1
            await seen(lambda: not w.sidecar.firewall.halts.marks)
            assert (await get(w, "ann", run)).status == 200
            # What the sidecar itself wrote down of a run without a name, nobody ordered.
            assert w.records("order")[0]["order"] == "runs revoke"
            assert len([each for each in w.records("order") if each["order"] == "runs revoke"]) == 1

    perform(play())


def test_a_call_that_waits_for_its_turn_is_refused_and_what_was_sent_goes_on(tmp_path: Path) -> None:
    async def play() -> None:
        async with busy(tmp_path) as (w, asked, go):
            first = asyncio.create_task(get(w, "ann", "r1"))
            await asked.wait()
            second = asyncio.create_task(get(w, "ann", "r1"))
            other = asyncio.create_task(get(w, "ann", "r2"))
            await seen(
                lambda: (
                    len(w.sidecar.firewall.halts.busy()) == 2 and w.sidecar.regimes.healths["crm"].places.waiting == 2
                )
            )
            await revoke(w, "ann", "r1")
            check_refused(await asyncio.wait_for(second, 1), "revoked")
            assert not first.done()
            go.set()
            assert (await first).status == 200
            assert (await other).status == 200
            assert len(w.backend.requests) == 2

    perform(play())


def test_what_waits_to_be_sent_again_is_not_and_tells_what_came_of_it(tmp_path: Path) -> None:
    async def failing(_: bytes) -> bytes:
        return reply(b'{"busy":1}', "Retry-After: 5", status="503 Busy")

    async def play() -> None:
        keys = "breaker: off\nretry: {attempts: 3, wait: 10s, most_wait: 10s}"
        async with house(tmp_path, failing, backend_keys=keys) as w:
            waits = asyncio.create_task(get(w, "ann", "r1"))
            await seen(lambda: len(w.backend.requests) == 1)
            await asyncio.sleep(0.1)
            await revoke(w, "", "r1")
            answer = await asyncio.wait_for(waits, 1)
            assert (answer.status, answer.json) == (503, {"busy": 1})
            assert len(w.backend.requests) == 1
            assert "not sent again, the operator stopped it" in " ".join(w.records()[-1]["notes"])

    perform(play())


def test_a_request_that_is_still_coming_is_refused(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as w:
            reader, writer = await asyncio.open_connection(*w.address)
            raw = w.raw("POST", "/crm/pay", b'{"n":1}', named("ann", "r1"))
            writer.write(raw[:-3])
            await seen(lambda: bool(w.sidecar.firewall.halts.busy()))
            await revoke(w, "", "r1")
            check_refused(Reply.parse(await asyncio.wait_for(reader.read(65536), 1)), "revoked")
            writer.close()
            assert w.backend.requests == []
            (intents,) = (w.records("intent"),)
            assert intents == []

    perform(play())


def test_the_operator_undoes_what_a_revoked_run_did_and_the_agent_does_not(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as w:
            assert (await w.call("POST", "/crm/pay", b'{"n":1}', named("ann", "r1"))).status == 200
            await revoke(w, "ann", "r1")
            check_refused(await w.call("POST", "/.toolwall/undo", headers=named("ann", "r1")), "revoked")
            assert len(w.backend.requests) == 1
            order = {
                "do": "undo",
                "run": "r1",
                "principal": "ann",
                "door": "",
                "dry_run": False,
                "leave": [],
                "by": "o",
            }
            report = await asyncio.to_thread(orders.ask, w.folder / "state", order, 5.0)
            assert report["complete"]
            assert b"/unpay" in w.backend.requests[-1]
            turn_on(w.folder / "state" / "stop", "me")
            await seen(lambda: bool(w.sidecar.halting.stopped))
            assert (await w.call("POST", "/crm/pay", b'{"n":2}', named("bob"))).status == 403

    perform(play())


async def admin(w: Wall, path: str) -> str:
    async with aiohttp.ClientSession() as client, client.get(f"http://{w.sidecar.admin}{path}") as answer:
        return await answer.text()


def test_the_kill_switch_stops_every_door_until_it_is_off(tmp_path: Path) -> None:
    async def play() -> None:
        switch = tmp_path / "state" / "stop"
        async with house(tmp_path) as w:
            shaped = reply(b"[1,2,3]")

            async def some(_: bytes) -> bytes:
                return shaped

            w.backend.answer = some
            found = re.search(rb"/\.toolwall/rest/[\w-]+", (await get(w, "ann", "r1", "/crm/some")).body)
            assert found is not None
            link = found[0].decode()
            assert (await get(w, "ann", "r1", link)).status == 200
            assert "toolwall_stopped 0" in await admin(w, "/metrics")
            before = len(w.backend.requests)
            turn_on(switch, "me")
            await seen(lambda: bool(w.sidecar.halting.stopped))
            batch = json.dumps({"calls": [{"method": "GET", "path": "/crm/get"}]}).encode()
            for answer in (
                await get(w, "ann", "r1"),
                await get(w, "bob", "", "/crm/nothing"),
                await get(w, "ann", "r1", link),
                await get(w, "ann", "", "/.toolwall/tools"),
                await w.call("POST", "/.toolwall/undo", headers=named("ann", "r1")),
                await w.call("POST", "/.toolwall/batch", batch, named("ann")),
            ):
                check_refused(answer, "stopped all calls")
            assert len(w.backend.requests) == before
            assert (await w.call("GET", "/crm/get")).status == 401
            assert "toolwall_stopped 1" in await admin(w, "/metrics")
            assert "all calls are refused" in json.loads(await admin(w, "/readyz"))["notes"]["stop"]
            assert all("stopped" in " ".join(each["notes"]) for each in w.records()[-7:-1])
        async with house(tmp_path) as w:  # a restart forgets nothing
            check_refused(await get(w), "stopped all calls")
            assert turn_off(switch)
            await seen(lambda: not w.sidecar.halting.stopped)
            assert (await get(w)).status == 200
            assert "stop" not in json.loads(await admin(w, "/readyz")).get("notes", {})
            assert [each["order"] for each in w.records("order")] == ["stop", "resume"]

    perform(play())


def test_a_switch_that_cannot_be_looked_at_is_on(tmp_path: Path) -> None:
    async def play() -> None:
        (tmp_path / "file").write_text("")
        for place in ("gone/stop", "file/stop"):
            async with house(tmp_path, config=f"stop: {place}\n") as w:
                check_refused(await get(w), "stopped all calls")
        (tmp_path / "gone").mkdir()
        async with house(tmp_path, config="stop: gone/stop\n") as w:
            assert (await get(w)).status == 200
            (tmp_path / "gone").rmdir()
            await seen(lambda: bool(w.sidecar.halting.stopped))
            check_refused(await get(w), "stopped all calls")
            w.sidecar.halting.stop("a test")  # the file cannot be written: it is on all the same
            (tmp_path / "gone").mkdir()
            await asyncio.sleep(0.1)
            check_refused(await get(w), "stopped all calls")
            w.sidecar.halting.resume("a test")
            assert (await get(w)).status == 200

    perform(play())


def test_whoever_waits_is_refused_when_all_is_stopped_and_what_was_sent_is_answered(tmp_path: Path) -> None:
    async def play() -> None:
        async with busy(tmp_path) as (w, asked, go):
            first = asyncio.create_task(w.call("POST", "/crm/pay", b'{"n":1}', named("ann")))
            await asked.wait()
            second = asyncio.create_task(w.call("POST", "/crm/pay", b'{"n":2}', named("ann")))
            await seen(lambda: w.sidecar.regimes.healths["crm"].places.waiting == 1)
            w.sidecar.halting.stop("a test")
            check_refused(await asyncio.wait_for(second, 1), "stopped all calls")
            go.set()
            assert (await first).status == 200
            assert len(w.backend.requests) == 1
            w.sidecar.halting.resume("a test")
            assert (await w.call("POST", "/crm/pay", b'{"n":2}', named("ann"))).status == 200

    perform(play())


@pytest.mark.parametrize("text", ["", "{", "[]", '{"revoked": [{}]}', '{"revoked": [{"run": 7}]}', "[" * 100_000])
def test_a_list_that_cannot_be_read_lets_nobody_back_in(tmp_path: Path, text: str) -> None:
    async def play() -> None:
        async with house(tmp_path) as w:
            await revoke(w, "", "r1")
            (tmp_path / "state" / revoked.NAME).write_text(text)
            await seen(lambda: "revoked runs" in w.sidecar.halting.notes())
            check_refused(await get(w, "ann", "r1"), "revoked")
            assert (await get(w, "ann", "r2")).status == 200
            assert "stays so" in json.loads(await admin(w, "/readyz"))["notes"]["revoked runs"]
        with pytest.raises(CannotRun, match="is not what"):
            async with house(tmp_path):
                pass

    perform(play())


def test_who_follows_a_run_is_told_when_it_is_revoked(tmp_path: Path) -> None:
    async def play() -> None:
        over: list[tuple[str, str]] = []
        async with house(tmp_path) as w:
            w.sidecar.firewall.runs.ended.append(lambda *who: over.append(who))
            await get(w, "ann", "r1")
            await get(w, "bob", "r1")
            await get(w, "bob", "r2")
            await revoke(w, "bob", "r1")
            assert over == [("bob", "r1")]
            await revoke(w, "bob")
            assert sorted(over) == [("bob", "r1"), ("bob", "r2")]

    perform(play())


def test_the_commands_list_revoke_and_allow(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as w:
            await get(w, "ann", "r1")
            config = ("-c", str(tmp_path / "toolwall.yaml"))

            async def said(*args: str) -> tuple[int, str]:
                code, out, err = await asyncio.to_thread(toolwall, *args, *config)
                return code, out.decode() + err

            assert await said("runs", "revoke", "--principal", "ann") == (
                0, "Revoked: all runs of ann. A sidecar that runs refuses its calls within a second.\n")  # fmt: skip
            assert "Revoked already: all runs of ann." in (await said("runs", "revoke", "--principal", "ann"))[1]
            code, listed = await said("runs", "list")
            assert code == 0
            assert [line.split()[0] for line in listed.splitlines() if "r1" in line] != []
            assert "Revoked: all runs of ann, since 20" in listed
            assert (await said("runs", "allow", "r1"))[0] == 1
            assert (await said("runs", "allow", "--principal", "ann")) == (0, "Allowed again: all runs of ann.\n")
            assert (await said("runs", "revoke"))[0] == 2
            assert (await said("stop"))[0] == 0
            await seen(lambda: bool(w.sidecar.halting.stopped))
            assert (await said("resume"))[0] == 0
            assert (await said("resume"))[0] == 1

    perform(play())
