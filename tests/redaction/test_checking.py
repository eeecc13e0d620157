import pytest

from redaction import checks, national
from redaction.checking import check_named


def test_a_check_is_found_wherever_it_lies() -> None:
    assert check_named("card") is checks.card
    assert check_named("aba")("121042882") == national.aba("121042882") == 9
    assert check_named("mac")("00:1A:2B:3C:4D:5E") == 17


@pytest.mark.parametrize(
    ("name", "hint"),
    [("crad", " .did you mean 'card'"), ("luhn", ""), ("sha256", ""), ("check_named", ""), ("", "")],
)
def test_what_is_no_check_is_refused_with_the_closest_name(name: str, hint: str) -> None:
    with pytest.raises(ValueError, match=f"there is no check {name!r}{hint}"):
        check_named(name)


@pytest.mark.parametrize("value", ["", "1", "x", "é" * 9, "12345678X"])
@pytest.mark.parametrize("name", ["tckn", "rvnr", "nric", "curp", "gstin", "dea", "codice_fiscale", "nif"])
def test_a_check_of_national_numbers_bears_what_it_was_not_made_for(name: str, value: str) -> None:
    assert check_named(name)(value) == 0
