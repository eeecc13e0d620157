"""Framing of replies (RFC 9112): how a body that goes out in pieces ends, and whether the connection goes on."""

from __future__ import annotations


def connection(version: tuple[int, ...], keep: bool) -> str:
    """The `Connection` line (RFC 9112, 9.3): what the version does by itself is not said."""
    if keep == (version >= (1, 1)):
        return ""
    return "Connection: keep-alive\r\n" if keep else "Connection: close\r\n"


def chunks(chunked: bool) -> str:
    """The line that says that a body comes in chunks, where it does."""
    return "Transfer-Encoding: chunked\r\n" if chunked else ""


def chunk(piece: bytes) -> bytes:
    """One piece of a chunked body (RFC 9112, 7.1). It is not empty."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def last_chunk(trailers: list[tuple[str, str]]) -> bytes:
    """The end of a chunked body (RFC 9112, 7.1.2)."""
    return b"0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in trailers).encode() + b"\r\n"
