"""No sink shows a credential that the sidecar sends, also where the backend says it back (law 6, F13)."""

from __future__ import annotations

import asyncio
import gzip
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from proxy.repeats import Repeats
from tests.proxy.collecting import collector
from tests.redaction.test_known import TYPES, WAYS
from tests.wire import ALONE, Answer, Stage, Wall, answering, perform, reply, staged, wall

CANARY = 'kQ7-31aZ/wU"9+e'
USER, PASSWORD = "svc-crm", "hR4-88bXq/7Zp"
PAIR = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
TOOLS = """
  get: {says: Read., call: GET /x, reply: {redact: standard}}
  raw: {says: Read as it is., call: GET /raw, reply: {redact: "off"}}
  lax: {says: Read., call: GET /lax, reply: {redact: standard, on_error: pass}}
  put: {says: Write., call: PUT /x, effect: write, args: {key: {type: string}}}
"""
PATHS = ["/crm/x", "/crm/raw", "/crm/lax"]
MOSTLY = ["application/json", "text/plain", "text/event-stream", "text/html"]
FORMS = [
    pytest.param(path, kind, marks=() if kind in MOSTLY and path == PATHS[0] else pytest.mark.full)
    for path in PATHS
    for kind in TYPES
]


def keys(folder: Path) -> str:
    (folder / "key").write_text(CANARY)
    (folder / "user").write_text(USER)
    (folder / "password").write_text(PASSWORD)
    basic = f"{{file: {{username: {folder}/user, password: {folder}/password}}, send: basic}}"
    return f"credential: [{{file: {folder}/key, send: {{header: X-Key}}}}, {basic}]\n{ALONE}"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("injected")
    with staged(folder, TOOLS, backend_keys=keys(folder), config="ledger: {arguments: redacted}\n") as made:
        yield made


def survivors(told: bytes) -> list[str]:
    ways = {**WAYS, "raw": str}
    found = [way for way, write in ways.items() if write(CANARY).encode() in told or write(PASSWORD).encode() in told]
    return found + [each for each in (PAIR, PAIR[12:]) if each.encode() in told]


@pytest.mark.parametrize("path", PATHS)
def test_the_backend_does_get_it(stage: Stage, path: str) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell("GET", path)
        assert f"\r\nx-key: {CANARY}\r\n".encode() in told.reached[0]
        assert f"\r\nauthorization: Basic {PAIR}\r\n".encode() in told.reached[0]

    stage.run(play)


@pytest.mark.parametrize(("path", "media_type"), FORMS)
def test_no_answer_holds_it_in_any_encoding(stage: Stage, path: str, media_type: str) -> None:
    async def play(w: Wall) -> None:
        for write in WAYS.values():
            for secret in (CANARY, PASSWORD):
                w.sidecar.firewall.repeats = Repeats()
                w.backend.answer = answering(reply(TYPES[media_type](write(secret)).encode(), kind=media_type))
                told = await w.tell("GET", path)
                assert survivors(told.reply.raw) == []
                assert told.record.get("leaked") == ["crm"], (write(secret), told)
                assert survivors(json.dumps(told.record, ensure_ascii=False).encode()) == []

    stage.run(play)


def errors(value: str) -> list[bytes]:
    page = f"<html><body><h1>401</h1><pre>no such key: {value}</pre></body></html>".encode()
    return [
        reply(page, status="401 Unauthorized", kind="text/html"),
        reply(page, status="500 Oops", kind="text/html"),
        reply(json.dumps({"error": f"key {value} is wrong"}).encode(), status="403 Forbidden"),
        reply(b"{}", f"WWW-Authenticate: Bearer realm={value}", status="401 Unauthorized"),
        reply(b"{}", f"ETag: {value}", f"Link: </api/x?key={value}>; rel=next"),
        reply(b"{}", f"Location: /api/x?key={value}", status="302 Found"),
        reply(gzip.compress(f'["{value}"]'.encode()), "Content-Encoding: gzip"),
    ]


ECHOES: dict[str, Callable[[str], str]] = {
    "plain": lambda value: value.replace('"', ""),
    "base64": lambda value: b64encode(value.encode()).decode(),
    "base64url": lambda value: urlsafe_b64encode(b"x" + value.encode() + b"yz").decode(),
    "percent": lambda value: quote(value, safe=""),
    "json": lambda value: "".join(f"\\u{ord(letter):04x}" for letter in value),
    "hex": lambda value: value.encode().hex(),
}


@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("path", PATHS)
def test_errors_headers_and_redirects_hold_it_neither(stage: Stage, path: str, echo: str) -> None:
    async def play(w: Wall) -> None:
        shown = ECHOES[echo](PASSWORD)
        for answer in errors(shown):
            w.backend.answer = answering(answer)
            told = await w.tell("GET", path)
            assert shown.encode() not in told.reply.raw, answer
            assert survivors(told.reply.raw) == []
            assert survivors(w.ledger()) == []

    stage.run(play)


