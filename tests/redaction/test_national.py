"""Numbers that the issuing bodies, or those who describe them, give as examples; and the same with one sign changed."""

import pytest

from redaction import national
from redaction.checking import check_named

# The check, and numbers that pass it.
NUMBERS = {
    "aadhaar": ["312345678909", "399876543211"],
    "aba": ["121042882", "0711-0130-7"],
    "abn": ["51 824 753 556"],
    "acn": ["006249976", "000000180"],
    "ahv": ["756.9217.0769.85"],
    "au_medicare": ["2123 45670 1"],
    "brn": ["110-81-41272", "120-81-47521"],
    "bsn": ["111222333", "123456782"],
    "cnpj": ["11.222.333/0001-81"],
    "codice_fiscale": ["RSSMRA85T10A562S", "MRTMTT91D08F205J"],
    "cpf": ["529.982.247-25", "111.444.777-35"],
    "curp": ["HEGG560427MVZRRL04"],
    "dea": ["BB1388568", "AB1234563"],
    "gstin": ["27AAPFU0939F1ZV"],
    "hetu": ["010594Y9032", "020594X903P"],
    "icao": ["L01X00T44", "C01234565", "CZ6311T03"],
    "kvnr": ["A123456780", "Z999999997"],
    "lanr": ["234567701", "987654401"],
    "nhs": ["401-023-2137"],
    "nif": ["X9613851N", "12345678Z", "1111111G"],
    "nip": ["123-456-32-18"],
    "nir": ["255081416802538", "1 84 12 76 451 089 46"],
    "npi": ["1234567893", "1003000126"],
    "nric": ["S2740116C", "F2346401L", "M1234567K"],
    "orgnr": ["212000-0142", "556703-7485"],
    "partita_iva": ["01333550323"],
    "personnummer": ["189110089811", "20110925-2385"],
    "pesel": ["02070803628", "44051401359"],
    "rijksregister": ["85.07.30-033.28"],
    "rvnr": ["15070649C103", "38551285K051"],
    "sin": ["130 692 544", "550090112"],
    "steuer_id": ["98765432106", "12345678903"],
    "tckn": ["10000000146", "76543210794"],
    "tfn": ["876 543 210", "123456782"],
    "thai": ["2345678901234", "3456789012347"],
    "ust_id": ["DE129273398", "de136695976"],
    "za_id": ["8001015009087", "8001015000086"],
}
CASES = [(check, number) for check, numbers in NUMBERS.items() for number in numbers]


@pytest.mark.parametrize(("check", "number"), CASES)
def test_a_number_passes_whole(check: str, number: str) -> None:
    assert check_named(check)(number) == len(number)


@pytest.mark.parametrize(("check", "number"), CASES)
def test_each_other_last_sign_is_refused(check: str, number: str) -> None:
    """Of all digits (or letters) in the place that checks the others, at most one more passes."""
    place = {"lanr": 6, "au_medicare": 9}.get(check, len(number) - 1)
    others = "0123456789" if number[place].isdigit() else "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    changed = [number[:place] + sign + number[place + 1 :] for sign in others if sign != number[place].upper()]
    assert sum(check_named(check)(each) > 0 for each in changed) <= 1


@pytest.mark.parametrize(
    "check", ["acn", "cnpj", "cpf", "nhs", "orgnr", "pesel", "tckn", "tfn", "partita_iva", "sin", "bsn"]
)
def test_zeros_are_nobodys(check: str) -> None:
    assert {check_named(check)("0" * length) for length in (9, 10, 11, 14)} <= {0}


@pytest.mark.parametrize("value", ["BG123612A", "nt 99 88 77 a", "ZZ123456C"])
def test_prefixes_that_were_never_given_out(value: str) -> None:
    assert national.nino(value) == 0


@pytest.mark.parametrize("value", ["960230-1234567", "961301-1234567", "960100-1234567"])
def test_a_birth_needs_a_day_that_can_be(value: str) -> None:
    assert national.rrn(value) == 0
    assert national.rrn("960121-1234567") == 14
