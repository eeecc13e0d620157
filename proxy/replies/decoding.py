"""Content codings of replies (RFC 9110, 8.4): undone within bounds, so that nothing passes that was not read."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import brotli
import zstandard

from proxy.body import TooLong

# Windows larger than 8 MiB are not to be supported by web decoders (RFC 8878, 3.1.1.1.2; RFC 9659).
_ZSTD_WINDOW = 8 * 1024 * 1024
# A body of thousands of tiny members costs time out of all proportion to its size.
_MOST_MEMBERS = 64


class Undecodable(Exception):
    """A body is not in the coding that its header names, or in none that can be undone."""


def decode(data: bytes, coding: str, most: int) -> bytes:
    """The body behind one content coding. Raises Undecodable, or TooLong beyond `most` bytes."""
    name = coding.strip().lower()
    if name in ("", "identity"):
        return data
    decoder = _DECODERS.get(name)
    if decoder is None:
        raise Undecodable("the reply has a content coding that cannot be undone")
    if not data:
        return data
    try:
        return decoder(data, most)
    except (zlib.error, brotli.error, zstandard.ZstdError, EOFError):
        raise Undecodable("the reply is not in the content coding that it names") from None


def _gzip(data: bytes, most: int) -> bytes:
    pieces, size = [], 0
    for _ in range(_MOST_MEMBERS):
        piece, data = _inflate(data, most - size, 31)
        pieces.append(piece)
        size += len(piece)
        if not data:
            return b"".join(pieces)
    raise Undecodable("the reply has too many gzip members")


def _deflate(data: bytes, most: int) -> bytes:
    # The name means zlib (RFC 9110, 8.4.1.2), yet some servers send the bare stream; the first byte tells them apart.
    piece, rest = _inflate(data, most, 15 if data[0] & 0x0F == 8 else -15)
    if rest:
        raise Undecodable("the reply has bytes after its end")
    return piece


def _inflate(data: bytes, most: int, window: int) -> tuple[bytes, bytes]:
    inflater = zlib.decompressobj(window)
    piece = inflater.decompress(data, most + 1)
    if len(piece) > most:
        raise TooLong
    if not inflater.eof:
        raise EOFError
    return piece, inflater.unused_data


def _brotli(data: bytes, most: int) -> bytes:
    decompressor, pieces, size = brotli.Decompressor(), [], 0
    piece = decompressor.process(data, output_buffer_limit=most + 1)
    while True:
        pieces.append(piece)
        size += len(piece)
        if size > most:
            raise TooLong
        if decompressor.is_finished():
            return b"".join(pieces)
        if not piece:
            raise EOFError
        piece = decompressor.process(b"", output_buffer_limit=most + 1 - size)


def _zstd(data: bytes, most: int) -> bytes:
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    with decompressor.stream_reader(data, read_across_frames=True) as reader:
        if len(reader.read(most + 1)) > most:
            raise TooLong
    # The reader is bounded but silent about a stream that breaks off; now that the size is known, this one tells.
    pieces = []
    for _ in range(_MOST_MEMBERS):
        frame = decompressor.decompressobj()
        pieces.append(frame.decompress(data))
        if not frame.eof:
            raise EOFError
        data = frame.unused_data
        if not data:
            return b"".join(pieces)
    raise Undecodable("the reply has too many frames")


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
