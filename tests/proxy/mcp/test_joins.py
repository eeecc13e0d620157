"""What is kept to speak to servers in the place of clients: bounded, and never for two."""

from __future__ import annotations

import pytest

from proxy.mcp import joins
from proxy.mcp.joins import IDLE_S, Joins
from proxy.mcp.sessions import BadSession, Sessions
from rules.definitions import Definitions
from rules.tools import Backend
from rules.urls import parse_url

ANN, BOB = ("hub", "\0ann"), ("hub", "\0bob")


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_each_has_its_own_and_ids_of_others_are_refused() -> None:
    sessions = Sessions()
    kept = Joins(sessions)
    kept.begin(ANN, "s-1", "2025-11-25", "ann")
    for key in (BOB, ANN, ("hub", "\0carl")):
        with pytest.raises(BadSession):
            kept.begin(key, "s-1", "2025-11-25", "ann")
    sessions.bind("hub", "of-a-client", "bob")
    with pytest.raises(BadSession):
        kept.begin(BOB, "of-a-client", "2025-11-25", "ann")
    with pytest.raises(BadSession):
        sessions.bind("hub", "s-1", "ann")
    assert kept.of(BOB) is None
    assert (joined := kept.of(ANN)) is not None
    assert (joined.id, joined.revision) == ("s-1", "2025-11-25")


def test_only_the_session_that_is_over_is_forgotten() -> None:
    sessions = Sessions()
    kept = Joins(sessions)
    kept.begin(ANN, "s-2", "2025-11-25", "ann")
    kept.forget(ANN, "s-1")
    assert kept.of(ANN) is not None
    kept.forget(ANN, "s-2")
    assert (kept.of(ANN), len(sessions)) == (None, 0)


def test_servers_without_sessions_are_begun_once_as_well() -> None:
    kept = Joins(Sessions())
    for key in (ANN, BOB):
        kept.begin(key, "", "2025-06-18", "ann")
        assert kept.of(key) is not None


def test_what_is_idle_is_forgotten_and_its_id_is_free() -> None:
    clock, sessions = Clock(), Sessions()
    kept = Joins(sessions, clock)
    kept.begin(ANN, "s-1", "2025-11-25", "ann")
    clock.now += IDLE_S - 1
    assert kept.of(ANN) is not None
    clock.now += IDLE_S - 1
    assert kept.of(ANN) is not None
    clock.now += IDLE_S
    kept.begin(BOB, "s-2", "2025-11-25", "ann")
    assert (len(kept), len(sessions)) == (1, 1)
    assert kept.of(ANN) is None


def test_the_oldest_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joins, "MOST_JOINED", 3)
    sessions = Sessions()
    kept = Joins(sessions)
    keys = [("hub", f"\0{number}") for number in range(4)]
    for key in keys[:3]:
        kept.begin(key, f"s{key[1][1:]}", "2025-11-25", "ann")
    kept.of(keys[0])
    kept.begin(keys[3], "s-new", "2025-11-25", "ann")
    assert (len(kept), len(sessions)) == (3, 3)
    assert [kept.of(key) is None for key in keys] == [False, True, False, False]


def test_whoever_begins_too_many_loses_its_own_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joins, "MOST_OF_ONE", 3)
    sessions = Sessions()
    kept = Joins(sessions)
    kept.begin(BOB, "of-bob", "2025-11-25", "bob")
    keys = [("hub", f"\0{number}") for number in range(5)]
    for key in keys[:3]:
        kept.begin(key, f"s{key[1][1:]}", "2025-11-25", "ann")
    kept.of(keys[0])
    for key in keys[3:]:
        kept.begin(key, f"s{key[1][1:]}", "2025-11-25", "ann")
    assert [kept.of(key) is None for key in keys] == [False, True, True, False, False]
    assert kept.of(BOB) is not None
    assert (len(kept), len(sessions)) == (4, 4)


def test_what_was_found_holds_for_one_address() -> None:
    kept = Joins(Sessions())
    here, there = (Backend("hub", parse_url(f"http://{host}/mcp")) for host in ("a.example", "b.example"))
    assert kept.era(here) == ""
    kept.learn(here, "modern")
    assert (kept.era(here), kept.era(there)) == ("modern", "")
    kept.learn(here, "")
    assert kept.era(here) == ""


@pytest.mark.parametrize(("revision", "era"), [("2026-07-28", "modern"), ("2025-03-26", "legacy"), ("2031-01-01", "")])
def test_what_import_found_holds_until_it_seems_wrong(revision: str, era: str) -> None:
    kept = Joins(Sessions())
    backend = Backend("hub", parse_url("http://a.example/mcp"), mcp=Definitions(revision=revision))
    assert kept.era(backend) == era
    kept.learn(backend, "")
    assert kept.era(backend) == ""
