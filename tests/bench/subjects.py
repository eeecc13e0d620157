"""What is compared: each subject is one process on a port of its own, in front of a backend of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.bench import nginx
from tests.bench.nginx import Backend
from tests.bench.processes import ROOT, BenchError, Running, free_port, running, wait_for
from tests.bench.replies import Scenario

MITMPROXY = "mitmproxy>=11,<13"
"""In an environment of its own: it would downgrade what ours needs."""

_INSTALL_S = 600
_VENV = ROOT / "build" / "bench-venv"


@dataclass(frozen=True)
class Subject:
    """A proxy that runs. `base` is the path under which it serves the backend; `ledger` is there for Toolwall only.

    `cleans` tells whether findings must be gone from what it answers.
    """

    name: str
    process: Running
    port: int
    backend: Backend
    base: str = ""
    ledger: Path | None = None
    cleans: bool = False

    def url(self, scenario: Scenario) -> str:
        """One request of this scenario."""
        return f"http://127.0.0.1:{self.port}{self.path(scenario).format(n=7)}"

    def path(self, scenario: Scenario) -> str:
        """What the load tool asks for."""
        return self.base + scenario.path


@dataclass(frozen=True)
class Place:
    """Where subjects run: a folder, what their backends answer, and the base URL of the collector."""

    stack: ExitStack
    folder: Path
    scenarios: tuple[Scenario, ...]
    collector: str

    def backend(self, name: str) -> Backend:
        """A new backend for the subject of this name: what reaches it, the subject sent."""
        return nginx.backend(self.stack, self.folder / f"{name}-backend", self.scenarios)


@dataclass(frozen=True)
class Setup:
    """How one Toolwall is set up. The defaults are every check on; each reduced one has a name of its own."""

    redact: str = "standard"
    otlp: bool = True


SETUPS = {
    "toolwall": Setup(),
    "toolwall-noclean": Setup(redact="off"),
    "toolwall-notelemetry": Setup(otlp=False),
}

_BACKEND_RULES = """\
backend: desk
url: http://127.0.0.1:{backend}
timeout: 10s
reply: {{redact: {redact}}}
tools:
  get_customer:
    says: Look up one customer by number. Changes nothing.
    call: GET /customers/{{customer_id}}
    args:
      customer_id: {{type: integer, minimum: 1}}
    effect: read
  list_tickets:
    says: List the tickets of a customer. Changes nothing.
    call: GET /customers/{{customer_id}}/tickets
    args:
      customer_id: {{type: integer, minimum: 1}}
      status: {{enum: [open, pending, closed], optional: true}}
      limit: {{type: integer, minimum: 1, maximum: 200, optional: true}}
    effect: read
  add_note:
    says: Add a note to a customer.
    call: POST /customers/{{customer_id}}/notes
    args:
      customer_id: {{type: integer, minimum: 1}}
      text: {{type: string, minLength: 1, maxLength: 2000}}
    effect: write
    repeatable: true
"""
_POLICY = """\
rules:
  - id: support-reads
    allow: [desk.get_*, desk.list_*]
    to: {roles: [support]}
    when: args.customer_id < 1000000
  - id: support-notes
    allow: desk.add_note
    to: {roles: [support]}
  - id: nobody-reads-vips
    deny: desk.get_customer
    when: args.customer_id in [4711, 4712]
"""
_CONFIG = """\
rules: rules
state: state
listeners:
  - bind: 127.0.0.1:{port}
    identity: {{static: {{id: support-bot, roles: [support], agent: support-bot}}}}
