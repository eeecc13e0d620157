"""`toolwall demo`: a support desk and the sidecar in front of it as real processes, and a story played against both."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from rich.console import Console
from rich.text import Text

from proxy import story
from proxy.story import DemoError

PORT = 8080  # tried first, so that README's lines can be repeated as they stand
START_S = 30.0  # a start takes 2 s at most; a machine that is busy with other things gets its time
STOP_S = 10.0  # a sidecar that is told to end lets running calls finish
LAST_LINES = 15  # of a process that died

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Process:
    """A running process of the demo, and the file that takes what it prints."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    def last_words(self) -> str:
        """The last lines that it printed."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LAST_LINES:])


def play(once: bool, port: int | None) -> int:
    """Start the desk and the sidecar, play the story, show it, and serve until Ctrl-C; with `once`, end after it.

    `port` is the sidecar's: None takes 8080 or, where that is taken, a free one; 0 takes a free one. Returns the exit
    code: 0 where every step came out as told, 1 where one did not or the story was broken off, 3 where nothing could
    be started.
    """
    console = Console()
    _end_as_ctrl_c_does()
    try:
        with ExitStack() as stack:
            return _play(stack, once, pick_port(port), console)
    except KeyboardInterrupt:
        return 1
    except DemoError as error:
        console.print(Text(f"toolwall demo: {error}", "red"))
        return 3


BREAKING_OFF = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _end_as_ctrl_c_does() -> None:
    """SIGTERM and a closed terminal stop both processes too; under `nohup`, a closed terminal is still ignored."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


def folder() -> Path:
    """Where the desk and its rules lie: inside the package when installed, under `deploy/` in a checkout."""
    inside = Path(__file__).with_name("_demo")
    return inside if inside.is_dir() else Path(__file__).parents[1] / "deploy" / "demo"


def _play(stack: ExitStack, once: bool, door: int, console: Console) -> int:
    work = Path(stack.enter_context(TemporaryDirectory(prefix="toolwall-demo-")))
    desk, desk_port = start_desk(stack, work)
    sidecar = _start_sidecar(stack, work, door, desk_port)
    secrets = story.planted(desk_port)
    told = story.tell(door, desk_port, work / ".toolwall" / "ledger")
    good = sum(not row.faults(secrets) for row in told)
    console.print(story.table(told, secrets), f"{good} of {len(told)} steps came out as told.", sep="\n")
    if good < len(told):
        console.print(Text(f"The sidecar said:\n{sidecar.last_words()}", "red"))
    if not once:
        with suppress(KeyboardInterrupt):
            _how_to_go_on(console, work, door)
            _serve((desk, sidecar))
    return 0 if good == len(told) else 1


def start_desk(stack: ExitStack, work: Path) -> tuple[Process, int]:
    """The desk as a process that ends with `stack`, its data in `work`, and the port that it listens on."""
    command = [sys.executable, "-B", str(folder() / "desk.py"), "--port", "0", "--data", str(work)]
    desk = stack.enter_context(running("desk", command, work))
    return desk, wait_for(desk, lambda: _port_in(desk.log))


def _port_in(log: Path) -> int | None:
    with suppress(ValueError, KeyError, TypeError):
        return int(json.loads(log.read_text())["port"])
    return None


def _start_sidecar(stack: ExitStack, work: Path, door: int, desk: int) -> Process:
    admin = free_port()
    config = prepare(work, door, admin, desk)
    # -P: a folder named `proxy` where the user happens to stand must not be taken for ours.
    command = [sys.executable, "-P", "-m", "proxy.cli", "run", "-c", str(config)]
    sidecar = stack.enter_context(running("sidecar", command, work))
    wait_for(sidecar, lambda: story.send(admin, "GET", "/readyz").status == 200 or None)
    return sidecar


