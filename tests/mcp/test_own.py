"""Clients of MCP that nobody here wrote use an HTTP API that knows nothing of MCP, by the sidecar's own server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.mcp.published import LEGACY, MODERN, schema
from tests.mcp.sides import VISITORS, plays
from tests.mcp.test_clients import check_said
from tests.mcp.walls import sidecar

pytestmark = pytest.mark.full

RULES = """\
backend: crm
url: http://127.0.0.1:{port}
reply: {{redact: standard}}
tools:
  get_customer:
    says: Look up one customer. Changes nothing.
    call: GET /customers/{{customer_id}}
    args: {{customer_id: {{type: integer, minimum: 1}}}}
    effect: read
  add_note:
    says: Add a note to a customer.
    call: POST /customers/{{customer_id}}/notes
    args: {{customer_id: {{type: integer, minimum: 1}}, text: {{type: string, maxLength: 100}}}}
    effect: write
    repeatable: true
"""
CALLS: list[Any] = [
    ["crm__get_customer", {"customer_id": 7}],
    ["crm__add_note", {"customer_id": 7, "text": "called"}],
    ["crm__get_customer", {"customer_id": "seven"}],
    ["crm__get_customer", {"customer_id": 404}],
]


class Crm(BaseHTTPRequestHandler):
    """An HTTP API. `seen` are the requests that reached it."""

    seen: ClassVar[list[tuple[str, str, bytes]]] = []

    def do_GET(self) -> None:
        self._answer({"id": 7, "name": "Ada", "email": "ada" + "@" + "example.net"})

    def do_POST(self) -> None:
        self._answer({"ok": True})

    def _answer(self, said: Any) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.seen.append((self.command, self.path, body))
        data = json.dumps(said).encode()
        self.send_response(404 if self.path.endswith("404") else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    """Where the API is."""
    schema(MODERN)
    Crm.seen.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Crm) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize("name", VISITORS)
def test_a_client_of_mcp_uses_an_http_api(name: str, port: int, tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "crm.yaml").write_text(RULES.format(port=port))
    with sidecar(tmp_path, ["crm.*"]) as wall:
        found = plays(*VISITORS[name](wall.own, json.dumps(CALLS)))
        assert {each["name"] for each in found["tools"]} == {"crm__get_customer", "crm__add_note"}
        read, written, refused, missing = found["calls"]
        assert not read.get("isError")
        assert json.loads(read["content"][0]["text"]) == {"id": 7, "name": "<PERSON>", "email": "<EMAIL_ADDRESS>"}
        assert not written.get("isError")
        assert refused["isError"] is True
        assert json.loads(refused["content"][0]["text"])["code"] == "schema_violation"
        assert missing["isError"] is True
        assert [each[:2] for each in Crm.seen] == [
            ("GET", "/customers/7"),
            ("POST", "/customers/7/notes"),
            ("GET", "/customers/404"),
        ]
        assert json.loads(Crm.seen[1][2]) == {"text": "called"}
        check_said(wall.tap.said(), LEGACY if name.endswith("1") else MODERN, 12)
