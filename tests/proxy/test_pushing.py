"""Checkpoints on their way elsewhere: the newest arrives as soon as somebody takes it, and nobody waits for that."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from proxy import pushing
from proxy.pushing import Pusher, pusher_to
from tests.proxy.collecting import closed_port, collector


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushing, "FIRST_BACKOFF_S", 0.05)


@contextmanager
def pushing_to(url: str, **headers: str) -> Iterator[Pusher]:
    pusher = pusher_to(url, headers)
    pusher.begin()
    try:
        yield pusher
    finally:
        pusher.close()


def until(so: Callable[[], object], within_s: float = 5.0) -> None:
    give_up = time.monotonic() + within_s
    while not so():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_each_arrives_in_turn() -> None:
    with collector() as fake, pushing_to(f"{fake.url}/audit", Authorization="Bearer k") as pusher:
        for number in (1, 2, 3):
            pusher.put(number, b"line %d\n" % number)
            until(lambda number=number: pusher.pushed == number)
        assert (fake.paths, fake.bodies) == (["/audit"] * 3, [b"line 1\n", b"line 2\n", b"line 3\n"])
        assert fake.headers[0]["Authorization"] == "Bearer k"
        assert pusher.trouble == ""


def test_what_is_not_taken_is_sent_again_until_it_is(caplog: pytest.LogCaptureFixture) -> None:
    with collector((503, 404, 500)) as fake, pushing_to(fake.url, key="canary") as pusher:
        pusher.put(7, b"line")
        until(lambda: pusher.trouble)
        assert "does not take them (" in pusher.trouble
        until(lambda: pusher.pushed == 7)
        assert fake.bodies == [b"line"] * 4
        assert pusher.trouble == ""
    assert len(caplog.records) == 1  # told once, not for each try
    assert "does not take them: 503" in caplog.text
    assert "canary" not in caplog.text


def test_the_waits_between_two_tries_grow() -> None:
    started = time.monotonic()
    with collector((500,) * 4) as fake, pushing_to(fake.url) as pusher:
        pusher.put(1, b"line")
        until(lambda: pusher.pushed == 1)
        assert len(fake.bodies) == 5
    assert time.monotonic() - started > 0.05 + 0.1 + 0.2 + 0.4


def test_a_place_that_is_not_there_is_told() -> None:
    with closed_port() as nobody, pushing_to(nobody) as pusher:
        pusher.put(1, b"line")
        until(lambda: pusher.trouble)
        assert pusher.trouble == "the place of the checkpoints does not take them (ConnectionRefusedError)"


def test_of_those_that_wait_only_the_newest_is_sent() -> None:
    with collector(hanging=True) as fake, pushing_to(fake.url) as pusher:
        pusher.put(1, b"line 1")
        until(lambda: fake.headers)
        before = time.monotonic()
        for number in range(2, 10_000):
            pusher.put(number, b"line %d" % number)
        assert time.monotonic() - before < 1
        pusher.put(5, b"an older one")
        fake.go_on.set()
        until(lambda: pusher.pushed == 9_999)
        assert fake.bodies == [b"line 1", b"line 9999"]


def test_a_place_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushing, "LATE_S", 0.1)
    with collector(hanging=True) as fake, pushing_to(fake.url) as pusher:
        pusher.put(1, b"line")
        assert pusher.trouble == ""
        until(lambda: pusher.trouble)
        assert pusher.trouble == "the place of the checkpoints does not take them (it does not answer)"
        fake.go_on.set()
        until(lambda: not pusher.trouble)


def test_a_stop_sends_the_last_one() -> None:
    with collector((500,)) as fake:
        pusher = pusher_to(fake.url, {})
        pusher.begin()
        pusher.put(1, b"line 1")
        until(lambda: pusher.trouble)
        pusher.put(2, b"line 2")
        pusher.close()
        assert fake.bodies[-1] == b"line 2"


def test_a_stop_waits_for_nobody_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushing, "STOP_SECONDS", 0.2)
    with collector(hanging=True) as fake:
        pusher = pusher_to(fake.url, {})
        pusher.begin()
        pusher.put(1, b"line")
        until(lambda: fake.headers)
        before = time.monotonic()
        pusher.close()
        assert time.monotonic() - before < 1
        assert not pusher._thread.is_alive()
        fake.go_on.set()


def test_one_that_was_never_begun_can_be_closed() -> None:
    pusher_to("http://127.0.0.1:1", {}).close()


def test_a_header_that_cannot_be_is_refused_without_its_value() -> None:
    with pytest.raises(ValueError, match="header") as caught:
        pusher_to("http://127.0.0.1:1", {"x": "hunter2\r\nEvil: 1"})
    assert "hunter2" not in str(caught.value)
