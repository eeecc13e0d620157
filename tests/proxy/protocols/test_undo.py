"""Which targets mean the undoing of a run."""

from __future__ import annotations

import pytest

from proxy.routes import UNDO


@pytest.mark.parametrize("target", ["/.toolwall/undo", "/.toolwall/undo?dry_run=true", "/.toolwall/undo?"])
def test_what_means_it(target: str) -> None:
    assert UNDO.means(target)


@pytest.mark.parametrize("target", ["/.toolwall/undone", "/.toolwall/undo/r1", "/crm/undo", "/.toolwall/und"])
def test_what_does_not(target: str) -> None:
    assert not UNDO.means(target)
