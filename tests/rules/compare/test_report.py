"""The report of an update: what stands out."""

from __future__ import annotations

from rules.compare.report import needs_a_look, report, summary
from rules.compare.tools import Change, Contracts
from rules.compare.update import Update
from rules.source import LoadProblem

LOOSE = Change("list", "GET /list", "loosened", (("loosened", "limit: maximum was 1, is now 2"), ("tightened", "x")))
NEW = Change("wipe", "POST /wipe", "new", effect="admin, guessed")


def told(done: Update, **allowed: list[str]) -> list[str]:
    return list(report("shop", done, allowed))


def test_what_was_loosened_comes_first() -> None:
    done = Update([NEW, LOOSE], Contracts(), edited=["list"])
    lines = told(done)
    assert lines[:4] == [
        "LOOSENED: more calls or replies pass than before",
        "  shop.list (GET /list)",
        "    limit: maximum was 1, is now 2",
        "    tightened: x",
    ]
    assert lines[-1] == summary(done) == "1 loosened, 1 new, 1 edited by hand"
    assert needs_a_look(done, {})


def test_new_tools_say_who_may_use_them() -> None:
    done = Update([NEW], Contracts())
    assert "    admin, guessed; no rule allows it" in told(done)
    assert "    admin, guessed; ALLOWED by everything" in told(done, wipe=["everything"])
    assert not needs_a_look(done, {})
    assert needs_a_look(done, {"wipe": ["everything"]})


def test_conflicts_have_their_place() -> None:
    done = Update([], Contracts(), conflicts=[LoadProblem("shop.yaml", 3, 1, "url", "was a, is b by hand")])
    assert "  shop.yaml:3:1: url: was a, is b by hand" in told(done)
    assert needs_a_look(done, {})


def test_tighter_and_reworded_need_no_look() -> None:
    done = Update([Change("a", "GET /a", "tightened"), Change("", "https://a", "reworded")], Contracts())
    assert not needs_a_look(done, {})
    assert "  the backend shop (https://a)" in told(done)
    assert told(Update([], Contracts())) == ["nothing changed"]
