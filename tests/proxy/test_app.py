"""The whole sidecar put together: it starts or says why not, knows its callers, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from proxy import pushing
from proxy.app import CannotRun, Running, running
from proxy.config import load_config
from proxy.ledger import checkpoint
from proxy.ledger.verify import verify
from proxy.state import CHECKPOINTS, LEDGER_HEAD, load_key
from tests.doors.test_callers import KEY, KEYS, OTHER, POLICY, TOOLS
from tests.proxy.collecting import FakeCollector, collector
from tests.wire import Wall, answering, perform, reply, wall

ROOT = Path(__file__).parents[2]


def write_files(folder: Path, config: str = "", bind: str = "127.0.0.1:0", more: str = "") -> Path:
    """Files of a sidecar that would start."""
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "rules" / "crm.yaml").write_text(f"backend: crm\nurl: http://127.0.0.1:9\ntools:{TOOLS}")
    (folder / "rules" / "policy.yaml").write_text(POLICY)
    file = folder / "toolwall.yaml"
    admin = "" if "admin:" in config else "admin: {bind: '127.0.0.1:0'}\n"
    file.write_text(
        f"state: state\n{admin}listeners: [{{bind: '{bind}', identity: {{static: {{id: bot}}}}{more}}}]\n{config}"
    )
    return file


async def start(file: Path) -> None:
    async with running(load_config(file)):
        pass


def refusal(file: Path) -> str:
    """Why a sidecar with this configuration does not start."""
    with pytest.raises(CannotRun) as caught:
        perform(start(file))
    return str(caught.value)


def sockets() -> list[str]:
    """The sockets that this process has open."""
    gc.collect()
    names = []
    for each in os.listdir("/proc/self/fd"):
        try:
            names.append(os.readlink(f"/proc/self/fd/{each}"))
        except FileNotFoundError:
            continue  # the one that listed them
    return sorted(name for name in names if name.startswith("socket:"))


@contextmanager
def taken() -> Iterator[int]:
    """A port that another program has."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_nothing_is_left_after_it_stopped(tmp_path: Path) -> None:
    threads, before = set(threading.enumerate()), sockets()

    async def play() -> None:
        async with wall(tmp_path, TOOLS, POLICY, identity=KEYS, config="telemetry: {otlp: 'http://127.0.0.1:9'}") as w:
            assert (await w.tell("GET", "/crm/things/7", headers=[("Toolwall-Key", KEY)])).reply.status == 200
            reader, writer = await asyncio.open_connection(*w.address)  # an idle connection does not hold it up
        assert await asyncio.wait_for(reader.read(), 1) == b""
        writer.close()
        await asyncio.sleep(0.01)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    perform(play())
    assert set(threading.enumerate()) == threads
    assert sockets() == before


def test_a_start_that_fails_leaves_nothing_and_may_be_repeated(tmp_path: Path) -> None:
    threads, before = set(threading.enumerate()), sockets()
    with taken() as port:
        file = write_files(
            tmp_path, f"admin: {{bind: '127.0.0.1:{port}'}}\ntelemetry: {{otlp: 'http://127.0.0.1:9'}}\n"
        )
        refusal(file)
        assert len(sockets()) == len(before) + 1
    assert set(threading.enumerate()) == threads
    perform(start(write_files(tmp_path)))


@pytest.mark.parametrize("which", ["listener", "admin listener"])
def test_a_port_that_is_taken(tmp_path: Path, which: str) -> None:
    with taken() as port:
        bind = f"127.0.0.1:{port}"
        admin = f"admin: {{bind: '{bind}'}}\n" if which == "admin listener" else ""
        text = refusal(write_files(tmp_path, admin) if admin else write_files(tmp_path, bind=bind))
    assert text.startswith(f"The {which} cannot bind {bind}: another program has that port. ")


def test_an_address_that_is_not_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a" * 16)
    text = refusal(write_files(tmp_path, "admin: {bind: '192.0.2.1:80', token: 'file:token'}\n"))
    assert text.startswith("The admin listener cannot bind 192.0.2.1:80: ")
    assert "another program" not in text


def test_all_that_is_wrong_with_the_rules_is_told(tmp_path: Path) -> None:
    file = write_files(tmp_path)
    (tmp_path / "rules" / "crm.yaml").write_text("backend: crm\nurl: http://a.test\ntols: {}\n")
    (tmp_path / "rules" / "policy.yaml").write_text("rules:\n  - {id: a, alow: crm.get}\n")
    text = refusal(file)
    assert text.startswith("The rules cannot be used:\n")
    assert "crm.yaml:3:1: tols: is an unknown key (did you mean tools?)" in text
    assert "policy.yaml:2:13: rules[0].alow: is an unknown key (did you mean allow?)" in text


