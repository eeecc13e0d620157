"""Kinto, a sidecar in front of it, and Kinto's own client at either door: all of them processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.evidence import LedgerTail
from tests.bench.processes import ROOT, Running, free_port, get, running, wait_for
from tests.roundtrip.apart import environment

PINS = Path(__file__).with_name("kinto.txt")
DRIVER = Path(__file__).with_name("kinto_driver.py")
USER = "admin:correct-horse-7"  # Kinto's default setup lets the account `admin` make buckets
PAGE = "3"
RELOAD_S = 20.0  # a change is in force after some 2 s; a busy machine gets its time
TOOLWALL = [sys.executable, "-m", "proxy.cli"]
CONFIG = """\
rules: rules
state: state
listeners:
  - bind: 127.0.0.1:{door}
    identity: {{static: {{id: shop-bot, roles: [reader, writer]}}}}
admin: {{bind: 127.0.0.1:{admin}}}
"""


@dataclass
class Client:
    """Kinto's own client as a process, for one server."""

    process: subprocess.Popen[str]

    def ask(self, name: str, given: Any) -> dict[str, Any]:
        """What came of one call: `value`, or `status`, `body` and `headers` of an answer that the client took ill."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([name, given]) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the client ended; its words are on standard error"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def get(self, name: str, **given: Any) -> Any:
        """The value of a call that has to go well."""
        answer = self.ask(name, given)
        assert "value" in answer, answer
        return answer["value"]

    def no(self, name: str, **given: Any) -> dict[str, Any]:
        """The answer to a call that has to go ill."""
        answer = self.ask(name, given)
        assert "status" in answer, answer
        return answer


@dataclass
class Street:
    """Where everything is. `through` calls by the sidecar, `direct` asks Kinto itself."""

    folder: Path
    kinto: str
    door: str = ""
    through: Client = field(init=False)
    direct: Client = field(init=False)
    sidecar: Running = field(init=False)
    tail: LedgerTail = field(init=False)

    def records(self) -> list[dict[str, Any]]:
        """The Records of calls since it was asked last."""
        return list(self.tail.records())

    def edit(self, file: str, old: str, new: str) -> None:
        """Change one place of a rules file while the sidecar runs, and wait until the change is in force."""
        path, before = self.folder / "rules" / file, self.revision()
        text = path.read_text()
        assert text.count(old) == 1, (file, old)
        aside = path.with_name(".aside")
        aside.write_text(text.replace(old, new))
        aside.replace(path)
        self.sidecar.process.send_signal(signal.SIGHUP)
        give_up = time.monotonic() + RELOAD_S
        while self.revision() == before:
            assert time.monotonic() < give_up, self.sidecar.tail()
            time.sleep(0.05)

    def revision(self) -> str:
        """What the rules in force are called."""
        return get(f"{self.door}/.toolwall/tools")[0]["etag"]


def toolwall(folder: Path, *args: str) -> tuple[int, str]:
    """One command as a user gives it; its exit code and all that it prints."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "120"}
    done = subprocess.run(
        [*TOOLWALL, *args], cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout + done.stderr


@contextmanager
def kinto(folder: Path) -> Iterator[Street]:
    """A Kinto that holds nothing but the account, and its document beside it as `kinto.json`."""
    programs, port = environment(PINS), free_port()
    ini = folder / "kinto.ini"
    backends = ["--backend", "memory", "--cache-backend", "memory", "--host", "127.0.0.1"]
    subprocess.run([programs / "kinto", "init", "--ini", ini, *backends], check=True, capture_output=True, timeout=60)
    ini.write_text(ini.read_text().replace("[app:main]", f"[app:main]\nkinto.paginate_by = {PAGE}", 1))
    street = Street(folder, f"http://127.0.0.1:{port}/v1")
    command = [str(programs / "kinto"), "start", "--ini", str(ini), "--port", str(port)]
    with ExitStack() as stack:
        process = stack.enter_context(running("kinto", command, folder))
        (folder / "kinto.json").write_bytes(wait_for(process, f"{street.kinto}/__api__"))
        street.direct = stack.enter_context(_client(street.kinto))
        name, password = USER.split(":")
        street.direct.ask("session.request", ["put", f"/accounts/{name}", {"password": password}])
        yield street


@contextmanager
def sidecar(street: Street) -> Iterator[None]:
    """A sidecar in front of it, by the rules in the folder."""
    door, admin = free_port(), free_port()
    config = street.folder / "toolwall.yaml"
    config.write_text(CONFIG.format(door=door, admin=admin))
    street.door = f"http://127.0.0.1:{door}"
    with ExitStack() as stack:
        command = [*TOOLWALL, "run", "-c", str(config)]
        street.sidecar = stack.enter_context(running("toolwall", command, street.folder))
        wait_for(street.sidecar, f"http://127.0.0.1:{admin}/readyz")
        street.through = stack.enter_context(_client(f"{street.door}/kinto"))
        street.tail = LedgerTail(street.folder / "state" / "ledger")
        yield


@contextmanager
def _client(server: str) -> Iterator[Client]:
    command = [str(environment(PINS) / "python"), str(DRIVER), server, USER]
    env = os.environ | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as process:
        try:
            yield Client(process)
        finally:
            process.kill()
