"""Pins: what differs from what was accepted is known, and for how long that is known."""

from __future__ import annotations

from copy import deepcopy

import pytest

from proxy.mcp import pins as pins_module
from proxy.mcp.pins import Pinned, Pins
from rules.definitions import Definitions, defined
from rules.tools import Backend, Remote
from rules.urls import parse_url
from tests.mcpwire import DROP, FIND

ACCEPTED = Definitions(
    tools=defined("tools", [FIND, DROP]),
    resources=defined("resources", [{"uri": "a://b", "name": "b"}]),
    templates=defined("templates", [{"uriTemplate": "a://{c}", "name": "c"}]),
)


def test_the_same_definition_is_the_same_in_any_order() -> None:
    pinned = Pinned(ACCEPTED)
    pinned.look("tools", [dict(reversed(FIND.items())), deepcopy(DROP)], "ann", set())
    assert not pinned.differs("tools", "find")


@pytest.mark.parametrize("change", [{"title": "x"}, {"description": "Finds customers. "}, {"_meta": {}}])
def test_a_change_counts_until_it_is_taken_back(change: dict[str, object]) -> None:
    pinned = Pinned(ACCEPTED)
    pinned.look("tools", [{**FIND, **change}], "ann")
    assert pinned.differs("tools", "find")
    pinned.look("tools", [DROP], "ann")
    assert pinned.differs("tools", "find")
    pinned.look("tools", [FIND], "ann")  # one page of several
    assert pinned.differs("tools", "find")
    pinned.look("tools", [FIND], "ann", {"drop"})
    assert not pinned.differs("tools", "find")


def test_what_is_listed_twice_is_not_what_was_accepted() -> None:
    for other in ({**FIND, "title": "x"}, FIND):
        for listed in ([FIND, other], [other, FIND]):
            pinned = Pinned(ACCEPTED)
            pinned.look("tools", listed, "ann")
            assert pinned.differs("tools", "find")


def test_what_is_on_two_pages_is_not_what_was_accepted() -> None:
    for other in ({**FIND, "title": "x"}, FIND):
        for pages in ([[FIND, DROP], [other]], [[other], [DROP, FIND]]):
            pinned, seen = Pinned(ACCEPTED), set[str]()
            for page in pages:
                pinned.look("tools", page, "ann", seen)
            assert pinned.differs("tools", "find")
            assert not pinned.differs("tools", "drop")


def test_strangers_are_no_change() -> None:
    pinned = Pinned(ACCEPTED)
    pinned.look("tools", [{"name": "new"}, {"name": 7}, {}], "ann")
    assert not any(pinned.differs("tools", name) for name in ("new", "find"))


def test_a_look_counts_until_the_list_changes() -> None:
    pinned = Pinned(ACCEPTED)
    assert pinned.is_due("tools", "ann")
    pinned.looked("tools", "ann")
    assert not pinned.is_due("tools", "ann")
    assert pinned.is_due("prompts", "ann")
    assert pinned.is_due("tools", "bob")
    pinned.changed(("tools",))
    assert pinned.is_due("tools", "ann")


def test_what_one_is_shown_does_not_make_good_what_another_was_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    pinned = Pinned(ACCEPTED)
    pinned.look("tools", [{**FIND, "title": "x"}], "bob", set())
    pinned.look("tools", [FIND], "ann", set())
    assert pinned.differs("tools", "find")
    pinned.look("tools", [FIND], "bob", set())
    assert not pinned.differs("tools", "find")
    pinned.look("tools", [{**FIND, "title": "x"}], "bob", set())
    monkeypatch.setattr(pins_module, "FRESH_S", 0.0)  # he is gone for long
    pinned.look("tools", [FIND], "ann", set())
    assert not pinned.differs("tools", "find")


def test_looks_are_not_kept_in_mind_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pins_module, "MOST_LOOKED", 2)
    pinned = Pinned(ACCEPTED)
    for who in ("ann", "bob", "bob", "carl"):
        pinned.looked("tools", who)
    assert [pinned.is_due("tools", who) for who in ("ann", "bob", "carl")] == [True, False, False]


@pytest.mark.parametrize(
    ("remote", "kind"),
    [
        (Remote("tools/call", "find"), "tools"),
        (Remote("resources/read", "a://b"), "resources"),
        (Remote("resources/read", "a://{c}"), "templates"),
        (Remote("prompts/get", "find"), ""),
        (Remote("ping"), ""),
    ],
)
def test_a_call_goes_by_one_kind_of_definition(remote: Remote, kind: str) -> None:
    assert Pinned(ACCEPTED).kind_of(remote) == kind


def test_what_was_accepted_anew_is_looked_at_anew() -> None:
    pins, url = Pins(), parse_url("http://127.0.0.1:1/mcp")
    first = pins.of(Backend("crm", url, mcp=ACCEPTED))
    assert pins.of(Backend("crm", url, mcp=ACCEPTED)) is first
    assert pins.of(Backend("crm", url, mcp=Definitions())) is not first
