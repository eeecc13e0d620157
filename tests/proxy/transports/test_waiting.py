"""Waiting: who makes room first where there are too many connections."""

from __future__ import annotations

from proxy.transports.waiting import Waiting


class Line:
    def __init__(self, name: str, closed: list[str]) -> None:
        self._name, self._closed = name, closed

    def give_way(self) -> None:
        self._closed.append(self._name)


def test_who_never_spoke_goes_first_and_then_who_rests_longest() -> None:
    closed: list[str] = []
    waiting = Waiting()
    old, new, newer, busy = (Line(name, closed) for name in ("old", "new", "newer", "busy"))
    for line in (old, busy, new, newer):
        waiting.came(line)
    for line in (old, busy):
        waiting.speaks(line)
    waiting.rests(old)
    assert len(waiting) == 3
    assert [waiting.close_oldest() for _ in range(4)] == [True, True, True, False]
    assert closed == ["new", "newer", "old"]


def test_who_left_is_forgotten() -> None:
    closed: list[str] = []
    waiting = Waiting()
    line = Line("gone", closed)
    waiting.came(line)
    waiting.speaks(line)
    waiting.speaks(line)
    assert not waiting.close_oldest()
    assert closed == []