def test_a_rules_folder_that_is_not_there(tmp_path: Path) -> None:
    file = write_files(tmp_path, "rules: nowhere\n")
    assert f"{tmp_path / 'nowhere'}:1:1: is not a folder" in refusal(file)


def test_hosts_may_only_name_backends_of_the_rules(tmp_path: Path) -> None:
    file = write_files(tmp_path, more=", hosts: {a.example: crm, b.example: crn, c.example: kb}")
    assert "rules:1:1: has no backend crn, kb (`hosts` in toolwall.yaml names it)" in refusal(file)
    (tmp_path / "rules" / "policy.yaml").unlink()
    perform(start(file))  # nothing is allowed, so nothing can be wrong


def test_examples_that_fail_hold_up_the_start(tmp_path: Path) -> None:
    file = write_files(tmp_path)
    with (tmp_path / "rules" / "policy.yaml").open("a") as policy:
        policy.write("examples:\n  - {as: {}, call: crm.get, args: {id: x}, expect: allow}\n")
    text = refusal(file)
    assert text.startswith("The rules cannot be used:\npolicy.yaml:")
    assert "examples: crm.get as anyone: expected allow, got " in text


def test_a_state_folder_that_cannot_be_used(tmp_path: Path) -> None:
    file = write_files(tmp_path)
    state = tmp_path / "state"
    state.write_text("a file")
    assert f"cannot use the state folder {state}" in refusal(file)
    state.unlink()
    state.mkdir()
    state.chmod(0o777)
    assert "others may write to the state folder" in refusal(file)


def test_a_store_that_cannot_be_opened_is_no_fault_of_the_rules(tmp_path: Path) -> None:
    file = write_files(tmp_path)
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / "store.db").mkdir()
    text = refusal(file)
    assert text.startswith(f"cannot open {tmp_path / 'state' / 'store.db'}: ")


def test_a_state_key_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_files(tmp_path)
    perform(start(file))
    key = tmp_path / "state" / "state.key"
    key.chmod(0o644)
    assert "others may read the state key" in refusal(file)
    key.chmod(0o600)
    key.write_text("7")
    assert "64 hexadecimal digits" in refusal(file)
    file.write_text(file.read_text().replace("state: state", "state: {folder: state, key: env:WALL_KEY}"))
    monkeypatch.delenv("WALL_KEY", raising=False)
    assert "the environment variable WALL_KEY must hold a key" in refusal(file)


def test_a_state_key_that_is_gone_is_not_replaced(tmp_path: Path) -> None:
    file = write_files(tmp_path)
    perform(start(file))
    key = tmp_path / "state" / "state.key"
    key.rename(tmp_path / "kept")
    assert f"there is no state key {key}" in refusal(file)
    assert not key.exists()
    (tmp_path / "kept").rename(key)
    perform(start(file))


def test_an_admin_token_that_is_not_set_is_told_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_files(tmp_path, "admin: {bind: '127.0.0.1:0', token: env:WALL_ADMIN}")
    monkeypatch.delenv("WALL_ADMIN", raising=False)
    assert refusal(file).startswith("The admin token in env:WALL_ADMIN is missing")


def test_a_second_sidecar_on_the_same_state(tmp_path: Path) -> None:
    async def play() -> None:
        settings = load_config(write_files(tmp_path))
        async with running(settings):
            with pytest.raises(CannotRun, match="another sidecar runs on the same state folder"):
                await start(tmp_path / "toolwall.yaml")
        await start(tmp_path / "toolwall.yaml")

    perform(play())


