"""A scripted MCP server of both eras for tests: as a process that speaks by lines, and as what answers one message.

What it does is chosen by the arguments of a call, so it is the same whichever way it is reached.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any

TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
TOOLS = [
    {"name": "find", "description": "Finds customers.", "inputSchema": TEXT},
    {"name": "drop", "description": "Drops one.", "inputSchema": TEXT},
    {"name": "wipe", "description": "Wipes all.", "inputSchema": TEXT},
    {"name": "hidden", "description": "For others.", "inputSchema": TEXT},
]
MODERN = "2026-07-28"
META = "io.modelcontextprotocol/"
ODD: dict[str, dict[str, Any]] = {
    "image": {"content": [{"type": "image", "data": "iVBORw0KGgo=", "mimeType": "image/png"}]},
    "base64": {"content": [{"type": "resource", "resource": {"uri": "a:b", "mimeType": "text/plain", "blob": "eA"}}]},
    "cased": {"content": [], "StructuredContent": {"a": 1}},
    "kind": {"content": [], "resultType": "task"},
}
"""Results that are withheld, by the text of the call."""


DATA = {
    "rows": [
        {"id": number, "note": f"Customer {number} wrote from ann@example.com and waits", "secret": "canary"}
        for number in range(1, 6)
    ],
    "secret": "canary",
}
"""What a call with the text `rows` gives, as data and as text."""


def text_of(name: str, text: str) -> str:
    """What a tool says."""
    return f"{name}: {text} of ann@example.com"


def answer(message: dict[str, Any]) -> dict[str, Any] | None:
    """The response to one message; None where there is none."""
    method, id = message.get("method"), message.get("id")
    if id is None or method is None:
        return None
    result = _result(method, message.get("params", {}))
    said = {"error": {"code": -32601, "message": "No such method."}} if result is None else {"result": result}
    return {"jsonrpc": "2.0", "id": id, **said}


def _result(method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    more = {"resultType": "complete"} if f"{META}protocolVersion" in params.get("_meta", {}) else {}
    if method == "initialize":
        info = {"name": "scripted", "version": "1"}
        return {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}, "logging": {}}, "serverInfo": info}
    if method == "server/discover":
        return {"supportedVersions": [MODERN], "capabilities": {"tools": {}}, **more}
    if method == "tools/list":
        return {"tools": TOOLS, **more, **({"ttlMs": 0, "cacheScope": "public"} if more else {})}
    if method == "tools/call":
        text = params["arguments"]["text"]
        if text in ODD:
            return {**more, **ODD[text]}
        if text == "rows":
            said = [{"type": "text", "text": json.dumps(DATA, indent=1)}, {"type": "text", "text": "See canary."}]
            return {**more, "content": said, "structuredContent": DATA}
        said = [{"type": "text", "text": text_of(params["name"], text)}]
        return {"content": said, **more, **({"isError": True} if text == "fail" else {})}
    return {} if method == "ping" else None


def say(message: Any) -> None:
    """Write one line."""
    sys.stdout.write(message if isinstance(message, str) else json.dumps(message))
    sys.stdout.write("\n")
    sys.stdout.flush()


def _asks(id: Any, method: str, params: Any) -> None:
    say({"jsonrpc": "2.0", "id": id, "method": method, "params": params})


def _tells(method: str, **params: Any) -> None:
    say({"jsonrpc": "2.0", "method": f"notifications/{method}", "params": params})


def _before(message: dict[str, Any], text: str) -> None:
    """What the process does before it answers a call."""
    token = message["params"].get("_meta", {}).get("progressToken")
    if text == "die":
        os._exit(3)
    if text == "slow":
        time.sleep(30)
    if text == "endless":
        while True:
            sys.stdout.write("x" * 65536)
    if text == "junk":
        say("this is no message")
    if text == "twice":
        say(f'{{"jsonrpc":"2.0","id":{message["id"]},"result":{{}},"result":{{"content":[]}}}}')
    if text == "progress":
        _tells("progress", progressToken=token, progress=1, message="half of bob@example.com")
        _tells("progress", progressToken="another's", progress=1)
    if text == "log":
        _tells("message", level="info", data="seen by eve@example.com")
    if text == "ask":
        _asks(
            "q1", "elicitation/create", {"message": "Really, dan@example.com?", "requestedSchema": {"type": "object"}}
        )
        print(f"answered: {sys.stdin.readline().strip()}", file=sys.stderr, flush=True)
    if text == "errors":
        print("password = hunter2hunter2", file=sys.stderr, flush=True)
    if text == "environment":
        message["params"]["arguments"]["text"] = " ".join(sorted(os.environ))


def main() -> None:
    """Serve by standard input and output."""
    if "--stubborn" in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print(f"pid={os.getpid()}", file=sys.stderr, flush=True)
    for line in sys.stdin:
        message = json.loads(line)
        print(f"got {line.strip()}", file=sys.stderr, flush=True)
        if message.get("method") == "tools/call":
            _before(message, message["params"]["arguments"]["text"])
        if said := answer(message):
            say(said)
    if "--stubborn" in sys.argv:
        time.sleep(60)


if __name__ == "__main__":
    main()
