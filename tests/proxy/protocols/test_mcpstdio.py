"""Lines of a client: what they mean, whose answer an error is, and what can be told of one that cannot be read."""

from __future__ import annotations

import json

import pytest

from proxy.protocols.mcpstdio import Era, StdioAsk, begun, id_in, oversized
from proxy.protocols.methods import MODERN

META = {"io.modelcontextprotocol/protocolVersion": MODERN[0]}


def ask(line: bytes | str, era: Era | None = None) -> StdioAsk:
    return StdioAsk("stdio", "crm", line.encode() if isinstance(line, str) else line, 64, era or Era())


@pytest.mark.parametrize(
    ("line", "id"),
    [
        ('[{"jsonrpc":"2.0","id":1,"method":"ping"}]', b""),
        ('{"jsonrpc":"2.0","id":1,"method":"ping","method":"ping"}', b"1"),
        ('{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', b"1"),
        ('{"jsonrpc":"2.0","id":null,"method":"ping"}', b""),
        ('{"jsonrpc":"2.0","id":1.5,"method":"ping"}', b""),
        ('{"jsonrpc":"2.0","id":"x","method":"ping","Params":{}}', b'"x"'),
        ('{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', b"1"),
        ('\ufeff{"jsonrpc":"2.0","id":1,"method":"ping"}', b""),
        ('{"jsonrpc":"2.0","id":1,"result":{},"error":{}}', b""),
        ('{"jsonrpc":"2.0","id":1,"result":[]}', b""),
        ('{"jsonrpc":"2.0","id":1,"resu', b""),
        ("no json", b""),
    ],
)
def test_what_cannot_be_read_is_refused_by_the_id_of_a_request_alone(line: str, id: bytes) -> None:
    said = ask(line)
    assert said.trouble is not None
    assert said.trouble.code == "bad_request"
    assert said.id == id


def test_a_request_says_its_era_by_itself_and_a_notification_by_what_was_before() -> None:
    modern = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}})
    said = ask(modern, begun("s1", "2025-11-25"))
    assert (said.trouble, said.modern, said.session, said.revision) == (None, True, "", MODERN[0])
    legacy = ask('{"jsonrpc":"2.0","id":1,"method":"tools/list"}', Era(revision=MODERN[0]))
    assert not legacy.modern
    told = '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}'
    assert ask(told, Era(revision=MODERN[0])).modern
    assert ask(told, begun("s1", "2025-11-25")).session == "s1"


def test_a_revision_that_is_not_spoken_is_refused_with_those_that_are() -> None:
    meta = {"io.modelcontextprotocol/protocolVersion": "2099-01-01"}
    said = ask(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}))
    assert said.trouble is not None
    assert said.trouble.rpc == -32022  # type: ignore[attr-defined]
    assert said.id == b"1"


def test_a_call_belongs_to_the_run_of_its_process_or_session_and_to_the_trace_that_it_names() -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    meta = {"traceparent": parent}
    said = ask(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"_meta": meta}}), Era(run="r1"))
    assert said.hail().run == "r1"
    assert said.hail().traceparent == parent
    assert begun("secret-id", "2025-11-25").run != begun("other", "2025-11-25").run
    assert "secret-id" not in begun("secret-id", "2025-11-25").run


@pytest.mark.parametrize(
    ("line", "id"),
    [
        (b'{"jsonrpc":"2.0","id":12,"method":"tools/call","params":{"x":"' + b"y" * 9000, b"12"),
        (b'{"method":"tools/call","params":{"id":5,"x":"' + b"y" * 9000 + b'"},"jsonrpc":"2.0","id":"a-1"}', b'"a-1"'),
        (b'{"method":"tools/call","params":{"id":5,"x":"' + b"y" * 9000 + b'"}}', b""),
        (b'{"method":"x\\"y","id":5,"params":"' + b"y" * 9000, b""),
        (b'{"params":{"id":5}}', b""),
        (b'{"id":"\xff","method":"x"}', b""),
        (b'{"id":"a\x01b","method":"x"', b""),
        (b'{"method":"x","id":007}', b""),
        (b"", b""),
    ],
)
def test_the_id_of_a_line_that_is_too_long_is_found_where_clients_write_it(line: bytes, id: bytes) -> None:
    assert id_in(line) == id
    said = StdioAsk("stdio", "crm", line, 64, Era(), oversized(10))
    assert said.id == (id if b'"method"' in line else b"")