def test_it_does_not_run_without_the_strict_parser(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "proxy.cli", "run", "-c", str(write_files(tmp_path))]
    env = os.environ | {"AIOHTTP_NO_EXTENSIONS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.count("\n") == 1
    assert "unset AIOHTTP_NO_EXTENSIONS" in done.stderr


def test_the_collectors_credential_may_stand_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_files(tmp_path, "telemetry: {otlp: 'http://127.0.0.1:9', headers: {Authorization: env:WALL_TOKEN}}\n")
    monkeypatch.delenv("WALL_TOKEN", raising=False)
    assert "The environment variable WALL_TOKEN, for the collector's header Authorization, is not set" in refusal(file)
    monkeypatch.setenv("WALL_TOKEN", "hunter2\nX-Injected: 1")
    assert "'Authorization' is not one line" in (text := refusal(file))
    assert "hunter2" not in text
    monkeypatch.setenv("WALL_TOKEN", "Bearer hunter2")
    perform(start(file))


async def ready(sidecar: Running) -> tuple[int, dict[str, Any]]:
    host, _, port = sidecar.admin.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET /readyz HTTP/1.1\r\nHost: {sidecar.admin}\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), json.loads(body)


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process may grow."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def test_readiness_tells_of_a_ledger_that_cannot_be_written(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, POLICY, identity="{static: {id: bot, roles: [reader, writer]}}") as w:
            assert await ready(w.sidecar) == (200, {"ready": True, "checks": {"rules": "ok", "ledger": "ok"}})
            with full_disk():
                said = await w.call("POST", "/crm/things", b'{"name": "a"}')
                status, checks = await ready(w.sidecar)
            assert (said.status, said.json["code"], said.json["executed"]) == (500, "internal", "no")
            assert w.backend.requests == []
            assert (status, checks["ready"], checks["checks"]["rules"]) == (503, False, "ok")
            assert checks["checks"]["ledger"].startswith("cannot write")
            assert (await w.call("POST", "/crm/things", b'{"name": "a"}')).status == 200
            assert (await ready(w.sidecar))[0] == 200

    perform(play())


