"""Compressed replies: undone within bounds, or refused (F26, S6)."""

from __future__ import annotations

import gzip
import io
import resource
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard

from tests.wire import Stage, Wall, answering, reply

PLAIN = b'{"mail": "ann@example.com", "n": 1}'
CLEAN = b'{"mail": "<EMAIL_ADDRESS>", "n": 1}'


def deflate(data: bytes) -> bytes:
    raw = zlib.compressobj(wbits=-15)
    return raw.compress(data) + raw.flush()


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def unsized_zstd(data: bytes) -> bytes:
    whole = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    return whole.compress(data) + whole.flush()


CODINGS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("GZip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", deflate),
    ("br", brotli.compress),
    ("zstd", zstd),
    ("zstd", unsized_zstd),
    ("identity", bytes),
]


@pytest.mark.parametrize(("coding", "pack"), CODINGS)
def test_a_compressed_reply_is_read(door: Stage, coding: str, pack: Callable[[bytes], bytes]) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = answering(reply(pack(PLAIN), f"Content-Encoding: {coding}"))
        told = await w.tell("GET", "/crm/things/7")
        assert told.reply.body == CLEAN
        assert "content-encoding" not in told.reply.headers
        assert told.reply.headers["content-length"] == str(len(CLEAN))
        assert told.record["redactions"] == {"EMAIL_ADDRESS": 1}

    door.run(play)


def test_members_and_frames_one_behind_the_other(door: Stage) -> None:
    async def play(w: Wall) -> None:
        half = len(PLAIN) // 2
        for coding, pack in (("gzip", gzip.compress), ("zstd", zstd), ("zstd", unsized_zstd)):
            two = pack(PLAIN[:half]) + pack(b"") + pack(PLAIN[half:])
            w.backend.answer = answering(reply(two, f"Content-Encoding: {coding}"))
            told = await w.tell("GET", "/crm/things/7")
            assert told.reply.body == CLEAN

    door.run(play)


UNREADABLE = [
    ("gzip", PLAIN),
    ("deflate", PLAIN),
    ("br", PLAIN),
    ("zstd", PLAIN),
    ("gzip", brotli.compress(PLAIN)),
    ("br", gzip.compress(PLAIN, mtime=0)),
    ("zstd", gzip.compress(PLAIN, mtime=0)),
    ("gzip", gzip.compress(PLAIN, mtime=0)[:-1]),
    ("gzip", gzip.compress(PLAIN, mtime=0)[:-9]),
    ("gzip", gzip.compress(PLAIN, mtime=0)[:12]),
    ("gzip", gzip.compress(PLAIN, mtime=0)[:-5] + b"\0\0\0\0\0"),
    ("gzip", gzip.compress(PLAIN, mtime=0) + b"garbage"),
    ("gzip", gzip.compress(PLAIN, mtime=0) + b"\0\0\0"),
    ("gzip", gzip.compress(b"", mtime=0) * 1_000),
    ("deflate", zlib.compress(PLAIN)[:-1]),
    ("deflate", zlib.compress(PLAIN) + b"garbage"),
    ("deflate", deflate(PLAIN)[:-1]),
    ("br", brotli.compress(PLAIN)[:-1]),
    ("br", brotli.compress(PLAIN) + b"garbage"),
    ("zstd", zstd(PLAIN)[:-1]),
    ("zstd", zstd(PLAIN) + b"garbage"),
    ("zstd", unsized_zstd(PLAIN)[:-3]),
    ("zstd", zstd(b"") * 1_000),
    ("gzip, deflate", gzip.compress(zlib.compress(PLAIN), mtime=0)),
    ("gzip, gzip", gzip.compress(gzip.compress(PLAIN, mtime=0), mtime=0)),
    ("gzip, identity", gzip.compress(PLAIN, mtime=0)),
    ("compress", PLAIN),
    ("aws-chunked", PLAIN),
    ("utf-8", PLAIN),
    ("gzip;q=1", gzip.compress(PLAIN, mtime=0)),
]


@pytest.mark.parametrize(("coding", "body"), UNREADABLE)
def test_what_cannot_be_undone_is_refused(door: Stage, coding: str, body: bytes) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = answering(reply(body, f"Content-Encoding: {coding}"))
        told = await w.tell("GET", "/crm/things/7")
        assert told.reply.json["code"] == told.record["code"] == "reply_refused"

    door.run(play)


@pytest.mark.parametrize("pack", [gzip.compress, deflate, brotli.compress, zstd])
def test_a_coding_that_nobody_named(door: Stage, pack: Callable[[bytes], bytes]) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = answering(reply(pack(PLAIN)))
        assert (await w.tell("GET", "/crm/things/7")).record["code"] == "reply_refused"

    door.run(play)


def gzip_bomb(size: int) -> bytes:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=9) as file:
        for _ in range(size >> 20):
            file.write(bytes(1 << 20))
    return packed.getvalue()


def brotli_bomb(size: int) -> bytes:
    packer = brotli.Compressor(quality=9)
    return b"".join([*(packer.process(bytes(1 << 20)) for _ in range(size >> 20)), packer.finish()])


def zstd_bomb(size: int) -> bytes:
    packer = zstandard.ZstdCompressor(level=9).compressobj()
    return b"".join([*(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)), packer.flush()])


def many_members(_: int) -> bytes:
    return gzip.compress(b"", mtime=0) * 100_000


BOMBS = [("gzip", gzip_bomb), ("br", brotli_bomb), ("zstd", zstd_bomb), ("gzip", many_members)]


@pytest.mark.parametrize(("coding", "pack"), BOMBS)
@pytest.mark.parametrize("size", [pytest.param(256 << 20), pytest.param(10 << 30, marks=pytest.mark.full)])
def test_a_bomb_is_refused_in_little_memory(door: Stage, coding: str, pack: Callable[[int], bytes], size: int) -> None:
    bomb = pack(size)
    raw = reply(bomb, f"Content-Encoding: {coding}")

    async def play(w: Wall) -> None:
        w.backend.answer = answering(raw)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for path in ("/crm/things/7", "/crm/small"):
            told = await w.tell("GET", path)
            assert told.record["code"] == "reply_refused"
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown * 1024 < 2 * len(raw) + (48 << 20)

    door.run(play)


def test_a_zstd_window_that_is_too_large(door: Stage) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    packer = zstandard.ZstdCompressor(
        compression_params=parameters,
    ).compressobj()
    packed = packer.compress(PLAIN) + packer.flush()

    async def play(w: Wall) -> None:
        w.backend.answer = answering(reply(packed, "Content-Encoding: zstd"))
        assert (await w.tell("GET", "/crm/things/7")).record["code"] == "reply_refused"

    door.run(play)


def test_an_empty_body_needs_no_coding(door: Stage) -> None:
    async def play(w: Wall) -> None:
        for coding in ("gzip", "br", "unheard-of"):
            w.backend.answer = answering(reply(b"", f"Content-Encoding: {coding}"))
            told = await w.tell("GET", "/crm/things/7")
            assert told.reply.status == 200
            assert told.reply.body == b""

    door.run(play)


def test_a_compressed_reply_that_nobody_looks_at_passes_as_it_is(door: Stage) -> None:
    async def play(w: Wall) -> None:
        packed = gzip.compress(PLAIN, mtime=0)
        w.backend.answer = answering(reply(packed, "Content-Encoding: gzip"))
        told = await w.tell("GET", "/crm/raw")
        assert told.reply.body == packed
        assert told.reply.headers["content-encoding"] == "gzip"
        assert told.reply.headers["toolwall-unchecked"] == "clean"

    door.run(play)
