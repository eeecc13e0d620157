"""Heartbeat: comments in the silences of an event stream, never within an event."""

from __future__ import annotations

import asyncio

import pytest

from proxy.transports.heartbeat import COMMENT, Heartbeat

EVERY = 0.05


async def beaten(*pieces: bytes | float) -> bytes:
    """All that goes out where these pieces come, and numbers are silences in seconds."""
    out = bytearray()
    beats = Heartbeat(out.extend, EVERY)
    for piece in pieces:
        if isinstance(piece, bytes):
            out.extend(beats.said(piece))
        else:
            await asyncio.sleep(piece)
    beats.stop()
    await asyncio.sleep(EVERY * 2)
    return bytes(out)


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r\n"])
def test_a_silence_between_events_is_filled(end: bytes) -> None:
    event = b"data: 1" + end
    assert asyncio.run(beaten(event, EVERY * 2.5, event)) == event + COMMENT * 2 + event


@pytest.mark.parametrize("half", [b"data: 1", b"data: 1\n", b"data: 1\r\n", b"d", b": waiting\n", b"data: 1\n\ndata"])
def test_a_half_event_is_left_alone(half: bytes) -> None:
    assert asyncio.run(beaten(half, EVERY * 2.5, b"x\n\n")) == half + b"x\n\n"


def test_an_end_that_comes_byte_by_byte_is_an_end() -> None:
    pieces = [bytes([each]) for each in b"data: 1\r\n\r\n"]
    assert asyncio.run(beaten(*pieces, EVERY * 1.5)) == b"data: 1\r\n\r\n" + COMMENT


def test_what_is_not_silent_is_not_disturbed() -> None:
    event = b"data: 1\n\n"
    busy = [each for _ in range(8) for each in (event, EVERY / 3)]
    assert asyncio.run(beaten(*busy)) == event * 8


def test_the_beginning_is_a_good_place_and_a_mark_of_byte_order_behind_a_beat_goes() -> None:
    event = b"data: 1\n\n"
    assert asyncio.run(beaten(EVERY * 1.5, b"\xef\xbb\xbf" + event)) == COMMENT + event
    assert asyncio.run(beaten(b"\xef\xbb\xbf" + event)) == b"\xef\xbb\xbf" + event