def prepare(work: Path, door: int, admin: int, desk: int) -> Path:
    """Copy the demo's configuration into `work`, with these ports in place of its fixed ones; returns its file."""
    shutil.copytree(folder() / "rules", work / "rules")
    config = Path(shutil.copy(folder() / "toolwall.yaml", work))
    _fill(
        config, {"bind: 127.0.0.1:8080": f"bind: 127.0.0.1:{door}", "bind: 127.0.0.1:9464": f"bind: 127.0.0.1:{admin}"}
    )
    _fill(work / "rules" / "desk.yaml", {"url: http://127.0.0.1:8765": f"url: http://127.0.0.1:{desk}"})
    return config


def _fill(file: Path, places: dict[str, str]) -> None:
    text = file.read_text()
    for old, new in places.items():
        if text.count(old) != 1:
            raise DemoError(f"{file.name} must hold {old!r} once; install Toolwall again, its demo was changed")
        text = text.replace(old, new)
    file.write_text(text)


def pick_port(port: int | None) -> int:
    """The port to serve on, as `play` says; DemoError where one was named that is in use."""
    if port:
        return port if _is_free(port) else _taken(port)
    return PORT if port is None and _is_free(PORT) else free_port()


def _taken(port: int) -> int:
    raise DemoError(f"port {port} is in use; name another with --port, or take any free one with --port 0")


def _is_free(port: int) -> bool:
    with socket.socket() as probe, suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((story.HOST, port))
        return True
    return False


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((story.HOST, 0))
        number: int = probe.getsockname()[1]
        return number


@contextmanager
def running(name: str, command: Sequence[str], work: Path) -> Iterator[Process]:
    """Run a command with what it prints in `work/NAME.log`; it has ended when the block is left, however that is.

    It gets a session of its own, so that Ctrl-C at the terminal reaches only us and we stop everything in order.
    """
    log = work / f"{name}.log"
    path = os.pathsep.join(filter(None, (str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH"))))
    popen = None
    try:
        with log.open("wb") as out, _uninterrupted():
            popen = subprocess.Popen(  # noqa: S603 - our own commands, without a shell
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PYTHONPATH": path},
                start_new_session=True,
            )
        yield Process(name, popen, log)
    finally:
        if popen is not None:
            _stop(popen)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """What would break us off waits: nobody would end a process that has begun and that we do not know of yet."""
    came: list[int] = []
    heard = [number for number in BREAKING_OFF if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, lambda got, _: came.append(got)) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        raise KeyboardInterrupt


def _stop(popen: subprocess.Popen[bytes]) -> None:
    popen.terminate()
    try:
        with suppress(subprocess.TimeoutExpired):
            popen.wait(STOP_S)
    finally:
        popen.kill()
        popen.wait()


def wait_for(process: Process, probe: Callable[[], T | None], within_s: float = START_S) -> T:
    """What `probe` answers once it is not None; DemoError where the process ends or `within_s` seconds pass before."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if (answer := probe()) is not None:
            return answer
        must_live(process)
        time.sleep(0.05)
    raise DemoError(f"the {process.name} was not ready after {within_s:g} s; it said:\n{process.last_words()}")


def must_live(process: Process) -> None:
    """DemoError with the last words of the process where it has ended."""
    code = process.popen.poll()
    if code is not None:
        raise DemoError(f"the {process.name} ended with exit code {code}; it said:\n{process.last_words()}")


def _serve(processes: Sequence[Process]) -> None:
    while True:
        for process in processes:
            must_live(process)
        time.sleep(0.5)


def _how_to_go_on(console: Console, work: Path, door: int) -> None:
    lines = (
        "The sidecar goes on listening. In another terminal:",
        f"  curl -i http://{story.HOST}:{door}/desk/customers/7",
        f"  {_toolwall()} ledger show -c {work / 'toolwall.yaml'}",
        f"The rules are in {work / 'rules'}. Ctrl-C ends the demo and removes that folder.",
    )
    console.print(Text("\n".join(lines)), soft_wrap=True)


def _toolwall() -> str:
    """How the command is called from here: by its name where that is found, else where this Python has it."""
    return "toolwall" if shutil.which("toolwall") else str(Path(sys.executable).with_name("toolwall"))
