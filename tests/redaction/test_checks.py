import base64
import json

import pytest

from redaction import checks


@pytest.mark.parametrize("number", ["79927398713", "4111111111111111", "0", "18"])
def test_luhn_accepts(number: str) -> None:
    assert checks.luhn(number)


@pytest.mark.parametrize("number", ["79927398710", "4111111111111112", "1", "81"])
def test_luhn_refuses(number: str) -> None:
    assert not checks.luhn(number)


def test_luhn_finds_every_single_wrong_digit() -> None:
    good = "5500005555555559"
    for place in range(len(good)):
        for digit in set("0123456789") - {good[place]}:
            assert not checks.luhn(good[:place] + digit + good[place + 1 :])


@pytest.mark.parametrize(
    "value",
    [
        "4111111111111111",
        "4111 1111 1111 1111",
        "5500-0055-5555-5559",
        "378282246310005",
        "30569309025904",
        "3530111333300000",
        "4484070000000000",
    ],
)
def test_a_card_is_taken_whole(value: str) -> None:
    assert checks.card(value) == len(value)


@pytest.mark.parametrize(
    "value",
    [
        "4111111111111112",  # Luhn
        "41111111111111113",  # no length of Visa
        "4222222222222222222",
        "4444444444444444",  # passes Luhn, is nobody's
        "9999999999999995",  # no issuer
        "1714550400123456",  # microseconds
        "2600 0000 0000 0000",  # of a dump of memory
        "2244 2249 2254 2260",  # of a table
    ],
)
def test_no_card(value: str) -> None:
    assert checks.card(value) == 0


def test_a_named_card_may_be_of_any_issuer() -> None:
    assert checks.named_card("122000000000003") == 15
    assert checks.named_card("122000000000004") == 0
    assert checks.named_card("18") == 0


@pytest.mark.parametrize(
    "value",
    [
        # The registry's own examples, one for each of some countries and forms.
        "DE89370400440532013000",
        "GB82 WEST 1234 5698 7654 32",
        "NO9386011117947",
        "MT84MALT011000012345MTLCAST001S",
        "fr1420041010050500013m02606",
    ],
)
def test_an_iban(value: str) -> None:
    assert checks.iban(value) == len(value)


def test_an_iban_ends_where_its_country_says() -> None:
    assert checks.iban("NO93 8601 1117 947 ABCD") == len("NO93 8601 1117 947")


@pytest.mark.parametrize(
    "value",
    [
        "DE89370400440532013001",
        "DE8937040044053201300",
        "XX89370400440532013000",
        "NO9386011117947A",
        "DE",
        "be364a195dcc7fda",
    ],
)
def test_no_iban(value: str) -> None:
    assert checks.iban(value) == 0


@pytest.mark.parametrize("value", ["078-05-1120", "078051120", "899 99 9999"])
def test_a_social_security_number(value: str) -> None:
    assert checks.ssn(value) == len(value)


@pytest.mark.parametrize(
    "value", ["000-12-3456", "666-12-3456", "900-12-3456", "078-00-1120", "078-05-0000", "111-11-1111"]
)
def test_a_number_never_issued(value: str) -> None:
    assert checks.ssn(value) == 0


@pytest.mark.parametrize("value", ["0.0.0.0", "127.0.0.1", "127.1.2.3", "255.255.255.0", "0.1.2.3"])
def test_no_hosts_address(value: str) -> None:
    assert checks.ipv4(value) == 0


@pytest.mark.parametrize(
    "value",
    ["2001:db8::1", "fe80::1", "fd00::1", "ff02::1", "::ffff:192.0.2.1", "64:ff9b::192.0.2.1", "1234:5:6:7:8:9:a:b"],
)
def test_an_ipv6_address(value: str) -> None:
    assert checks.ipv6(value) == len(value)


@pytest.mark.parametrize(
    "value", ["a::b", "::1", "::", "12:34:56", "0:11:22:33:44:55:66:77", "2001:db8", "1::2::3", ":::"]
)
def test_no_ipv6_address(value: str) -> None:
    assert checks.ipv6(value) == 0


@pytest.mark.parametrize(
    "value", ["git@github.com", "a@b-.com", "a@-b.com", "a@" + "b" * 64 + ".com", "x@2x.png", "x@2x.min.png"]
)
def test_no_email(value: str) -> None:
    assert checks.email(value) == 0


@pytest.mark.parametrize("ending", ["pdf", "CSV", "json"])
def test_a_file_that_is_named_after_an_address_is_one_up_to_its_ending(ending: str) -> None:
    assert checks.email(f"ana@mail.example.org.{ending}") == len("ana@mail.example.org")
    assert checks.email(f"report@v2.0.{ending}") == 0
    assert checks.email(f"getty@tty.service.{ending}") == 0


def test_a_pem_block_needs_a_body() -> None:
    begin, end = "-----BEGIN " + "PRIVATE KEY-----", "-----END " + "PRIVATE KEY-----"
    whole = f"{begin}\n{'Ab1+' * 16}\n{end}"
    assert checks.pem(whole) == len(whole)
    assert checks.pem(f"{begin} and {end}") == 0


def header(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_a_token_needs_a_header_that_names_its_algorithm() -> None:
    assert checks.jwt(header({"alg": "HS256"}) + ".e30.c2ln") > 0
    for bad in (header({"typ": "JWT"}), header(["alg"]), header("alg"), "eyJ!", "eyJhbGciOg"):
        assert checks.jwt(bad + ".e30.c2ln") == 0