def test_reads_pass_without_a_record_where_the_operator_says_so_and_nothing_else_does(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def play() -> None:
        identity, config = "{static: {id: bot, roles: [reader, writer]}}", "ledger: {on_error: pass}"
        async with wall(tmp_path, TOOLS, POLICY, identity=identity, config=config) as w:
            with full_disk():
                read = await w.call("GET", "/crm/things/7")
                wrong = await w.call("GET", "/crm/things/x")
                write = await w.call("POST", "/crm/things", b'{"name": "a"}')
            assert (read.status, read.headers["toolwall-unchecked"]) == (200, "ledger")
            assert (wrong.json["code"], wrong.headers["toolwall-unchecked"]) == ("schema_violation", "ledger")
            assert (write.status, write.json["code"], write.json["executed"]) == (500, "internal", "no")
            assert "toolwall-unchecked" not in write.headers
            assert [request.split()[0] for request in w.backend.requests] == [b"GET"]
            assert "the ledger cannot be written" in caplog.text
            assert b"toolwall_passed_unchecked_total" in w.sidecar.telemetry.prometheus()
            assert "toolwall-unchecked" not in (await w.call("GET", "/crm/things/7")).headers

    perform(play())


def test_what_a_full_disk_ends_is_no_failure_of_the_call(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, POLICY, identity="{static: {id: bot, roles: [reader, writer]}}") as w:
            with full_disk():
                for _ in range(10):
                    said = await w.call("GET", "/crm/things/7")
                    assert (said.status, said.json["code"]) == (500, "internal")
                    assert said.json["suggestion"].startswith("Tell the operator")
            assert len(w.backend.requests) == 10
            assert (await w.call("GET", "/crm/things/7")).status == 200

    perform(play())


def test_checkpoints_cover_all_that_was_recorded(tmp_path: Path) -> None:
    async def play() -> None:
        config = "ledger: {checkpoints: {to: elsewhere, every: 100ms}, keep: {for: 90d}}"
        async with wall(tmp_path, TOOLS, POLICY, identity="{static: {id: bot, roles: [reader]}}", config=config) as w:
            assert (await w.call("GET", "/crm/things/7")).status == 200

    perform(play())
    key = load_key("", tmp_path / "state", {})
    found = checkpoint.read(tmp_path / "elsewhere", checkpoint.Signer(key.derive(CHECKPOINTS)).public)
    report = verify(tmp_path / "state" / "ledger", key.derive(LEDGER_HEAD), found.known)
    assert (report.faults, found.faults, found.notes) == ([], [], [])
    assert found.known[report.last_seq] == report.last_hash


def test_checkpoints_that_were_pushed_elsewhere_prove_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIT_KEY", "canary-5RtZw2Lq")
    monkeypatch.setattr(pushing, "FIRST_BACKOFF_S", 0.05)

    async def play(fake: FakeCollector) -> None:
        place = f"{{url: '{fake.url}/audit', every: 100ms, headers: {{X-Key: env:AUDIT_KEY}}}}"
        config = f"ledger: {{checkpoints: {place}, keep: {{for: 90d}}}}"
        static = "{static: {id: bot, roles: [reader]}}"
        async with wall(tmp_path, TOOLS, POLICY, identity=static, config=config) as w:
            w.backend.answer = answering(reply(b'{"key": "canary-5RtZw2Lq"}'))
            answer = await w.call("GET", "/crm/things/7")
            assert (answer.status, b"canary" in answer.body) == (200, False)  # what we send there is a known secret
            async with asyncio.timeout(5):
                while not await noted(w, "checkpoints"):
                    await asyncio.sleep(0.02)
            assert b"toolwall_ledger_checkpoints_healthy 0.0" in w.sidecar.telemetry.prometheus()
            assert (await w.call("GET", "/crm/things/7")).status == 200
            fake.statuses.clear()
            async with asyncio.timeout(5):
                while await noted(w, "checkpoints"):
                    await asyncio.sleep(0.02)
            assert b"toolwall_ledger_checkpoints_healthy 1.0" in w.sidecar.telemetry.prometheus()

    with collector((503,) * 1_000) as fake:
        perform(play(fake))
    assert {each["X-Key"] for each in fake.headers} == {"canary-5RtZw2Lq"}
    (tmp_path / "pushed").write_bytes(b"".join(fake.bodies))
    key = load_key("", tmp_path / "state", {})
    found = checkpoint.read(tmp_path / "pushed", checkpoint.Signer(key.derive(CHECKPOINTS)).public)
    report = verify(tmp_path / "state" / "ledger", key.derive(LEDGER_HEAD), found.known)
    assert (report.faults, found.faults, found.notes) == ([], [], [])
    assert found.known[report.last_seq] == report.last_hash


async def noted(w: Wall, name: str) -> str:
    """What `/readyz` notes of it."""
    async with aiohttp.ClientSession() as client, client.get(f"http://{w.sidecar.admin}/readyz") as answer:
        said = await answer.json()
        assert said["ready"] is True
        note: str = said.get("notes", {}).get(name, "")
        return note


def test_a_header_for_the_checkpoints_that_is_not_set_is_an_error(tmp_path: Path) -> None:
    file = write_files(
        tmp_path, "ledger: {checkpoints: {url: 'http://127.0.0.1:1', headers: {A: 'env:NO_SUCH_KEY'}}}\n"
    )
    assert "The environment variable NO_SUCH_KEY, for the checkpoints' header A, is not set" in refusal(file)


def test_each_listener_has_its_own_identity_over_one_firewall(tmp_path: Path) -> None:
    second = f"}}, {{bind: '127.0.0.1:0', identity: {KEYS}"

    async def play() -> None:
        static = "{static: {id: bot, roles: [reader]}}"
        async with wall(tmp_path, TOOLS, POLICY, identity=static, listener=second) as w:
            keyed = Wall(replace(w.sidecar, doors=w.sidecar.doors[1:]), w.backend, w.folder)
            told = await w.tell("GET", "/crm/things/7")
            assert (told.reply.status, told.record["principal"], told.record["roles"]) == (200, "bot", ["reader"])
            assert (await w.tell("GET", "/crm/things/7", headers=[("Toolwall-Key", OTHER)])).reply.status == 401
            told = await keyed.tell("GET", "/crm/things/7", headers=[("Toolwall-Key", OTHER)])
            assert (told.reply.status, told.record["principal"]) == (200, "bob")
            assert (await keyed.tell("GET", "/crm/things/7")).reply.status == 401
            assert len(w.records()) == 4

    perform(play())


def test_a_host_that_chooses_the_backend_leaves_the_path_whole(tmp_path: Path) -> None:
    tools = TOOLS + '  deep: {says: Read., call: "GET /crm/things/{id}", args: {id: {type: integer}}}\n'

    async def play() -> None:
        static = "{static: {id: bot, roles: [reader]}}"
        policy = POLICY + "  - {id: deep, allow: crm.deep}\n"
        async with wall(tmp_path, tools, policy, identity=static, listener=", hosts: {crm.example: crm}") as w:
            for path, tool in (("/things/7", "crm.get"), ("/crm/things/7", "crm.deep")):
                raw = f"GET {path} HTTP/1.1\r\nHost: crm.example\r\nConnection: close\r\n\r\n"
                told = await w.tell_raw(raw.encode())
                assert (told.reply.status, told.record["tool"]) == (200, tool)
                assert told.reached[0].startswith(f"GET /api{path} HTTP/1.1\r\n".encode())

    perform(play())
