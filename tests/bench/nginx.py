"""nginx twice: as the backend, which answers fixed JSON and counts its requests, and as a bare reverse proxy."""

from __future__ import annotations

import re
import shutil
import time
from contextlib import ExitStack
from pathlib import Path

from tests.bench.processes import BenchError, Running, free_port, get, running, wait_for
from tests.bench.replies import Scenario

SETTLE_S = 10.0
"""How long a subject may take for what was under way when the load tool hung up."""

_STILL_S = 0.1
# One process each, as each subject is one. Connections are kept as long as the bench runs: a backend that hangs up on
# an idle connection would add a fault to the measurement that has nothing to do with what is measured.
_COMMON = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log error;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  server_tokens off;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/client;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  default_type application/json;
{http}
}}
"""
_BACKEND = """
  open_file_cache max=16 inactive=1h;
  open_file_cache_valid 1h;
  etag off;
  if_modified_since off;
  max_ranges 0;
  server {{
    listen 127.0.0.1:{port};
    root {folder};
    location = /status {{ stub_status; }}
    location ~ ^/customers/[0-9]+$ {{ try_files /1KB.json =404; }}
    location ~ ^/customers/[0-9]+/tickets$ {{ try_files /64KB.json =404; }}
  }}
"""
# The buffers hold the largest reply, so that nothing is written to disk.
_PROXY = """
  upstream backend {{ server 127.0.0.1:{backend}; keepalive 128; keepalive_requests 1000000000; }}
  proxy_buffers 16 16k;
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
"""


class Backend:
    """One backend."""

    def __init__(self, process: Running, port: int) -> None:
        self.process = process
        self.port = port
        self._asked = 0

    def requests(self) -> int:
        """How many requests it has had, without those that asked for this number."""
        self._asked += 1
        found = re.search(rb"requests\s+\d+ \d+ (\d+)", get(f"http://127.0.0.1:{self.port}/status")[1])
        if not found:
            raise BenchError("nginx tells no number of requests: its stub_status module is missing")
        return int(found.group(1)) - self._asked

    def settled(self) -> int:
        """The same, once it stands still: a proxy may go on for a while with calls whose caller has hung up."""
        last, give_up = -1, time.monotonic() + SETTLE_S
        while (now := self.requests()) != last:
            if time.monotonic() > give_up:
                raise BenchError(f"requests still come {SETTLE_S:g} s after the load tool hung up")
            last = now
            time.sleep(_STILL_S)
        return now


def backend(stack: ExitStack, folder: Path, scenarios: tuple[Scenario, ...]) -> Backend:
    """Start a backend in a new folder; `stack` stops it."""
    port = free_port()
    process = server(stack, "backend", folder, _BACKEND.format(port=port, folder=folder))
    for scenario in scenarios:
        (folder / f"{scenario.name}.json").write_bytes(scenario.body)
    made = Backend(process, port)
    for scenario in scenarios:
        if wait_for(process, f"http://127.0.0.1:{port}{scenario.path.format(n=1)}") != scenario.body:
            raise BenchError(f"the backend does not answer {scenario.path} as it should")
        made._asked += 1
    return made


def proxy(stack: ExitStack, folder: Path, port: int, backend_port: int) -> Running:
    """Start nginx as a reverse proxy in a new folder; `stack` stops it."""
    return server(stack, "nginx", folder, _PROXY.format(port=port, backend=backend_port))


def server(stack: ExitStack, name: str, folder: Path, http: str) -> Running:
    """Start nginx with this in its `http` block, in a new folder; `stack` stops it."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if not program:
        raise BenchError("nginx is missing, which is the backend here: on Debian, `apt-get install nginx-light wrk`")
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "nginx.conf"
    config.write_text(_COMMON.format(folder=folder, http=http))
    return stack.enter_context(running(name, [program, "-p", str(folder), "-c", str(config)], folder))
