"""The words of a request that was not granted."""

from __future__ import annotations

import pytest

from proxy.vault.fault import STALLED, Fault


@pytest.mark.parametrize(
    ("status", "says", "passing"),
    [
        (307, "name the address of the active node (307)", False),
        (400, "it refused what it was sent (400)", False),
        (403, "permission was denied (403)", False),
        (404, "there is nothing at that path (404)", False),
        (412, "it is not up to date yet (412)", True),
        (418, "it failed (418)", False),
        (429, "it is asked too much (429)", True),
        (503, "it is sealed, or down for maintenance (503)", True),
    ],
)
def test_each_status_has_words_and_says_whether_it_passes(status: int, says: str, passing: bool) -> None:
    fault = Fault("secret/crm", status)
    assert str(fault).startswith("Vault at secret/crm: ")
    assert str(fault).endswith(says)
    assert fault.passing is passing


def test_one_without_an_answer_and_the_same_once_more() -> None:
    fault = Fault("secret/crm", why=STALLED, after_s=2.0)
    assert str(fault) == "Vault at secret/crm: it did not answer in time"
    assert not fault.passing
    again = fault.anew()
    assert again is not fault
    assert (str(again), again.after_s) == (str(fault), 2.0)
