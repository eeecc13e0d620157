"""Which answers are heard for what they say of other calls; tests/proxy/effects/test_asking.py tells what follows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from proxy.guards.witness import applies


@pytest.mark.parametrize("tells", [True, False])
def test_only_tools_that_tell_of_others_are_heard(tells: bool) -> None:
    tool: Any = SimpleNamespace(tells=tells)
    decision: Any = None
    assert applies(tool, decision) is tells
