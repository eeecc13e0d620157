"""Health outlives the rules: where a backend stayed what it was, so does what is known of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.health import healths, notes_of
from rules.terms import Breaker, Bulkhead, Probe
from rules.tools import Backend
from rules.urls import Url

ONE = Backend("one", Url("http", "one.test", 80, ""))


def test_other_tools_and_words_change_nothing() -> None:
    before = healths({"one": ONE}, {})
    after = healths({"one": replace(ONE, tools=("one.x",), says="Other words.")}, before)
    assert after["one"] is before["one"]


@pytest.mark.parametrize(
    "change",
    [
        {"url": Url("http", "two.test", 80, "")},
        {"breaker": None},
        {"breaker": Breaker(0.1)},
        {"bulkhead": Bulkhead(1)},
        {"probe": Probe("/up")},
    ],
)
def test_another_place_or_other_terms_begin_anew(change: dict[str, object]) -> None:
    before = healths({"one": ONE}, {})
    after = healths({"one": replace(ONE, **change)}, before)  # type: ignore[arg-type]
    assert after["one"] is not before["one"]
    assert (after["one"].breaker is None) == (change.get("breaker", ONE.breaker) is None)


def test_backends_that_are_gone_are_forgotten() -> None:
    assert healths({}, healths({"one": ONE}, {})) == {}


def test_what_somebody_should_look_at_is_noted() -> None:
    known = healths({"one": ONE, "two": replace(ONE, name="two")}, {})
    assert notes_of(known) == {}
    known["two"].probed.failed, known["two"].probed.why = 1, "status 503"
    assert notes_of(known) == {"backend two": "its probe failed: status 503"}
    assert known["two"].breaker is not None
    known["two"].breaker.unwell(0.0, 1.0)
    assert notes_of(known) == {"backend two": "left alone, it was failing; its probe failed: status 503"}
