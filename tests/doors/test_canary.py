"""Secrets are planted wherever a value can stand, and looked for wherever something is written (law 6, F42)."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from proxy.guards.clean import Clean
from proxy.upstream import upstream
from redaction.scanner import Scanner
from tests.doors import house
from tests.proxy.collecting import FakeCollector, collector
from tests.wire import Wall, perform, reply, wall

planted = re.compile(r"Zq[a-z]+77Xw")
TOKEN = "ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4xY7zA0cD3fG6"  # in the form of a credential, made of nothing


def canary(place: str) -> str:
    """A value that means nothing to any scanner, and tells where it was planted."""
    found = f"Zq{place}77Xw"
    assert planted.fullmatch(found)
    return found


HEADERS = [
    *("Authorization", "Accept", "Accept-Language", "If-None-Match", "User-Agent", "Referer", "X-Api-Key"),
    *("X-Tenant", "X-Forwarded-For", "Forwarded", "baggage", "Proxy-Authorization", "Range"),
    *("Toolwall-Idempotency-Key", "tracestate", "traceparent"),
]


def full_of_secrets() -> list[tuple[str, str]]:
    found = [(name, canary("header" + re.sub("[^a-z]", "", name.lower()))) for name in HEADERS]
    cookie = f"session={canary('cookie')}; other={canary('cookieother')}"
    return [*found, ("Cookie", cookie), ("Toolwall-Reason", f"because of {TOKEN} and ann@example.com")]


def body_full_of_secrets(**more: Any) -> bytes:
    return json.dumps(
        {canary("key"): canary("value"), "a": [{canary("deepkey"): canary("deepvalue")}], **more}
    ).encode()


class Leaks:
    """All that was written anywhere while a play went on."""

    def __init__(self, w: Wall, logs: list[str], fake: FakeCollector) -> None:
        self.wall, self.logs, self.fake = w, logs, fake
        self.refusals: list[bytes] = []

    async def send(self, raw: bytes) -> None:
        came = await self.wall.send(raw, quiet_s=2.0)
        if b"Toolwall-Refused" in came:
            self.refusals.append(came)

    async def call(self, method: str, path: str, body: bytes = b"") -> None:
        await self.send(self.wall.raw(method, path, body, full_of_secrets()))

    def written(self) -> dict[str, str]:
        """By place, everything but spans, which leave at the end."""
        return {
            "logs": "\n".join(self.logs),
            "ledger": self.wall.ledger().decode(),
            "metrics": self.wall.sidecar.telemetry.prometheus().decode(),
            "refusals": b"\n".join(self.refusals).decode("latin-1"),
        }


def nothing_leaked(written: dict[str, str]) -> None:
    for place, text in written.items():
        assert not set(planted.findall(text)), place
        assert TOKEN not in text, place
        assert "ann@example.com" not in text, place


def staged(tmp_path: Path, logs: list[str], capfd: pytest.CaptureFixture[str], play: Any, config: str = "") -> None:
    """One play: then nothing that was planted stands in a log, span, metric, ledger, refusal or on standard error."""
    written: dict[str, str] = {}

    async def whole(fake: FakeCollector) -> None:
        setting = f"telemetry: {{otlp: '{fake.url}'}}\nbounds: {{body: 300ms, idle: 1s, connect: 500ms}}\n{config}"
        async with wall(tmp_path, house.TOOLS, house.POLICY, config=setting) as w:
            leaks = Leaks(w, logs, fake)
            await play(leaks)
            written.update(leaks.written())

    with collector() as fake:
        perform(whole(fake))
    assert fake.spans()
    written["spans"] = b"".join(fake.bodies).decode("latin-1") + str(fake.headers)
    captured = capfd.readouterr()
    written["standard error"] = captured.err + captured.out
    nothing_leaked(written)


Written = pytest.CaptureFixture[str]


def test_in_calls_that_are_answered(tmp_path: Path, logs: list[str], capfd: Written) -> None:
    async def play(leaks: Leaks) -> None:
        await leaks.call("GET", f"/crm/words/{canary('path')}")
        await leaks.call("GET", f"/crm/files/{canary('path')}%2F{canary('slash')}")
        await leaks.call("GET", f"/crm/things?q={canary('query')}&tag={canary('tag')}")
        await leaks.call("POST", "/crm/any", body_full_of_secrets())
        await leaks.call("POST", "/crm/things", body_full_of_secrets(name="a", more={}))
        assert len(leaks.wall.backend.requests) == 4
        seen = b"".join(leaks.wall.backend.requests).decode()
        for place in ("path", "slash", "query", "tag", "value", "deepkey", "headerauthorization", "cookie"):
            assert canary(place) in seen

    staged(tmp_path, logs, capfd, play)


def test_in_calls_that_are_refused(tmp_path: Path, logs: list[str], capfd: Written) -> None:
    async def play(leaks: Leaks) -> None:
        text = canary("path")
        for path in (f"/crm/{text}", f"/{text}/things/7", f"/crm/secret?{text}={text}", f"/crm/words/../{text}"):
            await leaks.call("GET", path)
        for path in (f"/crm/things/{text}", f"/crm/things?limit={text}", f"/crm/things?exact={text}"):
            await leaks.call("GET", path)
        for path in (f"/crm/things?{text}=1", f"/crm/things?q={text}&q={text}", f"/crm/things?q={text};a"):
            await leaks.call("GET", path)
        for path in (
            f"/crm/things/7#{text}",
            f"http://{text}.example/",
            f"/crm/words/%{text}",
            f"/crm/words/{text}%2f",
        ):
            await leaks.call("GET", path)
        for body in (
            {"name": [canary("value")]},
            {"name": canary("value") * 50},
            {"name": "a", "more": canary("value")},
            {"name": "a", canary("key"): 1},
            {"Name": canary("value")},
            [canary("value")],
            canary("value"),
        ):
            await leaks.call("POST", "/crm/things", json.dumps(body).encode())
        for raw in (
            f'{{"{canary("key")}":1,"{canary("key")}":2}}',
            f'{{"a":"{canary("value")}",}}',
            f'{{"a":"{canary("value")}\\ud800"}}',
            f'["{canary("value")}",NaN]',
            "[" * 100 + f'"{canary("value")}"' + "]" * 100,
        ):
            await leaks.call("POST", "/crm/any", raw.encode())
        await leaks.call("POST", "/crm/payments", json.dumps({"cents": 5, canary("key"): 1}).encode())
        await leaks.call("POST", "/crm/payments", b'{"cents": 500}')
        await leaks.call("POST", "/crm/payments", b'{"cents": 5}')
        assert len(leaks.refusals) == 29
        assert leaks.wall.backend.requests == []

    staged(tmp_path, logs, capfd, play)


def test_in_messages_that_are_none(tmp_path: Path, logs: list[str], capfd: Written) -> None:
    lines = [
        f"{canary('method')} / HTTP/1.1",
        f"GET /{canary('path')} HTTP/9.9",
        f"GET /{canary('path')} {canary('version')}",
        f"GET http://xn--/{canary('path')} HTTP/1.1",
        f"GET http://[{canary('host')}/ HTTP/1.1",
        f"CONNECT {canary('host')}:x HTTP/1.1",
        f"GET / HTTP/1.1\r\n{canary('name')}",
        f"GET / HTTP/1.1\r\n{canary('name')} : a",
        f"GET / HTTP/1.1\r\nX: a\0{canary('value')}",
        f"GET / HTTP/1.1\r\nX: {canary('value') * 2000}",
        f"GET /{canary('path') * 2000} HTTP/1.1",
        f"GET / HTTP/1.1\r\nContent-Length: {canary('length')}",
        f"GET / HTTP/1.1\r\nTransfer-Encoding: {canary('coding')}",
        f"GET / HTTP/1.1\r\nHost: {canary('host')}",
        f"GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://{canary('origin')}",
        f"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: {canary('upgrade')}",
        f"GET / HTTP/1.1\r\nHost: localhost\r\nExpect: {canary('expect')}",
        f"GET / HTTP/1.1\r\nHost: localhost\r\nToolwall-Run: {canary('run')} x",
    ]

    async def play(leaks: Leaks) -> None:
        for line in lines:
            await leaks.send(line.encode() + b"\r\n\r\n")
        chunked = [("Transfer-Encoding", "chunked"), ("Content-Type", "application/json")]
        head = leaks.wall.raw("POST", "/crm/any", headers=chunked)
        for body in (f"{canary('size')}\r\n", f"2;{canary('ext')}\n\r\n", f"2\r\n{canary('body')}\r\n"):
            await leaks.send(head + body.encode())
        await leaks.send(leaks.wall.raw("POST", "/crm/any", canary("body").encode())[:-2])  # never ends
        assert len(leaks.refusals) == len(lines) + 4
        assert leaks.wall.backend.requests == []

    staged(tmp_path, logs, capfd, play)


REPLIES = [
    reply(canary("body").encode()),
    reply(f'{{"a":"{canary("body")}"'.encode()),
    reply(b"a", kind=f"application/{canary('type')}"),
    reply(b"a", kind=f"text/plain; charset={canary('charset')}"),
    reply(b"a", f"Content-Encoding: {canary('coding')}"),
    reply(canary("body").encode(), "Content-Encoding: gzip"),
    reply(canary("body").encode(), "Content-Encoding: zstd"),
    reply(b"{}", f"ETag: {canary('header')}\rX: y"),
    reply(b"{}", f"{canary('name')}: \x01"),
    reply(b"{}", f"Content-Type: {canary('type')}"),
    reply(b"{}", f"Transfer-Encoding: {canary('coding')}"),
    reply(b"{}", status=f"200 {canary('reason')}\rX: y"),
    reply(b"{}", status=f"2{canary('status')}"),
    reply(f'["{canary("body")}"]'.encode())[:-3],
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + canary("size").encode() + b"\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n" + canary("chunk").encode() + b"\r\n",
    b"HTTP/1.1 101 " + canary("reason").encode() + b"\r\nUpgrade: " + canary("upgrade").encode() + b"\r\n\r\n",
    canary("garbage").encode() + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + canary("line").encode() + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + canary("header").encode() * 3_000 + b"\r\n\r\n",
    None,
]


def once(raw: bytes | None) -> Any:
    async def answer(_: bytes) -> AsyncIterator[bytes]:
        async def pieces() -> AsyncIterator[bytes]:
            if raw:
                yield raw

        return pieces()

    return answer


def test_in_replies_that_are_refused(tmp_path: Path, logs: list[str], capfd: Written) -> None:
    async def play(leaks: Leaks) -> None:
        for raw in REPLIES:
            leaks.wall.backend.answer = once(raw)
            await leaks.call("GET", f"/crm/words/{canary('path')}")
            await leaks.call("POST", "/crm/any", body_full_of_secrets())
            await leaks.call("GET", "/crm/raw")
        assert len(leaks.refusals) > 2 * len(REPLIES)

    staged(tmp_path, logs, capfd, play)


def test_in_errors(tmp_path: Path, logs: list[str], capfd: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    errors = [
        aiohttp.ClientError(canary("client")),
        aiohttp.ClientOSError(5, canary("oserror")),
        ValueError(canary("valueerror")),
        RuntimeError(canary("runtime"), {"key": canary("more")}),
        TimeoutError(canary("timeout")),
        ConnectionResetError(canary("reset")),
        UnicodeDecodeError("utf-8", canary("bytes").encode(), 0, 1, canary("why")),
        KeyError(canary("keyerror")),
        ExceptionGroup(canary("group"), [ValueError(canary("inner"))]),
    ]

    async def play(leaks: Leaks) -> None:
        for error in errors:

            def broken(*_: Any, error: Exception = error, **__: Any) -> Any:
                raise error from ValueError(canary("cause"))

            for owner, name in ((upstream, "final_head"), (Clean, "_cleaned"), (Scanner, "clean_text")):
                with monkeypatch.context() as patch:
                    patch.setattr(owner, name, broken)
                    await leaks.call("GET", f"/crm/words/{canary('path')}")
                    await leaks.call("POST", "/crm/any", body_full_of_secrets())
        assert len(leaks.refusals) == len(errors) * 6

    staged(tmp_path, logs, capfd, play)


def test_in_an_error_in_the_middle_of_a_streamed_reply(
    tmp_path: Path, logs: list[str], capfd: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = [b"a", b"b"]

    async def broken(_: Any) -> bytes:
        if pieces:
            return pieces.pop(0)
        raise RuntimeError(canary("stream"))

    async def play(leaks: Leaks) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(aiohttp.StreamReader, "is_eof", lambda _: False)  # so that it is read piece by piece
            patch.setattr(aiohttp.StreamReader, "readany", broken)
            came = await leaks.wall.send(leaks.wall.raw("GET", "/crm/raw", headers=full_of_secrets()))
        assert not came.endswith(b"0\r\n\r\n")  # it does not look whole
        [record] = leaks.wall.records()
        assert record["code"] == "internal"
        assert record["outcome"] == "refused"
        assert record["executed"] == "unknown"

    staged(tmp_path, logs, capfd, play)


def test_in_calls_whose_agent_leaves(tmp_path: Path, logs: list[str], capfd: Written) -> None:
    async def silence(_: bytes) -> bytes:
        await asyncio.sleep(1)
        return reply()

    async def play(leaks: Leaks) -> None:
        leaks.wall.backend.answer = silence
        for raw in (
            leaks.wall.raw("POST", "/crm/any", body_full_of_secrets(), full_of_secrets())[:-4],
            leaks.wall.raw("POST", "/crm/any", body_full_of_secrets(), full_of_secrets()),
            leaks.wall.raw("GET", f"/crm/words/{canary('path')}", headers=full_of_secrets()),
        ):
            for rudely in (True, False):
                _, writer = await asyncio.open_connection(*leaks.wall.address)
                writer.write(raw)
                await asyncio.sleep(0.05)
                if rudely:
                    writer.transport.abort()
                writer.close()
        await asyncio.sleep(0.1)
        assert [record["outcome"] for record in leaks.wall.records()] == ["client_gone"] * 6

    staged(tmp_path, logs, capfd, play)


def test_where_the_ledger_holds_redacted_arguments(tmp_path: Path, logs: list[str], capfd: Written) -> None:
    async def play(leaks: Leaks) -> None:
        secrets = [("Toolwall-Reason", f"{TOKEN} for ann@example.com"), ("Toolwall-Run", f"{TOKEN}")]
        body = json.dumps({"a": TOKEN, "b": {"ann@example.com": f"to ann@example.com {TOKEN}"}, TOKEN: 1})
        raw = leaks.wall.raw("POST", "/crm/any", body.encode(), secrets)
        await leaks.send(raw)
        await leaks.send(leaks.wall.raw("GET", f"/crm/words/{TOKEN}", headers=secrets[:1]))
        assert len(leaks.wall.records()) == 2

    staged(tmp_path, logs, capfd, play, config="ledger: {arguments: redacted}")


def test_keys_of_agents(tmp_path: Path, logs: list[str]) -> None:
    async def play() -> None:
        keys = "{api_keys: [{id: bot, roles: [support], sha256: '" + "ab" * 32 + "'}]}"
        async with wall(tmp_path, house.TOOLS, house.POLICY, identity=keys) as w:
            came = await w.send(w.raw("GET", "/crm/things/7", headers=full_of_secrets()))
            assert b" 401 " in came
            nothing_leaked({"logs": "\n".join(logs), "ledger": w.ledger().decode(), "refusal": came.decode()})

    perform(play())
