"""Hot reload, with real files: what is taken up, what is not, and that nobody notices but by the rules."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import shutil
import sys
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from proxy import reload as module
from proxy import signature as looking
from proxy.reload import vetted
from rules.load import RulesError
from tests.proxy.test_app import ready
from tests.wire import Wall, answering, perform, reply, wall

TOOLS = """
  get: {says: Read one., call: "GET /things/{id}", args: {id: {type: integer}}}
  raw: {says: Read unseen., call: GET /raw, reply: {redact: off}}
  put: {says: Write one., call: POST /things, args: {name: {type: string}}, effect: write}
"""
OPEN = 'rules: [{id: open, allow: "crm.*"}]\n'
LOW = "rules: [{id: low, allow: crm.get, when: args.id < 100}]\n"
HIGH = "rules: [{id: high, allow: crm.get, when: args.id >= 100}]\n"
BROKEN = "rules: [{id: low, allow: crm.got}]\n"
FAILING = LOW + "examples: [{as: {}, call: crm.get, args: {id: 700}, expect: allow}]\n"


@asynccontextmanager
async def still(folder: Path, **how: Any) -> AsyncIterator[Wall]:
    """A wall whose rules folder is looked at only when a test says so, by `look`."""
    before = module.POLL_S
    try:
        async with wall(folder, TOOLS, LOW, **how) as w:
            module.POLL_S = 1000.0  # the watch has not begun yet; its first look sets its pause
            await until(lambda: w.sidecar.reloader._rest_s == 1000.0 and not w.sidecar.reloader._working)
            yield w
    finally:
        module.POLL_S = before


async def until(true: Callable[[], bool], within_s: float = 10.0) -> None:
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.01)


async def look(w: Wall, times: int = 2) -> None:
    """What the watch does by itself, once a second."""
    for _ in range(times):
        await w.sidecar.reloader._turn(False)
        await w.sidecar.reloader._regimes.tend()


def put(w: Wall, text: str, name: str = "policy.yaml") -> None:
    """Replace a rules file in one step."""
    fresh = w.folder / "fresh"
    fresh.write_text(text)
    os.replace(fresh, w.folder / "rules" / name)


async def metric(w: Wall, name: str) -> list[str]:
    text = w.sidecar.telemetry.prometheus().decode()
    return [line for line in text.splitlines() if line.startswith(name)]


def test_a_change_is_taken_up_by_itself_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.02)

    async def play() -> None:
        async with wall(tmp_path, TOOLS, LOW) as w:
            before = await w.tell("GET", "/crm/things/7")
            assert (before.reply.status, (await w.tell("GET", "/crm/things/700")).reply.status) == (200, 403)
            put(w, HIGH)
            await until(lambda: w.sidecar.firewall.regime.rules.revision != before.record["revision"])
            assert (await w.tell("GET", "/crm/things/7")).reply.json["code"] == "denied"
            after = await w.tell("GET", "/crm/things/700")
            assert (after.reply.status, after.record["rules"]) == (200, ["high"])
            (told,) = w.records("rules")
            assert told["revision"] == after.record["revision"]
            assert told["changes"] == ["rules added: high", "rules removed: low"]
            assert await metric(w, "toolwall_rules{") == [
                f'toolwall_rules{{toolwall_revision="{told["revision"]}"}} 1.0'
            ]
            assert await metric(w, "toolwall_rules_reloads_total{") == [
                'toolwall_rules_reloads_total{toolwall_result="done"} 1.0'
            ]

    perform(play())


def test_files_that_are_still_being_written_are_left_alone(tmp_path: Path) -> None:
    async def play() -> None:
        async with still(tmp_path) as w:
            file = w.folder / "rules" / "policy.yaml"
            file.write_text(HIGH[:30])  # what an editor that writes in place has written so far
            await look(w, 1)
            file.write_text(HIGH)
            await look(w, 1)
            assert (await w.call("GET", "/crm/things/7")).status == 200
            assert w.sidecar.reloader.trouble == ""
            await look(w, 1)
            assert (await w.call("GET", "/crm/things/7")).status == 403

    perform(play())


@pytest.mark.parametrize(
    ("text", "place"), [(BROKEN, "policy.yaml:1:26"), (FAILING, "policy.yaml:2:1"), ("rules: [", "policy.yaml:")]
)
def test_rules_that_cannot_be_used_change_nothing_and_are_loud(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, place: str
) -> None:
    async def play() -> None:
        async with still(tmp_path) as w:
            revision = w.sidecar.firewall.regime.rules.revision
            put(w, text)
            await look(w, 5)
            told = await w.tell("GET", "/crm/things/7")
            assert (told.reply.status, told.record["revision"]) == (200, revision)
            assert (await w.call("GET", "/crm/things/700")).status == 403
            status, body = await ready(w.sidecar)
            assert (status, body["ready"], body["checks"]["rules"]) == (200, True, "ok")
            assert body["notes"]["rules"].startswith("stale since 20")
            assert f"revision {revision} stays in force; one problem, in {place}" in body["notes"]["rules"]
            assert await metric(w, "toolwall_rules_stale ") == ["toolwall_rules_stale 1.0"]
            assert w.records("rules") == []
            loud = [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]
            assert len(loud) == 2
            assert loud[0].startswith("THE RULES WERE NOT RELOADED: stale since ")
            assert loud[1].startswith("rules: policy.yaml:")
            put(w, HIGH)
            await look(w)
            assert (await w.call("GET", "/crm/things/700")).status == 200
            assert await ready(w.sidecar) == (200, {"ready": True, "checks": {"rules": "ok", "ledger": "ok"}})
            assert await metric(w, "toolwall_rules_stale ") == ["toolwall_rules_stale 0.0"]
            assert await metric(w, "toolwall_rules_reloads_total{") == [
                'toolwall_rules_reloads_total{toolwall_result="failed"} 1.0',
                'toolwall_rules_reloads_total{toolwall_result="done"} 1.0',
            ]

    perform(play())


def test_what_readiness_says_holds_no_text_of_the_files(tmp_path: Path) -> None:
    async def play() -> None:
        async with still(tmp_path) as w:
            put(w, "rules: [{id: low, hunter2: crm.get, when: hunter2}]\n")
            await look(w)
            _, body = await ready(w.sidecar)
            assert "2 problems, the first in policy.yaml:1:" in body["notes"]["rules"]
            assert "hunter2" not in json.dumps(body)

    perform(play())


def test_taking_a_broken_change_back_is_enough(tmp_path: Path) -> None:
    async def play() -> None:
        async with still(tmp_path) as w:
            revision = w.sidecar.firewall.regime.rules.revision
            put(w, BROKEN)
            await look(w)
            since = w.sidecar.reloader.trouble[:33]
            put(w, BROKEN + "# worse\n")
            await look(w)
            assert w.sidecar.reloader.trouble[:33] == since
            put(w, LOW)
            await look(w)
            assert w.sidecar.reloader.trouble == ""
            assert w.sidecar.firewall.regime.rules.revision == revision
            assert w.records("rules") == []

    perform(play())


def test_a_folder_that_is_gone_keeps_the_rules_and_an_empty_one_takes_them_away(tmp_path: Path) -> None:
    async def play() -> None:
        async with still(tmp_path, listener=", hosts: {crm.example: crm}") as w:
            rules = w.folder / "rules"
            rules.rename(w.folder / "away")
            await look(w)
            assert (await w.call("GET", "/crm/things/7")).status == 200
            assert "one problem, in" in w.sidecar.reloader.trouble
            rules.mkdir()
            await look(w)
            assert w.sidecar.reloader.trouble == ""
            assert (await w.call("GET", "/crm/things/7")).json["code"] == "unknown_tool"
            shutil.rmtree(rules)
            (w.folder / "away").rename(rules)
            await look(w)
            assert (await w.call("GET", "/crm/things/7")).status == 200

    perform(play())


def test_a_backend_that_hosts_names_may_not_go(tmp_path: Path) -> None:
    async def play() -> None:
        async with still(tmp_path, listener=", hosts: {crm.example: crm}") as w:
            crm = (w.folder / "rules" / "crm.yaml").read_text()
            put(w, crm.replace("backend: crm", "backend: crn"), "crm.yaml")
            put(w, LOW.replace("crm.", "crn."))
            await look(w)
            assert (await w.call("GET", "/crm/things/7")).status == 200
            assert "one problem" in w.sidecar.reloader.trouble

    perform(play())


def test_the_swap_of_a_configmap(tmp_path: Path) -> None:
    def swap(rules: Path, version: str, policy: str, crm: str) -> None:
        data = rules / f"..{version}"
        data.mkdir()
        (data / "policy.yaml").write_text(policy)
        (data / "crm.yaml").write_text(crm)
        (rules / "..next").symlink_to(data.name)
        os.replace(rules / "..next", rules / "..data")

    async def play() -> None:
        async with still(tmp_path) as w:
            rules = w.folder / "rules"
            crm = (rules / "crm.yaml").read_text()
            for name in ("policy.yaml", "crm.yaml"):
                (rules / name).unlink()
                (rules / name).symlink_to(f"..data/{name}")
            swap(rules, "1", LOW, crm)
            await look(w)
            assert (await w.call("GET", "/crm/things/7")).status == 200
            swap(rules, "2", HIGH.replace("crm.get", "crm.got"), crm.replace("  get:", "  got:"))
            shutil.rmtree(rules / "..1")
            await look(w)
            told = await w.tell("GET", "/crm/things/700")
            assert (told.reply.status, told.record["tool"]) == (200, "crm.got")
            assert w.sidecar.reloader.trouble == ""

    perform(play())


def test_files_that_change_while_they_are_read_are_read_again(tmp_path: Path) -> None:
    async def play() -> None:
        async with still(tmp_path) as w:
            prepare, read = w.sidecar.reloader._prepare, []

            def meanwhile() -> Any:
                found = prepare()
                read.append(found.rules.revision)
                if len(read) == 1:
                    put(w, HIGH)
                return found

            w.sidecar.reloader._prepare = meanwhile
            put(w, OPEN)
            await look(w, 2)
            assert len(read) == 1
            assert (await w.call("GET", "/crm/raw")).status == 403  # what was read was not put in force
            await look(w, 2)
            assert w.sidecar.firewall.regime.rules.revision == read[1] != read[0]
            assert (await w.call("GET", "/crm/things/700")).status == 200

    perform(play())


def test_a_touch_changes_nothing(tmp_path: Path) -> None:
    async def play() -> None:
        async with still(tmp_path) as w:
            regime = w.sidecar.firewall.regime
            os.utime(w.folder / "rules" / "policy.yaml")
            await look(w)
            assert w.sidecar.firewall.regime is regime

    perform(play())


def test_calls_under_way_end_under_the_rules_that_judged_them(tmp_path: Path) -> None:
    async def play() -> None:
        go_on, asked = asyncio.Event(), asyncio.Event()

        async def slow(_: bytes) -> bytes:
            asked.set()
            await go_on.wait()
            return reply(b'{"mail": "someone@example.com"}')

        async with still(tmp_path, answer=slow) as w:
            old = w.sidecar.firewall.regime.rules.revision
            call = asyncio.create_task(w.tell("GET", "/crm/things/7"))
            await asked.wait()
            put(w, HIGH.replace("crm.get", "kb.get"))
            put(w, "backend: kb\nurl: http://127.0.0.1:9\ntools:" + TOOLS, "crm.yaml")
            await look(w)
            assert w.sidecar.firewall.regime.rules.revision != old
            assert len(w.sidecar.reloader._regimes._before) == 1
            go_on.set()
            told = await call
            assert (told.reply.status, told.reply.json) == (200, {"mail": "<EMAIL_ADDRESS>"})
            assert (told.record["revision"], told.record["outcome"]) == (old, "ok")
            await look(w, 1)
            assert w.sidecar.reloader._regimes._before == []
            await w.backend.hung_up_on()
            assert (await w.call("GET", "/crm/things/7")).json["code"] == "unknown_tool"

    perform(play())


def test_a_stream_under_way_is_not_cut(tmp_path: Path) -> None:
    async def play() -> None:
        go_on = asyncio.Event()

        async def streaming(_: bytes) -> AsyncIterator[bytes]:
            async def pieces() -> AsyncIterator[bytes]:
                yield b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\none"
                await go_on.wait()
                yield b"two"

            return pieces()

        async with still(tmp_path, answer=streaming) as w:
            put(w, OPEN)
            await look(w)
            reader, writer = await asyncio.open_connection(*w.address)
            writer.write(w.raw("GET", "/crm/raw"))
            await reader.readuntil(b"\r\n\r\n")
            put(w, "backend: kb\nurl: http://127.0.0.1:9\ntools:" + TOOLS, "crm.yaml")
            put(w, "rules: []\n".replace("[]", "[{id: none, deny: 'kb.*'}]"))
            await look(w)
            assert "crm" not in w.sidecar.firewall.regime.rules.catalog.backends
            go_on.set()
            assert (await asyncio.wait_for(reader.read(), 10)).replace(b"\r\n", b"").startswith(b"3one")
            writer.close()
            await until(lambda: bool(w.records()) and w.records()[-1]["outcome"] == "ok")
            await look(w, 1)
            assert w.sidecar.reloader._regimes._before == []

    perform(play())


def test_a_backend_that_stayed_keeps_its_connections(tmp_path: Path) -> None:
    async def play() -> None:
        async with still(tmp_path) as w:
            for policy, number in ((HIGH, 700), (LOW, 7), (OPEN, 7)):
                put(w, policy)
                await look(w, 3)
                assert (await w.call("GET", f"/crm/things/{number}")).status == 200
            assert len(w.backend.seen) == 1

    perform(play())


def test_reloading_does_not_leave_old_rules_behind(tmp_path: Path) -> None:
    async def play() -> None:
        async with still(tmp_path) as w:
            old: list[weakref.ref[Any]] = []
            for number in range(30):
                old.append(weakref.ref(w.sidecar.firewall.regime.rules))
                put(w, f"rules: [{{id: open{number}, allow: crm.get}}]\n")
                await look(w)
                assert (await w.call("GET", "/crm/things/7")).status == 200
            gc.collect()
            assert [each for each in old if each() is not None] == []
            assert len(w.records("rules")) == 30

    perform(play())


def test_a_file_system_that_fails_is_told_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.02)

    async def play() -> None:
        async with wall(tmp_path, TOOLS, LOW) as w:
            prepare = w.sidecar.reloader._prepare

            def ill() -> Any:
                raise MemoryError("hunter2")

            w.sidecar.reloader._prepare = ill
            put(w, HIGH)
            await until(lambda: w.sidecar.reloader.trouble != "")
            assert "hunter2" not in w.sidecar.reloader.trouble
            assert (await w.call("GET", "/crm/things/7")).status == 200
            w.sidecar.reloader._prepare = prepare
            monkeypatch.setattr(module, "PATIENCE_S", 0.0)
            await until(lambda: w.sidecar.reloader.trouble == "")
            assert (await w.call("GET", "/crm/things/700")).status == 200

    perform(play())


def test_a_folder_that_never_rests_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        async with still(tmp_path) as w:
            monkeypatch.setattr(module, "PATIENCE_S", 0.0)
            for number in range(3):
                put(w, HIGH + f"# {number}\n")
                await look(w, 1)
            assert w.sidecar.reloader.trouble.startswith("stale since ")
            await look(w)
            assert w.sidecar.reloader.trouble == ""
            assert (await w.call("GET", "/crm/things/700")).status == 200

    perform(play())


def test_a_folder_that_is_too_large_to_watch_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        async with still(tmp_path) as w:
            monkeypatch.setattr(looking, "MOST_ENTRIES", 1)
            await look(w)
            assert w.sidecar.reloader.trouble.startswith("stale since ")
            assert (await w.call("GET", "/crm/things/7")).status == 200

    perform(play())


def test_who_asks_need_not_wait_and_is_answered_each_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def play() -> None:
        async with still(tmp_path) as w:
            put(w, HIGH)
            w.sidecar.reloader.reload()
            await until(lambda: len(w.records("rules")) == 1)
            put(w, BROKEN)
            for times in (1, 2):
                w.sidecar.reloader.reload()
                await until(lambda: caplog.text.count("THE RULES WERE NOT RELOADED") == times)  # noqa: B023

    perform(play())


def test_examples_are_part_of_the_rules(tmp_path: Path) -> None:
    (tmp_path / "crm.yaml").write_text("backend: crm\nurl: http://127.0.0.1:9\ntools:" + TOOLS)
    (tmp_path / "policy.yaml").write_text(FAILING)
    with pytest.raises(RulesError) as caught:
        vetted(tmp_path)
    assert str(caught.value) == "policy.yaml:2:1: examples: crm.get as anyone: expected allow, got denied"


def test_calls_go_on_while_the_rules_are_read(tmp_path: Path) -> None:
    async def play() -> None:
        async with still(tmp_path) as w:
            prepare, may_end, began = w.sidecar.reloader._prepare, asyncio.Event(), asyncio.Event()
            loop = asyncio.get_running_loop()

            def long() -> Any:
                loop.call_soon_threadsafe(began.set)
                asyncio.run_coroutine_threadsafe(may_end.wait(), loop).result(10)
                return prepare()

            w.sidecar.reloader._prepare = long
            put(w, HIGH)
            w.sidecar.reloader.reload()
            await began.wait()
            w.backend.answer = answering(reply())
            assert (await w.call("GET", "/crm/things/7")).status == 200
            may_end.set()
            await until(lambda: len(w.records("rules")) == 1)
            assert (await w.call("GET", "/crm/things/700")).status == 200

    perform(play())


def test_reading_leaves_the_interpreter_as_it_was(tmp_path: Path) -> None:
    async def play() -> None:
        async with still(tmp_path) as w:
            before, during = (sys.getswitchinterval(), gc.get_threshold()), []
            prepare = w.sidecar.reloader._prepare

            def watched() -> Any:
                during.append((sys.getswitchinterval(), gc.get_threshold()))
                return prepare()

            w.sidecar.reloader._prepare = watched
            for text in (BROKEN, HIGH):
                put(w, text)
                await look(w)
            assert len(during) == 2
            assert all(one != before for one in during)
            assert (sys.getswitchinterval(), gc.get_threshold()) == before

    perform(play())
