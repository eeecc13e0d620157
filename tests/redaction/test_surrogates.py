"""Surrogates: of the same form, out of ranges that nobody owns."""

from __future__ import annotations

import re

import pytest

from redaction.checks import luhn
from redaction.surrogates import FORMS, Draw, surrogate

SEED = bytes(16)


def made(kind: str, value: str, number: int = 1) -> str:
    invented = surrogate(kind, value, SEED, number, lambda _: True)
    assert invented is not None
    return invented


@pytest.mark.parametrize(
    ("kind", "value", "form"),
    [
        ("EMAIL_ADDRESS", "ana@corp.test", r"[a-z]+\.[a-z]+\d{6}@example\.(com|net|org)"),
        ("PERSON", "Ana Lopez", r"[A-Z][a-z]+ [A-Z]\. [A-Z][a-z]+"),
        ("presidio:PERSON", "Ana", r"[A-Z][a-z]+-[A-Z][a-z]+"),
        ("PHONE_NUMBER", "(212) 555-2368", r"\+1 \d{3}-555-01\d\d"),
        ("PHONE_NUMBER", "+44 20 7946 0018", r"\+44 7700 900\d{3}"),
        ("CREDIT_CARD", "4242 4242 4242 4242", r"9999 \d{4} \d{4} \d{4}"),
        ("CREDIT_CARD", "3782-822463-10005", r"9999\d{12}"),
    ],
)
def test_each_has_the_form_of_its_kind(kind: str, value: str, form: str) -> None:
    for number in range(50):
        assert re.fullmatch(form, made(kind, value, number))


def test_cards_pass_their_checksum() -> None:
    assert all(luhn(re.sub(r"\D", "", made("CREDIT_CARD", "4242-4242-4242-4242", number))) for number in range(50))


def test_the_same_seed_and_number_give_the_same_and_others_give_others() -> None:
    for kind in FORMS:
        assert made(kind, "a b", 1) == made(kind, "a b", 1)
        assert len({made(kind, "a b", number) for number in range(20)}) >= 18


def test_one_that_is_taken_is_not_given() -> None:
    first = made("EMAIL_ADDRESS", "a")
    assert surrogate("EMAIL_ADDRESS", "a", SEED, 1, lambda text: text != first) not in (None, first)
    assert surrogate("EMAIL_ADDRESS", "a", SEED, 1, lambda _: False) is None


def test_a_draw_stays_below_its_bound() -> None:
    draw = Draw(SEED, "x")
    assert all(0 <= draw.below(7) < 7 for _ in range(30))
