"""tests/mcp/tap.py: a relay keeps what passes, and reads it again however it was framed."""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from tests.bench.processes import free_port
from tests.mcp.tap import Tap, events, exchanges, messages

POST = b'POST /mcp HTTP/1.1\r\nContent-Length: 40\r\n\r\n{"jsonrpc":"2.0","id":1,"method":"ping"}'
STREAM = (
    b"id: 1\r\ndata:\r\n\r\n: still there\r\n\r\n"
    b'event: message\r\ndata: {"jsonrpc":"2.0","id":1,\r\ndata: "result":{}}\r\n\r\n'
)
JSON = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 36\r\n\r\n"
    b'{"jsonrpc":"2.0","id":1,"result":{}}'
)
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunks(data: bytes, size: int) -> bytes:
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in pieces) + b"0\r\n\r\n"


def test_messages_are_found_in_json_and_in_streams() -> None:
    for size in (1, 7, 4096):
        came = CHUNKED + chunks(STREAM, size) + JSON
        first, second = exchanges(POST + POST, came)
        said = [(each.by, each.message) for each in messages(first)]
        assert said == [
            ("client", {"jsonrpc": "2.0", "id": 1, "method": "ping"}),
            ("server", {"jsonrpc": "2.0", "id": 1, "result": {}}),
        ]
        assert [each.message for each in messages(second)] == [each for _, each in said]


def test_what_was_cut_short_is_kept_as_far_as_it_came() -> None:
    came = CHUNKED + chunks(STREAM, 4096)[:-40]
    (one,) = exchanges(POST, came)
    assert one.reply is not None
    assert [each.get("data") for each in events(one.reply.body)] == [""]
    assert exchanges(POST, b"")[0].reply is None


def test_bytes_pass_unaltered() -> None:
    class Echo(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        tap = Tap(free_port(), server.server_port)
        try:
            connection = http.client.HTTPConnection("127.0.0.1", tap.port, timeout=5)
            sent = bytes(range(256)) * 1000
            connection.request("POST", "/", body=sent)
            assert connection.getresponse().read() == sent
            connection.close()
            (one,) = tap.exchanges()
            assert one.request.body == sent
            assert one.reply is not None
            assert one.reply.body == sent
        finally:
            tap.close()
            server.shutdown()