def in_two(value: str, kind: str, at: int) -> Answer:
    async def answer(_: bytes) -> AsyncIterator[bytes]:
        async def pieces() -> AsyncIterator[bytes]:
            text = f"data: see {value} there\n\n" if kind == "text/event-stream" else f"see {value} there\n"
            data = text.encode()
            cut = data.index(value.encode()) + at
            yield f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
            for part in (data[:cut], data[cut:]):
                yield f"{len(part):x}\r\n".encode() + part + b"\r\n"
                await asyncio.sleep(0.005)
            yield b"0\r\n\r\n"

        return pieces()

    return answer


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", ["text/plain", "text/event-stream", "application/json", "text/html"])
def test_it_is_found_across_two_chunks(stage: Stage, path: str, kind: str) -> None:
    async def play(w: Wall) -> None:
        for write in (str, lambda value: b64encode(value.encode()).decode(), lambda value: quote(value, safe="")):
            for at in (1, 7, len(write(PASSWORD)) - 1):
                w.backend.answer = in_two(write(PASSWORD), kind, at)
                told = await w.tell("GET", path)
                assert write(PASSWORD)[1:-1].encode() not in told.reply.body
                assert told.record["leaked"] == ["crm"]

    stage.run(play)


@pytest.mark.parametrize("path", PATHS)
def test_where_it_cannot_be_taken_out_nothing_is_shown_and_the_alarm_is_raised(stage: Stage, path: str) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = answering(reply(b"\x89PNG\xff" + PASSWORD.encode(), kind="image/png"))
        told = await w.tell("GET", path)
        assert (told.reply.status, told.reply.json["code"]) == (502, "reply_refused")
        assert told.record["leaked"] == ["crm"]
        assert survivors(told.reply.raw) == []

    stage.run(play)


def test_an_agent_that_has_it_cannot_send_it_on(stage: Stage) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell("PUT", "/crm/x", json.dumps({"key": CANARY}).encode())
        assert told.reached == []
        assert told.reply.json["executed"] == "no"
        told_too = await w.tell("GET", "/crm/x", headers=[("Toolwall-Run", PASSWORD.replace("/", "."))])
        assert told_too.reply.status == 200  # which is another text
        assert survivors(told.reply.raw + w.ledger()) == []

    stage.run(play)


def test_an_answer_without_it_stays_byte_for_byte_and_raises_nothing(stage: Stage) -> None:
    async def play(w: Wall) -> None:
        body = b'{ "n":1.10, "p":"50%25", "svc-crm": 1 }'
        w.backend.answer = answering(reply(body))
        told = await w.tell("GET", "/crm/raw")
        assert told.reply.body == body
        assert "leaked" not in told.record

    stage.run(play)


def test_no_sink_shows_one(tmp_path: Path, logs: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """Logs, spans, metrics, ledger, refusals, standard error: in good answers, errors, silence and broken replies."""
    written: dict[str, bytes] = {}
    answers = [
        reply(json.dumps({"a": CANARY, "b": PASSWORD}).encode()),
        *errors(PASSWORD),
        reply(PASSWORD.encode(), kind="image/png"),
        reply(PASSWORD.encode(), "Content-Encoding: gzip"),
        reply(b"{}", f"X: {PASSWORD}\rY: 1"),
        reply(b"{}", status=f"200 {PASSWORD}"),
        f"{PASSWORD}\r\n\r\n".encode(),
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{PASSWORD}\r\n".encode(),
        None,
    ]

    async def play(url: str) -> None:
        config = f"telemetry: {{otlp: '{url}'}}\nledger: {{arguments: redacted}}\nbounds: {{connect: 300ms}}\n"
        async with wall(tmp_path, TOOLS, backend_keys=keys(tmp_path), config=config) as w:
            came = []
            for answer in answers:
                w.backend.answer = answering(answer)
                theirs = [("Authorization", f"Basic {PAIR}")]
                came += [await w.send(w.raw("GET", path, headers=theirs)) for path in PATHS]
                came.append(await w.send(w.raw("PUT", "/crm/x", b'{"key": "a"}')))
            assert len(w.backend.requests) >= 4 * len(answers) - 4
            written["answers"] = b"\n".join(came)
            written["ledger"] = w.ledger()
            written["metrics"] = w.sidecar.telemetry.prometheus()

    with collector() as fake:
        perform(play(fake.url))
    assert fake.spans()
    written["spans"] = b"".join(fake.bodies) + str(fake.headers).encode()
    captured = capfd.readouterr()
    written["logs"] = "\n".join([*logs, captured.err, captured.out]).encode()
    assert {place: survivors(text) for place, text in written.items()} == {place: [] for place in written}
    assert b'toolwall_credential_leaks_total{toolwall_backend="crm"}' in written["metrics"]
    assert b"held the credential of crm" in written["logs"]
