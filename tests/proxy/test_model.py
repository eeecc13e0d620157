"""What flows hides what it carries."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from proxy.body import Body
from proxy.model import Call, Hail, Outgoing, Result
from rules.facts import Principal, Run

SECRET = "Zq77Xw"


TOOL: Any = SimpleNamespace(name="crm.get")


def call() -> Call:
    outgoing = Outgoing("GET", "/a", (("authorization", SECRET),), SECRET.encode())
    return Call("c1", Run("r", 1), Principal("ann"), TOOL, {"a": SECRET}, (), outgoing, "/crm", "1.2.3.4", "http://d")


def test_no_repr_shows_a_value() -> None:
    assert SECRET not in repr(call())
    assert SECRET not in repr(Hail("rest", "", key=SECRET, reason=SECRET))
    assert SECRET not in repr(Result(200, [], Body.of(SECRET.encode())))


def test_facts_are_what_rules_may_see() -> None:
    facts = call().facts()
    assert facts.args == {"a": SECRET}
    assert facts.principal.id == "ann"
    assert facts.peer == "1.2.3.4"
    assert facts.now.utcoffset() is not None
