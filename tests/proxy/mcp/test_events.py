"""Events of a stream, cut at every byte."""

from __future__ import annotations

import pytest

from proxy.mcp.events import MOST_ID, Event, Events, TooLarge, primed, written

STREAM = (
    b"\xef\xbb\xbfid: 1\nretry: 500\ndata:\r\n\r\n: a comment\n"
    b'data: {"a":\r\ndata: 1}\rid: 2\r\revent: x\nunknown: y\n\ndata: z\nid\n\n:only\n\ndata: never ended\n'
)
SAID = [
    Event(b"", b"1", 500),
    Event(b'{"a":\n1}', b"2"),
    Event(b"", b"2", None, b"x"),
    Event(b"z", b""),
]


def fed(*pieces: bytes, most: int = 1000) -> list[Event]:
    events = Events(most)
    return [event for piece in pieces for event in events.feed(piece)]


def test_events_are_the_same_wherever_the_stream_is_cut() -> None:
    assert fed(STREAM) == SAID
    for at in range(len(STREAM) + 1):
        assert fed(STREAM[:at], STREAM[at:]) == SAID
    assert fed(*(STREAM[at : at + 1] for at in range(len(STREAM)))) == SAID


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_an_event_goes_as_soon_as_it_is_whole(line_end: bytes) -> None:
    events = Events(100)
    assert events.feed(b"data: a" + line_end) == []
    assert events.feed(line_end) == [Event(b"a")]


@pytest.mark.parametrize(
    "pieces",
    [[b"data: " + b"a" * 100], [b"data: a\n"] * 20, [b"a"] * 101, [b": comment comment\n"] * 10],
    ids=["a line", "lines", "bytes", "comments"],
)
def test_an_event_has_a_bound(pieces: list[bytes]) -> None:
    with pytest.raises(TooLarge):
        fed(*pieces, most=90)


@pytest.mark.parametrize("id", [b"a\x00b", b"\xff", b"a" * (MOST_ID + 1), b" padded", b"\x7f"])
def test_an_id_that_cannot_stand_in_a_header_is_none(id: bytes) -> None:
    assert fed(b"id: " + id + b"\ndata: x\n\n", most=5000) == [Event(b"x")]


@pytest.mark.parametrize("retry", [b"-1", b"1.5", b"1" * 20, b""])
def test_a_time_to_wait_is_a_number(retry: bytes) -> None:
    assert fed(b"retry: " + retry + b"\ndata: x\n\n") == [Event(b"x")]


def test_what_is_written_is_read_again() -> None:
    for event in (Event(b'{"a":1}'), Event(b'{\n"a":\r\n1}', b"7", 20)):
        (read,) = fed(written(event.data, event))
        assert (read.data.split(), read.id, read.retry_ms) == (event.data.split(), event.id, event.retry_ms)
    assert fed(primed(Event(b"", b"7", 20))) == [Event(b"", b"7", 20)]
