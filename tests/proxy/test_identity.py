"""Who is calling: a credential that fails is never an empty principal (S23)."""

from __future__ import annotations

import pytest

from proxy.errors import Refusal
from proxy.identity import api_key, digest, new_key, static
from proxy.model import Hail
from rules.facts import Principal

ANN = Principal("ann", frozenset({"support"}))


def test_static_is_everyone() -> None:
    assert static(ANN)(Hail("rest", "1.2.3.4", key="whatever")) is ANN


def test_a_key_is_its_principal_and_no_other() -> None:
    ann, bob = new_key(), new_key()
    identify = api_key({digest(ann): ANN, digest(bob): Principal("bob")})
    assert identify(Hail("rest", "", key=ann)) is ANN
    assert identify(Hail("rest", "", key=bob)).id == "bob"
    for wrong in (None, "", ann[:-1], ann + "x", ann.upper(), digest(ann), "Bearer " + ann, "\ud800"[:0]):
        with pytest.raises(Refusal) as refused:
            identify(Hail("rest", "", key=wrong))
        assert refused.value.code == "unauthenticated"
        assert ann not in repr(refused.value) + refused.value.detail


def test_keys_are_long_and_never_the_same() -> None:
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(len(key) >= 43 for key in keys)


def test_nothing_shows_a_key() -> None:
    key = new_key()
    assert key not in repr(Hail("rest", "", key=key, reason=key))
