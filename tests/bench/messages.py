"""A tool that is called by a message of MCP, beside the same tool as an HTTP API: what one call costs the sidecar.

One sidecar has both before it, and one backend answers both: a customer in 1 KB of JSON, as the text of a tool's
result. The HTTP API gives this result, and the MCP server a message with it, so what is read and cleaned is the same.
They take turns in each round.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from rules.definitions import Definitions, defined, written
from tests.bench import nginx
from tests.bench.evidence import CHECKS, LedgerTail
from tests.bench.load import posts
from tests.bench.processes import ROOT, BenchError, Running, free_port
from tests.bench.replies import scenarios
from tests.bench.writes import Trial, settled, sidecar

MOST = 1.5
"""The processor time of a call by MCP, times that of the same call by HTTP."""

CONNECTIONS = 16
REVISION = "2026-07-28"
SAYS = {"desk": "the reverse door: `POST /desk/find`", "hub": f"MCP {REVISION}: `tools/call`, one JSON reply"}
_SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
_FIND = {"name": "find", "description": "Find.", "inputSchema": _SCHEMA}
_META = {
    "io.modelcontextprotocol/protocolVersion": REVISION,
    "io.modelcontextprotocol/clientInfo": {"name": "agent", "version": "1.0"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
_TEXT = "%s-%d"
"""What the load tool puts in here is never the same twice."""

_BACKEND = r"""
  map $request_body $asked {{ "~\"id\": ?(\"[^\"]+\"|[0-9]+)" $1; }}
  server {{
    listen 127.0.0.1:{port};
    location /find {{ return 200 '{plain}'; }}
    location /mcp {{
      proxy_pass http://127.0.0.1:{inner};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Asked $asked;
    }}
  }}
  server {{
    listen 127.0.0.1:{inner};
    location /mcp {{
      if ($http_mcp_method = "tools/list") {{ return 200 '{listed}'; }}
      return 200 '{said}';
    }}
  }}
"""
# nginx reads the body of a request only for whoever is behind it: so it is behind itself, and told the id.
_DESK = """\
backend: desk
url: http://127.0.0.1:{backend}
tools:
  find: {{says: Find., call: POST /find, args: {{text: {{type: string}}}}, effect: read}}
"""
_HUB = """\
backend: hub
url: http://127.0.0.1:{backend}/mcp
mcp: hub.definitions.json
tools: {{find: {{effect: read}}}}
"""


def table(rounds: int, seconds: float) -> str:
    """Measure, in turn; what the figures are, as Markdown. Raises BenchError where one call was not as it should be."""
    (ROOT / "build").mkdir(exist_ok=True)
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="bench-", dir=ROOT / "build"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        process, port = _started(stack, folder)
        tail = LedgerTail(folder / "state" / "ledger")
        for name in SAYS:  # so that nothing is met for the first time
            _trial(process, port, name, "warm", max(seconds, 1), tail)
        trials = [
            {name: _trial(process, port, name, f"{name}-{number}", seconds, tail) for name in SAYS}
            for number in range(rounds)
        ]
    return _written(trials)


def _started(stack: ExitStack, folder: Path) -> tuple[Running, int]:
    backend = free_port()
    said = {"content": [{"type": "text", "text": scenarios()[0].body.decode()}], "resultType": "complete"}
    answers = {
        "plain": json.dumps(said),
        "listed": _answer({"tools": [_FIND], "resultType": "complete"}),
        "said": _answer(said),
    }
    quoted = {name: text.replace("\\", "\\\\") for name, text in answers.items()}
    nginx.server(stack, "backend", folder / "backend", _BACKEND.format(port=backend, inner=free_port(), **quoted))
    rules = folder / "rules"
    rules.mkdir()
    (rules / "desk.yaml").write_text(_DESK.format(backend=backend))
    (rules / "hub.yaml").write_text(_HUB.format(backend=backend))
    (rules / "hub.definitions.json").write_bytes(written(Definitions(tools=defined("tools", [_FIND]))))
    (rules / "policy.yaml").write_text("rules: [{id: all, allow: [desk.*, hub.*]}]\n")
    return sidecar(stack, folder)


def _answer(result: dict[str, object]) -> str:
    return f'{{"jsonrpc": "2.0", "id": $http_x_asked, "result": {json.dumps(result)}}}'


def _trial(process: Running, port: int, name: str, run: str, seconds: float, tail: LedgerTail) -> Trial:
    for _ in tail.records():
        pass  # of calls that were not this trial's
    cpu = process.cpu_s()
    load = posts(port, f"/{name}/{'mcp' if name == 'hub' else 'find'}", CONNECTIONS, seconds, run, *_sent(name))
    cpu = process.cpu_s() - cpu
    process.check()
    if load.errors or not load.requests:
        raise BenchError(f"{name}: {load}\n{process.tail()}")
    _assert_recorded(name, load.requests, tail)
    return Trial(load.requests / load.seconds, load.p50_us / 1e3, load.p99_us / 1e3, cpu / load.requests * 1e6)


def _sent(name: str) -> list[str]:
    """The body of a request and its headers."""
    arguments = {"text": _TEXT}
    if name == "desk":
        return [json.dumps(arguments)]
    message = {"jsonrpc": "2.0", "id": 7, "method": "tools/call"}
    params = {"name": "find", "arguments": arguments, "_meta": _META}
    named = {"MCP-Protocol-Version": REVISION, "Mcp-Method": "tools/call", "Mcp-Name": "find"}
    headers = {"Accept": "application/json, text/event-stream", **named}
    return [json.dumps({**message, "params": params}), *(f"{key}: {value}" for key, value in headers.items())]


def _assert_recorded(name: str, answered: int, tail: LedgerTail) -> None:
    """Each answered call has a good Record, was sent, and was cleaned of what is planted."""
    findings = dict(scenarios()[0].findings)
    records = [each for each in settled(tail) if each["outcome"] == "ok"]
    good = [
        each
        for each in records
        if set(each["checks"]) >= CHECKS and each["attempts"] == 1 and each.get("redactions") == findings
    ]
    if len(good) < answered or len(good) != len(records):
        raise BenchError(f"{answered} answers of {name}, {len(records)} Records, {len(good)} good: {records[-1:]}")


def _written(trials: list[dict[str, Trial]]) -> str:
    lines = ["| | calls/s | p50 ms | p99 ms | CPU us/call | CPU, times HTTP's |", "|---|---:|---:|---:|---:|---:|"]
    for name, says in SAYS.items():
        rps, p50, p99, cpu = (median(each) for each in zip(*(one[name] for one in trials), strict=True))
        times = median(one[name].cpu_us / one["desk"].cpu_us for one in trials)
        lines.append(f"| {says} | {rps:,.0f} | {p50:.1f} | {p99:.1f} | {cpu:,.0f} | {times:.2f} |")
    return "\n".join([*lines, "", f"At most {MOST} times the processor time: {'met' if times <= MOST else 'NOT MET'}."])
