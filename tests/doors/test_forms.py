"""Values in the forms that real answers have them in: each is taken out, nothing else changes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.wire import answering, perform, reply, wall

SECRET = "zq8Wm2xPd7Lk4vRt9"
PNG = b"\x89PNG\r\n\x1a\n\x00\x01\xff"

NBSP, HYPHEN = "\u00a0", "\u2011"
CARD = ["4242"] * 4
TOOLS = "  read: {call: GET /read}"


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("application/json", json.dumps({"a": NBSP.join(CARD)}), '{"a": "<CREDIT_CARD>"}'),
        ("application/json", json.dumps({"a": HYPHEN.join(CARD)}), '{"a": "<CREDIT_CARD>"}'),
        ("text/html", "<p>" + "&nbsp;".join(CARD) + "&nbsp;EUR</p>", "<p>&lt;CREDIT_CARD&gt;&nbsp;EUR</p>"),
        ("text/csv", "id;first_name\n1;Ana\n", "id;first_name\n1;<PERSON>\n"),
        (
            "text/plain",
            '{"first_name":"Ana"}\r\n{"m":"ana\\u0040corp.test","id":18446744073709551617}\n',
            '{"first_name":"<PERSON>"}\r\n{"m":"<EMAIL_ADDRESS>","id":18446744073709551617}\n',
        ),
        ("text/plain", "saved as ana@corp.test.pdf", "saved as <EMAIL_ADDRESS>.pdf"),
    ],
)
@pytest.mark.parametrize("flows", [False, True])
def test_a_value_is_taken_out_in_each_form(tmp_path: Path, kind: str, before: str, after: str, flows: bool) -> None:
    whole = reply(before.encode(), kind=kind)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
    pieces = "".join(f"1\r\n{each}\r\n" for each in before)

    async def play() -> None:
        raw = f"{head}{pieces}0\r\n\r\n".encode() if flows else whole
        async with wall(tmp_path, TOOLS, answer=answering(raw)) as w:
            assert (await w.call("GET", "/crm/read")).body.decode() == after

    perform(play())


def test_a_file_name_that_is_an_address_is_taken_out_of_the_head(tmp_path: Path) -> None:
    async def play() -> None:
        raw = reply(b"{}", 'Content-Disposition: attachment; filename="ana@corp.test.csv"')
        async with wall(tmp_path, TOOLS, answer=answering(raw)) as w:
            told = await w.call("GET", "/crm/read")
            assert told.headers["content-disposition"] == 'attachment; filename="<EMAIL_ADDRESS>.csv"'

    perform(play())


@pytest.mark.parametrize(
    ("kind", "body", "unit", "status"),
    [
        ("text/plain", b"write to ana", "bytes 0-11/40", 502),
        ("text/plain", b"write to ana", "", 502),
        ("application/json", b'"4242424242"', "bytes 0-11/40", 502),
        ("image/png", b"write to ana", "bytes 0-11/40", 502),
        ("multipart/byteranges; boundary=b", b"--b\r\nContent-Type: text/plain\r\n\r\nana\r\n--b--\r\n", "", 502),
        ("image/png", PNG, "bytes 0-10/40", 206),
        ("application/json", b'[{"id": 1}]', "items 0-24/80", 206),
        ("application/json", b'[{"id": 1}]', "0-24/80", 206),
    ],
)
@pytest.mark.parametrize("flows", [False, True])
def test_a_range_of_bytes_shows_no_half_of_a_value(
    tmp_path: Path, kind: str, body: bytes, unit: str, status: int, flows: bool
) -> None:
    said = [f"Content-Range: {unit}"] if unit else []
    raw = reply(body, *said, status="206 Partial Content", kind=kind)
    if flows:
        raw = raw.replace(f"Content-Length: {len(body)}".encode(), b"Connection: close")

    async def answer(_: bytes) -> bytes | AsyncIterator[bytes]:
        return _once(raw) if flows else raw

    async def play() -> None:
        async with wall(tmp_path, TOOLS, answer=answer, backend_keys="reply: {binary: pass}") as w:
            told = await w.call("GET", "/crm/read")
            assert told.status == status
            assert (told.body == body) == (status == 206)

    perform(play())


async def _once(raw: bytes) -> AsyncIterator[bytes]:
    yield raw


@pytest.mark.parametrize("redact", ["standard", "'off'"])
def test_a_range_of_bytes_shows_no_half_of_a_known_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redact: str
) -> None:
    monkeypatch.setenv("KNOWN", SECRET)
    raw = reply(
        PNG + SECRET[:9].encode(), "Content-Range: bytes 0-19/40", status="206 Partial Content", kind="image/png"
    )

    async def play() -> None:
        keys = f"reply: {{redact: {redact}, on_error: pass}}"
        config = 'known_secrets: ["env:KNOWN"]'
        async with wall(tmp_path, TOOLS, answer=answering(raw), backend_keys=keys, config=config) as w:
            told = await w.call("GET", "/crm/read")
            assert told.status == 502
            assert SECRET[:9].encode() not in told.raw

    perform(play())
