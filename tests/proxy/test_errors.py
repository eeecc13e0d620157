"""Refusals say no without saying more."""

from __future__ import annotations

import pytest

from proxy.errors import CODES, Refusal


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_status_an_advice_and_a_title(code: str) -> None:
    row = CODES[code]
    assert 400 <= row.status < 600
    assert row.retry in ("never", "after_fix", "after_delay", "after_approval", "ask_human")
    assert row.title.endswith(".")
    assert Refusal(code).status == row.status


def test_a_refusal_shows_no_text() -> None:
    refusal = Refusal("denied", "SECRET", suggestion="SECRET", note="SECRET", extra={"a": "SECRET"})
    assert "SECRET" not in repr(refusal) + str(refusal)
    assert refusal.executed == "no"
