"""Health outlives the rules: where a backend stayed what it was, so does what is known of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.health import healths
from rules.terms import Breaker, Bulkhead
from rules.tools import Backend, Url

ONE = Backend("one", Url("http", "one.test", 80, ""))


def test_other_tools_and_words_change_nothing() -> None:
    before = healths({"one": ONE}, {})
    after = healths({"one": replace(ONE, tools=("one.x",), says="Other words.")}, before)
    assert after["one"] is before["one"]


@pytest.mark.parametrize(
    "change",
    [{"url": Url("http", "two.test", 80, "")}, {"breaker": None}, {"breaker": Breaker(0.1)}, {"bulkhead": Bulkhead(1)}],
)
def test_another_place_or_other_terms_begin_anew(change: dict[str, object]) -> None:
    before = healths({"one": ONE}, {})
    after = healths({"one": replace(ONE, **change)}, before)  # type: ignore[arg-type]
    assert after["one"] is not before["one"]
    assert (after["one"].breaker is None) == (change.get("breaker", ONE.breaker) is None)


def test_backends_that_are_gone_are_forgotten() -> None:
    assert healths({}, healths({"one": ONE}, {})) == {}
