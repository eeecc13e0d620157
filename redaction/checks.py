"""Arithmetic and rules that tell a value from what only looks like it.

Each check is given what a pattern matched and answers how many of its characters are the value, from the left: 0 for
none, fewer than given where the pattern took too much.
"""

import base64
import binascii
import json
import re
from ipaddress import AddressValueError, IPv6Address
from itertools import islice

_NO_DIGITS = bytes(set(range(256)) - set(b"0123456789"))

# Issuer identification numbers (ISO/IEC 7812) as the networks publish them: first digits from, to, and lengths.
_CARD_RANGES = (
    ("4", "4", (16,)),  # Visa
    ("51", "55", (16,)),  # Mastercard
    ("2221", "2720", (16,)),
    ("34", "34", (15,)),  # American Express
    ("37", "37", (15,)),
    ("3528", "3589", (16,)),  # JCB
    ("1800", "1800", (15,)),
    ("2131", "2131", (15,)),
    ("300", "305", (14,)),  # Diners Club
    ("36", "36", (14,)),
    ("38", "39", (14,)),
    ("6011", "6011", (16,)),  # Discover
    ("644", "649", (16,)),
    ("65", "65", (16,)),
    ("62", "62", (16, 19)),  # UnionPay
    ("5018", "5018", (16,)),  # Maestro
    ("5020", "5020", (16,)),
    ("5038", "5038", (16,)),
    ("6304", "6304", (16,)),
    ("6759", "6763", (16,)),
)
_RANGES = {first: [each for each in _CARD_RANGES if each[0][0] == first] for first in "123456"}
_FIGURES = bytes.maketrans(b"0123456789", bytes(range(10)))
_DOUBLED = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))

