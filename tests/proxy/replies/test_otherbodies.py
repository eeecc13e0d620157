"""Bodies that are no text, through the socket: withheld, passed and marked, or told of."""

from __future__ import annotations

import gzip
import json
from hashlib import sha256
from pathlib import Path

import pytest

from tests.wire import Told, answering, perform, reply, wall

TOOLS = """
  no: {says: Read., call: GET /refuse}
  pass: {says: Read., call: GET /pass, reply: {binary: pass}}
  hash: {says: Read., call: GET /hash, reply: {binary: hash}}
"""
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\x01 ann@example.com \xff\xfe"
TEXT, HID = b'{"a": "ann@example.com", "n": 1.10}', b'{"a": "<EMAIL_ADDRESS>", "n": 1.10}'
TYPES = ["image/png", "application/pdf", "application/octet-stream", "video/mp4", "application/zip"]


def asked(
    folder: Path, *asks: tuple[str, bytes, str], status: str = "200 OK", headers: tuple[str, ...] = ()
) -> list[Told]:
    told: list[Told] = []

    async def play() -> None:
        async with wall(folder, TOOLS) as w:
            for path, body, kind in asks:
                w.backend.answer = answering(reply(body, *headers, status=status, kind=kind))
                told.append(await w.tell("GET", f"/crm/{path}"))

    perform(play())
    return told


@pytest.mark.parametrize("kind", TYPES)
def test_what_is_no_text_as_the_tool_says(kind: str, tmp_path: Path) -> None:
    refused, passed, told = asked(tmp_path, ("refuse", PNG, kind), ("pass", PNG, kind), ("hash", PNG, kind))
    assert refused.reply.status == 502
    assert refused.reply.headers["toolwall-refused"] == "reply_refused"
    assert PNG not in refused.reply.body
    assert (passed.reply.body, passed.reply.headers["content-type"]) == (PNG, kind)
    assert passed.reply.headers["toolwall-unchecked"] == "clean"
    assert passed.record["passed_unchecked"] == ["clean"]
    assert told.reply.json == {"sha256": sha256(PNG).hexdigest(), "bytes": len(PNG), "media_type": kind}
    assert told.reply.headers["content-type"] == "application/json"
    assert "toolwall-unchecked" not in told.reply.headers
    assert "clean" in told.record["checks"]


def test_text_under_a_lying_type_never_passes_unseen(tmp_path: Path) -> None:
    wide = TEXT.decode().encode("utf-16")
    latin = "Müller, ann@example.com".encode("latin-1")
    json_, text, old, refused = asked(
        tmp_path,
        ("pass", TEXT, "image/png"),
        ("pass", b"to ann@example.com", "application/octet-stream"),
        ("pass", latin, "image/gif"),
        ("pass", wide, "image/png"),
    )
    assert (json_.reply.body, json_.record["redactions"]) == (HID, {"EMAIL_ADDRESS": 1})
    assert "toolwall-unchecked" not in json_.reply.headers
    assert text.reply.body == b"to <EMAIL_ADDRESS>"
    assert old.reply.body == "Müller, <EMAIL_ADDRESS>".encode("latin-1")
    assert refused.reply.headers["toolwall-refused"] == "reply_refused"


def test_types_that_are_text_are_never_binary(tmp_path: Path) -> None:
    for told in asked(tmp_path, ("pass", PNG, "application/json"), ("hash", PNG, "text/plain"), ("pass", PNG, "")):
        assert told.reply.headers["toolwall-refused"] == "reply_refused"


def test_content_codings(tmp_path: Path) -> None:
    packed = gzip.compress(PNG)
    both = ("pass", packed, "image/png"), ("hash", packed, "image/png")
    passed, told = asked(tmp_path, *both, headers=("Content-Encoding: gzip", 'ETag: "x"'))
    assert (passed.reply.body, passed.reply.headers["content-encoding"]) == (packed, "gzip")
    assert told.reply.json["sha256"] == sha256(PNG).hexdigest()
    assert not {"content-encoding", "etag"} & set(told.reply.headers)
    part, *_ = asked(tmp_path, ("hash", PNG, "image/png"), status="206 Partial Content")
    assert part.reply.headers["toolwall-refused"] == "reply_refused"


def multipart(*parts: tuple[str, bytes], end: bytes = b"\r\n") -> bytes:
    form = b"--mark\r\nContent-Type:  %b\r\nContent-Disposition: form-data; name=x\r\n\r\n%b\r\n"
    return b"".join(form % (kind.encode(), data) for kind, data in parts) + b"--mark--" + end


@pytest.mark.parametrize("kind", ["mixed", "form-data", "related; type=a", "byteranges"])
def test_multipart_is_cleaned_part_by_part(kind: str, tmp_path: Path) -> None:
    media_type = f"multipart/{kind}; boundary=mark"
    some = multipart(
        ("application/json", TEXT), ("text/plain; charset=utf-8", b"to ann@example.com"), ("text/csv", b"a,b\r\n")
    )
    none = multipart(("application/json", b'{"a": 1.10}'), ("text/plain", b""), end=b"")
    withimage = multipart(("application/json", TEXT), ("image/png", PNG))
    cleaned, same, refused, passed, told = asked(
        tmp_path,
        ("refuse", some, media_type),
        ("refuse", none, media_type),
        ("refuse", withimage, media_type),
        ("pass", withimage, media_type),
        ("hash", withimage, media_type),
    )
    assert cleaned.reply.body == some.replace(b"ann@example.com", b"<EMAIL_ADDRESS>")
    assert cleaned.record["redactions"] == {"EMAIL_ADDRESS": 2}
    assert same.reply.body == none
    assert refused.reply.headers["toolwall-refused"] == "reply_refused"
    assert passed.reply.body == withimage.replace(TEXT, HID)
    assert passed.record["passed_unchecked"] == ["clean"]
    assert passed.record["redactions"] == {"EMAIL_ADDRESS": 1}
    assert PNG not in told.reply.body
    assert json.dumps(sha256(PNG).hexdigest()).encode() in told.reply.body
    assert b"Content-Type: application/json\r\n" in told.reply.body


def test_loose_multipart_is_withheld(tmp_path: Path) -> None:
    body = multipart(("text/plain", b"to ann@example.com"))
    nested = multipart(("multipart/mixed; boundary=b", b"--b\r\n\r\nx\r\n--b--"))
    for told in asked(
        tmp_path,
        ("pass", body, "multipart/mixed"),
        ("pass", b"before\r\n" + body, "multipart/mixed; boundary=mark"),
        ("pass", body + b"behind", "multipart/mixed; boundary=mark"),
        ("hash", nested, "multipart/mixed; boundary=mark"),
    ):
        assert told.reply.headers["toolwall-refused"] == "reply_refused"
        assert b"ann@" not in told.reply.body