admin: {{bind: 127.0.0.1:{admin}}}
"""


def write_setup(folder: Path, setup: Setup, port: int, backend_port: int, collector: str) -> Path:
    """Write a whole Toolwall into a new folder; returns its toolwall.yaml."""
    rules = folder / "rules"
    rules.mkdir(parents=True)
    (rules / "desk.yaml").write_text(_BACKEND_RULES.format(backend=backend_port, redact=setup.redact))
    (rules / "policy.yaml").write_text(_POLICY)
    telemetry = f"telemetry: {{otlp: '{collector}', sample: 0.01}}\n" if setup.otlp else ""
    config = folder / "toolwall.yaml"
    config.write_text(_CONFIG.format(port=port, admin=free_port()) + telemetry)
    return config


def toolwall(place: Place, name: str, run: str = "") -> Subject:
    """Start a sidecar as a user does. `run` tells several of the same set-up apart."""
    setup, port, folder = SETUPS[name], free_port(), place.folder / f"{name}{run}"
    backend = place.backend(f"{name}{run}")
    config = write_setup(folder, setup, port, backend.port, place.collector)
    command = [sys.executable, "-m", "proxy.cli", "run", "-c", str(config)]
    process = place.stack.enter_context(running(name, command, folder))
    return Subject(name, process, port, backend, "/desk", folder / "state" / "ledger", setup.redact != "off")


def _backend(place: Place) -> Subject:
    backend = place.backend("backend")
    return Subject("backend", backend.process, backend.port, backend)


def _nginx(place: Place) -> Subject:
    port, backend = free_port(), place.backend("nginx")
    return Subject("nginx", nginx.proxy(place.stack, place.folder / "nginx", port, backend.port), port, backend)


def _bare(loop: str, name: str) -> Callable[[Place], Subject]:
    def start(place: Place) -> Subject:
        port, backend = free_port(), place.backend(name)
        command = [sys.executable, "-m", "tests.bench.bareproxy", str(port), str(backend.port), loop]
        return Subject(name, place.stack.enter_context(running(name, command, place.folder)), port, backend)

    return start


def _mitmproxy(place: Place) -> Subject:
    port, folder, backend = free_port(), place.folder / "mitmproxy", place.backend("mitmproxy")
    folder.mkdir()
    options = {"flow_detail": "0", "termlog_verbosity": "error", "confdir": str(folder)}
    command = [_mitmdump(), "--mode", f"reverse:http://127.0.0.1:{backend.port}"]
    command += ["--listen-host", "127.0.0.1", "--listen-port", str(port)]
    command += [word for name, value in options.items() for word in ("--set", f"{name}={value}")]
    return Subject("mitmproxy", place.stack.enter_context(running("mitmproxy", command, folder)), port, backend)


def _mitmdump() -> str:
    """The program, installed on first use."""
    program = _VENV / "bin" / "mitmdump"
    if not program.exists():
        print(f"Installing {MITMPROXY} into {_VENV.relative_to(ROOT)} (once) ...", flush=True)
        _install([sys.executable, "-m", "venv", str(_VENV)])
        _install([str(_VENV / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", MITMPROXY])
    return str(program)


def _install(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_S, check=False)
    except subprocess.TimeoutExpired:
        raise BenchError(f"mitmproxy was not installed within {_INSTALL_S} s") from None
    if done.returncode:
        raise BenchError(f"mitmproxy cannot be installed; leave it out with --subjects:\n{done.stderr[-2000:]}")


STARTERS: dict[str, Callable[[Place], Subject]] = {
    "backend": _backend,
    "nginx": _nginx,
    "aiohttp": _bare("asyncio", "aiohttp"),
    "aiohttp-uvloop": _bare("uvloop", "aiohttp-uvloop"),
    "mitmproxy": _mitmproxy,
    **{name: partial(toolwall, name=name) for name in SETUPS},
}


def default_names() -> list[str]:
    """Those that a plain run compares."""
    return ["backend", "nginx", "aiohttp", "aiohttp-uvloop", "mitmproxy", "toolwall"]


def start(place: Place, name: str) -> Subject:
    """Start a subject and wait until it answers every scenario."""
    subject = STARTERS[name](place)
    for scenario in place.scenarios:
        wait_for(subject.process, subject.url(scenario))
    return subject