# Length of an IBAN by country, from the IBAN Registry (SWIFT, release 99).
_IBAN_LENGTHS = {
    country: int(length)
    for length, countries in {
        "15": "NO", "16": "BE", "18": "DK FI FK FO GL NL SD", "19": "MK SI", "20": "AT BA EE KZ LT LU MN XK",
        "21": "CH HR LI LV", "22": "BG BH CR DE GB GE IE ME RS VA", "23": "AE GI IL IQ OM SO TL",
        "24": "AD CZ ES MD PK RO SA SE SK TN VG", "25": "LY PT ST", "26": "IS TR",
        "27": "BI DJ FR GR IT MC MR SM", "28": "AL AZ BY CY DO GT HN HU LB NI PL SV", "29": "BR EG PS QA UA",
        "30": "JO KW MU YE", "31": "MT SC", "32": "LC", "33": "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip

# Those whose account numbers are digits alone, from the same. A hexadecimal token of the right length would be an IBAN
# of theirs once in a hundred.
_IBAN_FIGURES = (
    "AE AT BA BE BI CR CZ DE DJ DK EE EG ES FI FO GL HR HU IL IS LT LY ME MN MR NO PL PT RS SD SE SI SK SO TL TN VA XK"
)
_IBAN_OF_DIGITS = frozenset(_IBAN_FIGURES.split())

_IBAN_DIGITS = {ord("A") + n: str(10 + n) for n in range(26)}

# Last labels that are file or unit endings and no top-level domain: `icon@2x.png`, `getty@tty1.service`.
_ENDINGS = (
    "avif bmp bz css csv cfg conf device dll ejs exe gif gz html ico ini jar jpeg jpg js json jsx lock log mount path "
    "pdf php png scope scss service slice socket sql svg swp target timer tiff toml ts tsx txt vue webp woff xml yaml "
    "yml"
)
_NO_DOMAIN = frozenset(_ENDINGS.split())
_DOCUMENTS = frozenset(["csv", "gz", "html", "jpg", "json", "log", "pdf", "png", "txt", "xml", "yaml"])
_HOST = re.compile(r"(?:[^\W\d][^.]*\.)+[^\W\d_]{2,}")  # no label that is a version or a size


def digits(value: str) -> str:
    """The ASCII digits of `value`, without anything between them."""
    if value.isdigit() and value.isascii():
        return value
    return value.encode("utf-8", "replace").translate(None, _NO_DIGITS).decode()


def luhn(number: str) -> bool:
    """Whether the digits pass the Luhn check (ISO/IEC 7812-1, annex B)."""
    figures = number.encode()
    return (sum(figures[::-2].translate(_FIGURES)) + sum(figures[-2::-2].translate(_DOUBLED))) % 10 == 0


_CLOSE = 400  # of one card in ten million the groups are


def card(value: str) -> int:
    """A payment card: a length that its issuer range uses, the Luhn check, not one digit over and over, an account."""
    if value[8:9] == "-":  # as a UUID begins (RFC 9562)
        return 0
    number = digits(value)
    if len(number) < 16 and value.count(" ") + value.count("-") == 1:  # it has three groups, or is written as one
        return 0
    for low, high, lengths in _RANGES.get(number[:1], ()):
        if low <= number[: len(low)] <= high and len(number) in lengths:
            # Zeros fill dumps of memory.
            return len(value) if _plausible(number) and number[4:].strip("0") and not _rises(value) else 0
    return 0


def _rises(value: str) -> bool:
    """Whether its groups are close to each other and rise, as the values of a table do."""
    groups = value.split(" ")
    return len({*groups}) == 4 and groups == sorted(groups) and int(groups[3]) - int(groups[0]) < _CLOSE


def named_card(value: str) -> int:
    """A payment card of any issuer (ISO/IEC 7812-1): 12 to 19 digits, the Luhn check, not one digit over and over."""
    number = digits(value)
    return len(value) if 12 <= len(number) <= 19 and _plausible(number) else 0


def _plausible(number: str) -> bool:
    return number.count(number[0]) < len(number) and luhn(number)


def _reach(value: str, count: int) -> int:
    """How many characters of `value` hold its first `count` letters or digits."""
    if value.isalnum():
        return count
    if value[-1].isalnum() and len(value) - value.count(" ") - value.count("-") == count:
        return len(value)
    places = (place for place, character in enumerate(value, 1) if character.isalnum())
    return next(islice(places, count - 1, None))


def iban(value: str) -> int:
    """An IBAN (ISO 13616): the length of its country, and 1 modulo 97 (ISO 7064)."""
    number = value.replace(" ", "").replace("-", "").upper()
    if not number.isalnum():
        number = "".join(filter(str.isalnum, number))
    length = _IBAN_LENGTHS.get(number[:2], 0)
    if not 0 < length <= len(number):
        return 0
    if number[:2] in _IBAN_OF_DIGITS and not number[4:length].isdigit():
        return 0
    end = _reach(value, length)
    if value[end : end + 1].isalnum() or not number.isascii():
        return 0
    return end if int((number[4:length] + number[:4]).translate(_IBAN_DIGITS)) % 97 == 1 else 0


def ssn(value: str) -> int:
    """A US social security number that can have been issued (SSA, Program Operations Manual RM 10201.035)."""
    number = digits(value)
    area, group, serial = number[:3], number[3:5], number[5:]
    issued = area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"
    return len(value) if issued and len(set(number)) > 1 else 0


def ipv4(value: str) -> int:
    """A dotted quad that is some host's: not loopback, no mask, no whole network (and no `Chrome/120.0.0.0`)."""
    return 0 if value.startswith(("0.", "127.", "255.")) or value.endswith(".0.0.0") else len(value)


def ipv6(value: str) -> int:
    """An IPv6 address (RFC 4291), written out or out of an assigned range: global, local, multicast, mapped, NAT64.

    Demanding a range of short forms keeps `a::b` of programming languages apart, demanding a group of more than two
    digits of long ones the EUI-64 of a device.
    """
    try:
        address = int(IPv6Address(value))
    except AddressValueError:
        return 0
    head, mapped = address >> 112, address >> 32 in (0xFFFF, 0x0064FF9B << 64)
    assigned = 0x2000 <= head <= 0x3FFF or 0xFC00 <= head <= 0xFDFF or 0xFE80 <= head <= 0xFEBF or head >= 0xFF00
    written_out = value.count(":") == 7 and "::" not in value and any(len(group) > 2 for group in value.split(":"))
    return len(value) if assigned or mapped or written_out else 0


def email(value: str) -> int:
    """An e-mail address whose last label can be a domain, and which is not the `git@host` of a remote. Of a file that
    is named after one (`ana@example.org.pdf`) the address.
    """
    local, _, domain = value.rpartition("@")
    dotted = f".{domain}."
    if ".." in dotted or ".-" in dotted or "-." in dotted or local == "git":
        return 0
    if len(domain) > 63 and max(map(len, domain.split("."))) > 63:
        return 0
    named, _, ending = domain.rpartition(".")
    if ending.lower() not in _NO_DOMAIN:
        return len(value)
    is_address = ending.lower() in _DOCUMENTS and _HOST.fullmatch(named) and named.rpartition(".")[2] not in _NO_DOMAIN
    return len(value) - len(ending) - 1 if is_address else 0


def pem(value: str) -> int:
    """A PEM block (RFC 7468) with a body, not just the words of its lines."""
    body = value.removeprefix("-----").partition("-----")[2].partition("-----END")[0]
    return len(value) if sum(map(str.isalnum, body)) >= 40 else 0


def jwt(value: str) -> int:
    """A JSON Web Token (RFC 7519): the first part is a header that names its algorithm."""
    head = value.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, binascii.Error):
        return 0
    return len(value) if isinstance(header, dict) and "alg" in header else 0
