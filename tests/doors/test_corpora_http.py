"""Differential tests with other people's messages: for each, a backend sees at most one request, framed one way."""

from __future__ import annotations

import asyncio
import base64
import re
from pathlib import Path
from typing import Any

from tests.corpora.shared import corpus
from tests.wire import Wall, perform, wall

AT_ONCE = 24

# The paths of the corpora are put below the backend's prefix, where a tool takes anything.
CONFIG = "bounds: {idle: 400ms, body: 400ms, most_connections: 200}"
TOOLS = """
  word: {says: Read by name., call: "GET /words/{name}", args: {name: {type: string}}}
  root: {says: Take anything., call: POST /, args: {body: {}}, effect: write}
  put: {says: Take anything., call: PUT /, args: {body: {}}, effect: write}
  look: {says: Read the root., call: GET /}
  drop: {says: Drop the root., call: DELETE /, effect: write}
"""


def aimed(record: dict[str, Any], w: Wall) -> bytes:
    """A message of a corpus, sent to this door: its (one) Host and its path are ours, all else stays byte for byte."""
    data = base64.b64decode(record["b64"]) if "b64" in record else record["raw"].encode()
    data, hosts = re.subn(rb"(?im)^(host:[ \t]*)[^\r\n]*", rb"\g<1>" + w.host.encode(), data)
    if not hosts:
        data = data.replace(b"\r\n", b"\r\nHost: " + w.host.encode() + b"\r\n", 1)
    return re.sub(rb"^([A-Z]+ )/[^ ]*( HTTP/1)", rb"\1/crm/\2", data, count=1)


def harmless(probe: bytes) -> bytes:
    """The same head over a body that could be forwarded, if the head were read by its length alone."""
    head = probe.partition(b"\r\n\r\n")[0]
    head = re.sub(rb"(?im)^(content-length:[ \t]*)\d+", rb"\g<1>7", head)
    head = re.sub(rb"(?im)^(content-type:[ \t]*)[^\r\n]*", rb"\g<1>application/json", head)
    return head + b'\r\n\r\n{"a":1}'


async def each(w: Wall, probes: list[bytes]) -> None:
    """All probes, some at once; behind each, on its connection, a marker."""
    marker = w.raw("GET", "/crm/words/marker")
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(probe: bytes) -> None:
        async with gate:
            await w.send(probe + marker, quiet_s=1.0)

    async with asyncio.TaskGroup() as group:
        for probe in probes:
            group.create_task(one(probe))


def is_marker(request: bytes) -> bool:
    return request.startswith(b"GET /api/words/marker HTTP/1.1\r\n")


async def nothing_smuggled(w: Wall, probes: list[bytes]) -> None:
    """At most one request besides the marker for each probe, nothing left over, a Record for each."""
    await each(w, probes)
    others = [request for request in w.backend.requests if not is_marker(request)]
    for request in w.backend.requests:
        head, _, body = request.partition(b"\r\n\r\n")
        assert b"\r\n\r\n" not in body, request
        assert b"HTTP/1" not in body, request
        assert not re.search(rb"(?i)^transfer-encoding", head, re.MULTILINE), request
        assert len(re.findall(rb"(?im)^content-length", head)) <= 1, request
    assert len(others) <= len(probes)
    assert len(w.backend.requests) - len(others) <= len(probes)
    assert w.backend.leftover == b""
    outcomes = [record["outcome"] for record in w.records()]
    assert len([outcome for outcome in outcomes if outcome == "ok"]) == len(w.backend.requests)


def test_smuggling_probes(tmp_path: Path) -> None:
    records = corpus("http/smuggling/te_cl_probes")

    async def play() -> None:
        async with wall(tmp_path, TOOLS, config=CONFIG) as w:
            probes = [aimed(record, w) for record in records]
            await nothing_smuggled(w, probes + [harmless(probe) for probe in probes])

    perform(play())


def test_header_gadgets_as_lines(tmp_path: Path) -> None:
    """Header gadgets of HTTP/2, `name; value` with percent escapes, as lines of HTTP/1.1 before a hidden request."""
    records = corpus("http/smuggling/h2_header_gadgets")

    async def play() -> None:
        async with wall(tmp_path, TOOLS, config=CONFIG) as w:
            probes = []
            for record in records:
                name, _, value = record["gadget"].partition("; ")
                line = re.sub("%([0-9a-fA-F]{2})", lambda found: chr(int(found[1], 16)), f"{name}: {value}")
                head = f"POST /crm/ HTTP/1.1\r\nHost: {w.host}\r\nContent-Type: application/json\r\n"
                hidden = f"0\r\n\r\nGET /crm/words/hidden HTTP/1.1\r\nHost: {w.host}\r\nX: "
                probes.append(f"{head}{line}\r\nContent-Length: 5\r\n\r\n{hidden}".encode("latin-1", "replace"))
            await nothing_smuggled(w, probes)
            # The five bytes `0 CR LF CR LF` are no call of a tool, so nothing can have been read as one.
            assert not any(b"hidden" in request for request in w.backend.requests)

    perform(play())


async def rejected(w: Wall, records: list[dict[str, Any]]) -> list[str]:
    """Ids of records that another parser rejects, and of which something reached the backend."""
    passed = []
    for record in records:
        before = len(w.backend.requests)
        await w.send(aimed(record, w), quiet_s=0.5)
        if len(w.backend.requests) != before:
            passed.append(record["id"])
    return passed


def test_what_llhttp_rejects(tmp_path: Path) -> None:
    records = [one for one in corpus("http/llhttp/messages") if one["kind"] == "request" and not one["lenient"]]

    async def play() -> None:
        async with wall(tmp_path, TOOLS, config=CONFIG) as w:
            assert await rejected(w, [one for one in records if one["error"]]) == []
            await nothing_smuggled(w, [aimed(one, w) for one in records])

    perform(play())


def test_what_gunicorn_rejects(tmp_path: Path) -> None:
    records = [one for one in corpus("http/gunicorn/requests") if not one["needs_config"]]
    # A limit is no matter of form: ours are others, and are played elsewhere.
    wrong = [one for one in records if one["expect"] == "reject" and not str(one["error"]).startswith("Limit")]

    async def play() -> None:
        async with wall(tmp_path, TOOLS, config=CONFIG) as w:
            assert await rejected(w, wrong) == []
            await nothing_smuggled(w, [aimed(one, w) for one in records])

    perform(play())
