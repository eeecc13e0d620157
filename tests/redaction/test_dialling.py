import pytest

from redaction import dialling
from tests.redaction import phone_ranges


@pytest.mark.parametrize("value", ["+999 1234567", "+1", "+1111111111", "+49 30 12", "+49 1234567890123456"])
def test_no_international_number(value: str) -> None:
    assert dialling.international(value) == 0


def test_an_extension_is_no_part_of_the_number() -> None:
    assert dialling.international("+1 415 555 0132 ext. 99999") == len("+1 415 555 0132 ext. 99999")
    assert dialling.national("555-0132x4587") == len("555-0132x4587")


@pytest.mark.parametrize(
    "value", ["2024-05-01", "20240501", "01.05.2024", "2024-05-01 12 30", "123456", "1111111", "1" * 16]
)
def test_a_date_or_a_count_is_no_telephone_number(value: str) -> None:
    assert dialling.national(value) == 0


@pytest.mark.parametrize("value", ["+442079460018", "+4915112345678", "+24762889", "+18005550199", "+80012345678"])
def test_a_number_in_use_needs_no_groups(value: str) -> None:
    assert dialling.international(value) == len(value)


def test_a_range_that_is_newer_than_the_metadata_is_found() -> None:
    assert dialling.international("+447700677662") == 13
    assert dialling.international("+20240501123000") == 0  # no length that Egypt uses


@pytest.mark.parametrize("value", ["+44 (0)20 7946 0018", "+1-177-892-0730x52646", "(+33) 6 12 34 56 78"])
def test_groups_are_enough(value: str) -> None:
    assert dialling.international(value) == len(value)


@pytest.mark.parametrize(
    "value", ["+20240501", "+1234567890", "+00000000000", "+1714550400", "+123", "+4734-05243", "+404251-0740023"]
)
def test_figures_behind_a_plus_sign_are_no_number_by_themselves(value: str) -> None:
    assert dialling.international(value) == 0


@pytest.mark.parametrize(
    ("value", "fits"), [("61 51 81", True), ("61 51", False), ("01/05/2024", False), ("11 11 11", False)]
)
def test_a_number_as_it_is_told(value: str, fits: bool) -> None:
    assert dialling.spoken(value) == (len(value) if fits else 0)


def test_every_example_of_libphonenumber_is_a_number() -> None:
    library = pytest.importorskip("phonenumbers")
    examples = [library.example_number(region) for region in sorted(library.SUPPORTED_REGIONS)]
    e164 = [library.format_number(number, library.PhoneNumberFormat.E164) for number in examples]
    assert len(e164) > 200
    assert [value for value in e164 if not dialling.international(value)] == []


def test_the_ranges_are_what_the_metadata_says() -> None:
    library = pytest.importorskip("phonenumbers")
    held = phone_ranges.FILE.read_text("utf-8")
    if f'"metadata": "{library.__version__}"' not in held:
        pytest.skip("another version of the metadata is installed")
    assert phone_ranges.text() == held
