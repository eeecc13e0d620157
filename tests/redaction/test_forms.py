import pytest

from redaction import forms


@pytest.mark.parametrize("value", ["16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ", "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"])
def test_an_address_of_a_coin(value: str) -> None:
    assert forms.base58check(value) == len(value)
    assert forms.base58check(value[:-1] + "x") == 0
    assert forms.base58check(value + value) == 0


@pytest.mark.parametrize("value", ["", "0OIl", "1" * 34])
def test_no_address_of_a_coin(value: str) -> None:
    assert forms.base58check(value) == 0


def test_an_address_in_bech32_is_in_one_case() -> None:
    value = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"  # BIP 173
    assert forms.bech32(value) == forms.bech32(value.upper()) == len(value)
    assert forms.bech32("BC" + value[2:]) == 0
    assert forms.bech32(value[:-1] + "q") == 0
    assert forms.bech32("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0") > 0  # BIP 350
    assert forms.bech32("bc1i" + value[4:]) == 0


def test_the_address_of_a_device_has_one_sign_between_its_pairs() -> None:
    assert forms.mac("00:1A:2B:3C:4D:5E") == 17
    assert forms.mac("0012.3456.789A") == 14
    assert forms.mac("10:2F:33-AC-29-C3") == forms.mac("00:00:00:00:00:00") == forms.mac("ff-ff-ff-ff-ff-ff") == 0


@pytest.mark.parametrize(
    ("value", "fits"),
    [("52.5200, 13.4050", True), ("-33.8688 151.2093", True), ("91.0, 13.4", False), ("0.0,0.0", False)],
)
def test_a_place_on_earth(value: str, fits: bool) -> None:
    assert forms.coordinates(value) == (len(value) if fits else 0)


@pytest.mark.parametrize(
    ("value", "fits"), [("31/12/1990", True), ("12/31/1990", True), ("1990-12-31", True), ("13/13/1990", False)]
)
def test_a_day(value: str, fits: bool) -> None:
    assert forms.date(value) == (len(value) if fits else 0)


def test_figures() -> None:
    assert forms.with_figures("ab-12-345") == 9
    assert forms.with_figures("abcdefgh12") == 0
