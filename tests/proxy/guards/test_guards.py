"""The one list of guards: which apply to a call, and in which order."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from proxy.guards import Guards
from proxy.guards.clean import Clean
from proxy.scanning import Scans
from rules.obligations import Approval

NAMES = {
    ("read", False): ["timeout", "clean"],
    ("write", False): ["timeout", "intent", "clean"],
    ("irreversible", True): ["approval", "timeout", "intent", "clean"],
    ("read", True): ["approval", "timeout", "clean"],
}


@pytest.mark.parametrize(("effect", "approval"), NAMES)
def test_which_guards_and_in_which_order(effect: str, approval: bool) -> None:
    call: Any = SimpleNamespace(tool=SimpleNamespace(effect=effect))
    decision: Any = SimpleNamespace(obligations=(Approval("boss", 900.0),) if approval else ())
    scans = Scans()
    guards = Guards(Clean({}, {}, scans))(call, decision)
    scans.close()
    assert [guard.__name__ for guard in guards] == NAMES[effect, approval]
