"""Content codings, undone to the byte and bounded to the byte. Through the socket: tests/doors/test_codings.py."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from contextlib import suppress

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from proxy.body import TooLong
from proxy.replies.decoding import Undecodable, decode

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
}


@pytest.mark.parametrize("coding", PACKERS)
@given(data=st.binary(max_size=300))
def test_there_and_back(coding: str, data: bytes) -> None:
    packed = PACKERS[coding](data)
    assert decode(packed, f" {coding.upper()} ", len(data)) == data
    if data:
        with pytest.raises(TooLong):
            decode(packed, coding, len(data) - 1)


@pytest.mark.parametrize("coding", PACKERS)
@given(data=st.binary(min_size=1, max_size=100), cut=st.integers(1, 200))
def test_what_breaks_off_is_never_taken_for_whole(coding: str, data: bytes, cut: int) -> None:
    packed = PACKERS[coding](data)
    if cut < len(packed):
        with pytest.raises(Undecodable):
            decode(packed[:cut], coding, 1_000)


@pytest.mark.parametrize("coding", PACKERS)
@given(data=st.binary(min_size=1, max_size=200))
def test_any_bytes_end_in_bytes_or_a_refusal(coding: str, data: bytes) -> None:
    with suppress(Undecodable, TooLong):
        assert len(decode(data, coding, 1_000)) <= 1_000


def test_no_coding() -> None:
    assert decode(b"a", "", 1) == decode(b"a", "identity", 1) == b"a"
    for coding in ("compress", "gzip, br", "gzip,", "*"):
        with pytest.raises(Undecodable):
            decode(b"a", coding, 1)
