"""Framing of replies."""

from __future__ import annotations

import pytest

from proxy.transports.framing import chunk, chunks, connection, last_chunk


def test_a_chunk_says_its_size_in_hex() -> None:
    assert chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"
    assert last_chunk([]) == b"0\r\n\r\n"
    assert last_chunk([("A", "b"), ("C", "d")]) == b"0\r\nA: b\r\nC: d\r\n\r\n"
    assert (chunks(True), chunks(False)) == ("Transfer-Encoding: chunked\r\n", "")


@pytest.mark.parametrize(
    ("version", "keep", "line"),
    [
        ((1, 1), True, ""),
        ((1, 1), False, "Connection: close\r\n"),
        ((1, 0), True, "Connection: keep-alive\r\n"),
        ((1, 0), False, ""),
    ],
)
def test_only_what_the_version_does_not_do_by_itself_is_said(version: tuple[int, int], keep: bool, line: str) -> None:
    assert connection(version, keep) == line
