"""One process of Presidio: what it says when it has loaded or cannot, and that it ends."""

from __future__ import annotations

import os
from time import monotonic, sleep

import pytest

from proxy.presidio.process import NotLoaded, Process
from proxy.presidio.settings import PresidioSettings

URL = {"kinds": ["presidio:URL"], "text": "see http://example.com/a", "key": ""}


def test_it_loads_answers_and_ends() -> None:
    process = Process(PresidioSettings().parts(), 2 << 30)
    assert process.kinds is None
    with pytest.raises(TimeoutError):
        process.load(0.001)
    while not process.has_loaded():
        assert not process.is_late
        sleep(0.02)
    assert process.kinds == frozenset()
    assert [found[0] for found in process.ask(URL, 20)["found"]] == ["URL"]
    process.end()
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def test_what_it_cannot_load_it_says() -> None:
    process = Process(PresidioSettings(recognizers=("nowhere:Badge",)).parts(), 2 << 30)
    with pytest.raises(NotLoaded, match="nowhere:Badge cannot be imported"):
        process.load(60)
    process.end()


def test_one_that_takes_too_long_is_ended_by_the_system_at_its_time() -> None:
    process = Process(PresidioSettings().parts(), 2 << 30)
    process.load(60)
    started = monotonic()
    with pytest.raises((TimeoutError, EOFError)):
        process.ask({**URL, "text": "http://" + "a." * 9_000}, 0.3)
    assert monotonic() - started < 10
    process.end()
