"""Arithmetic of national numbers: of persons, companies, taxes, health and banks.

Each check is given what a pattern matched and answers how many of its characters are the value: all or 0. The rule that
a check follows is named in its text; letters may stand in either case, and what stands between groups is passed over.
"""

import re
from collections.abc import Callable, Iterable, Sequence

from redaction.checks import digits, luhn

Check = Callable[[str], int]

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NIF_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_HETU_LETTERS = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_NO_SIGN = re.compile(r"[\W_]+")
# Months with as many days as they can have; the year is not looked at.
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _signs(value: str) -> str:
    """The letters and digits of `value`, in capitals."""
    return _NO_SIGN.sub("", value).upper()


def _sum(number: str, weights: Iterable[int]) -> int:
    return sum(int(figure) * weight for figure, weight in zip(number, weights, strict=False))


def _is_day(month: str, day: str) -> bool:
    return 1 <= int(month) <= 12 and 1 <= int(day) <= _DAYS[int(month) - 1]


def _varied(number: str) -> bool:
    """Whether it is more than one digit over and over, which passes many sums and is nobody's."""
    return len(set(number)) > 1


def _weighted(weights: Sequence[int], modulus: int) -> Check:
    """All digits, weighted, make a multiple of the modulus."""

    def check(value: str) -> int:
        number = digits(value)
        fits = len(number) == len(weights) and _varied(number) and _sum(number, weights) % modulus == 0
        return len(value) if fits else 0

    return check


def _with_luhn(*lengths: int) -> Check:
    def check(value: str) -> int:
        number = digits(value)
        return len(value) if len(number) in lengths and _varied(number) and luhn(number) else 0

    return check


# ABA routing number (ABA Routing Number Policy): weights 3, 7, 1.
aba = _weighted((3, 7, 1) * 3, 10)
# Social Insurance Number of Canada (ESDC): Luhn.
sin = _with_luhn(9)
# Swedish organisation numbers (Skatteverket, SKV 709): Luhn.
orgnr = _with_luhn(10)
# PESEL of Poland (Ministry of Digital Affairs): weights 1, 3, 7, 9.
pesel_sum = _weighted((1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1), 10)
# NIP (tax) of Poland is weighted modulo 11; its last digit counts against the sum.
nip = _weighted((6, 5, 7, 2, 3, 4, 5, 6, 7, -1), 11)
# Australian Tax File Number (ATO): modulo 11.
tfn = _weighted((1, 4, 3, 7, 5, 8, 6, 9, 10), 11)
# Italian VAT number (DPR 633/72): Luhn.
partita_iva = _with_luhn(11)
# Business registration number of Korea (National Tax Service).
_BRN = (1, 3, 7, 1, 3, 7, 1, 3)


def npi(value: str) -> int:
    """A National Provider Identifier (45 CFR 162.406): Luhn behind the prefix 80840."""
    number = digits(value)
    return len(value) if len(number) == 10 and number[0] in "12" and luhn("80840" + number) else 0


def dea(value: str) -> int:
    """A DEA registration number (21 CFR 1301): two letters or a letter and 9, six digits, and a sum."""
    number = digits(value)[-7:]
    total = _sum(number[:6:2], (1, 1, 1)) + 2 * _sum(number[1:6:2], (1, 1, 1))
    return len(value) if total % 10 == int(number[6]) and _varied(number) else 0


def abn(value: str) -> int:
    """An Australian Business Number (ABR, Format of the ABN): less 1 in front, modulo 89."""
    number = digits(value)
    if len(number) != 11 or number[0] == "0":
        return 0
    total = _sum(number, (10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)) - 10
    return len(value) if total % 89 == 0 else 0


def acn(value: str) -> int:
    """An Australian Company Number (ASIC, digit check): weights 8 to 1, complement modulo 10."""
    number = digits(value)
    fits = len(number) == 9 and _varied(number)
    return len(value) if fits and -_sum(number, range(8, 0, -1)) % 10 == int(number[8]) else 0


def au_medicare(value: str) -> int:
    """An Australian Medicare card: the ninth digit checks the first eight (1, 3, 7, 9), the tenth is the issue."""
    number = digits(value)
    fits = len(number) in (10, 11) and _sum(number, (1, 3, 7, 9, 1, 3, 7, 9)) % 10 == int(number[8])
    return len(value) if fits and number[9] != "0" else 0


def nhs(value: str) -> int:
    """A NHS number (NHS Data Dictionary): modulo 11."""
    number = digits(value)
    if len(number) != 10 or not _varied(number):
        return 0
    return len(value) if -_sum(number[:9], range(10, 1, -1)) % 11 == int(number[9]) else 0


def nino(value: str) -> int:
    """A National Insurance number (HMRC manual NIM39110): prefixes that were never given out are left out."""
    return 0 if value[:2].upper() in ("BG", "GB", "NK", "KN", "NT", "TN", "ZZ") else len(value)


def nif(value: str) -> int:
    """A Spanish NIF or NIE (Orden INT/2058/2008): the letter is the number modulo 23."""
    signs = _signs(value)
    number = signs[:-1].translate(str.maketrans("XYZ", "012"))
    return len(value) if number.isdigit() and signs[-1] == _NIF_LETTERS[int(number) % 23] else 0


def codice_fiscale(value: str) -> int:
    """An Italian fiscal code (DM 23 December 1976): the last letter checks the rest."""
    signs = _signs(value)
    odd = dict(zip("0123456789" + _LETTERS, _ODD[:10] + _ODD, strict=True))
    even = {sign: place % 36 for place, sign in enumerate("0123456789")} | {s: n for n, s in enumerate(_LETTERS)}
    total = sum(odd[sign] for sign in signs[:15:2]) + sum(even[sign] for sign in signs[1:15:2])
    return len(value) if _LETTERS[total % 26] == signs[15] else 0


_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)


def pesel(value: str) -> int:
    """A PESEL: its sum, and a day of birth, the century in the month."""
    number = digits(value)
    fits = len(number) == 11 and _is_day(str(int(number[2:4]) % 20), number[4:6])
    return pesel_sum(value) if fits else 0


def hetu(value: str) -> int:
    """A Finnish personal identity code (Digital and Population Data Services Agency): modulo 31."""
    number = digits(value[:-1])
    fits = _is_day(number[2:4], number[:2]) and number[6:9] >= "002"
    return len(value) if fits and _HETU_LETTERS[int(number) % 31] == value[-1].upper() else 0


def personnummer(value: str) -> int:
    """A Swedish personnummer (Skatteverket, SKV 704): Luhn, and a day, of a samordningsnummer with 60 more."""
    number = digits(value)[-10:]
    fits = len(number) == 10 and _is_day(number[2:4], str(int(number[4:6]) % 60))
    return len(value) if fits and luhn(number) else 0


def _mod_11_10(number: str) -> int:
    """The check digit of ISO 7064, MOD 11,10."""
    product = 10
    for figure in number:
        product = ((int(figure) + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10


def steuer_id(value: str) -> int:
    """A German tax id (Section 139b AO): of its first ten digits few are alike; ISO 7064, MOD 11,10."""
    number = digits(value)
    if len(number) != 11 or number[0] == "0" or len(set(number[:10])) < 8:
        return 0
    return len(value) if _mod_11_10(number[:10]) == int(number[10]) else 0


def ust_id(value: str) -> int:
    """A German VAT id (BZSt): ISO 7064, MOD 11,10."""
    number = digits(value)
    return len(value) if len(number) == 9 and _mod_11_10(number[:8]) == int(number[8]) else 0


def rvnr(value: str) -> int:
    """A German pension insurance number (VKVV, Section 4): the letter as two digits, digit sums, modulo 10."""
    signs = _signs(value)
    number = signs[:8] + f"{_LETTERS.index(signs[8]) + 1:02}" + signs[9:]
    day = int(number[2:4])
    if not _is_day(number[4:6], str(day - 50 if day > 50 else day)):
        return 0
    total = sum(sum(divmod(int(f) * w, 10)) for f, w in zip(number, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1), strict=False))
    return len(value) if total % 10 == int(number[12]) else 0


def kvnr(value: str) -> int:
    """A German health insurance number (Section 290 SGB V): the letter as two digits, weights 1 and 2, modulo 10."""
    signs = _signs(value)
    number = f"{_LETTERS.index(signs[0]) + 1:02}" + signs[1:]
    total = sum(sum(divmod(int(f) * w, 10)) for f, w in zip(number, (1, 2) * 5, strict=False))
    return len(value) if total % 10 == int(number[10]) else 0


def lanr(value: str) -> int:
    """A German physician number (KBV, Arztnummern-Richtlinie): weights 4 and 9, complement modulo 10."""
    number = digits(value)
    return len(value) if -_sum(number[:6], (4, 9) * 3) % 10 == int(number[6]) and _varied(number) else 0


def icao(value: str) -> int:
    """A document number with its check digit (ICAO Doc 9303-3, 4.9): weights 7, 3, 1; letters count from 10."""
    signs = _signs(value)
    total = sum(int(sign, 36) * weight for sign, weight in zip(signs[:-1], (7, 3, 1) * 3, strict=False))
    return len(value) if total % 10 == int(signs[-1]) else 0


def german_document(value: str) -> int:
    """The nine signs of a German document, the last of which checks the others (ICAO Doc 9303), or eight and it.

    A T and eight digits are an older identity card, whose number has no check digit of its own.
    """
    signs = _signs(value)
    if signs[0] == "T" and signs[1:].isdigit() and len(signs) == 9:
        return len(value) if _varied(signs[1:]) else 0
    return icao(value)


def aadhaar(value: str) -> int:
    """An Aadhaar number (UIDAI): Verhoeff's check, and no palindrome."""
    number = digits(value)
    check = 0
    for place, figure in enumerate(reversed(number)):
        check = _dihedral(check, _turned(int(figure), place))
    return len(value) if check == 0 and len(number) == 12 and number != number[::-1] else 0


def _dihedral(a: int, b: int) -> int:
    """The product in the group of a pentagon's rotations (0 to 4) and reflections (5 to 9)."""
    if a < 5:
        return (a + b) % 5 if b < 5 else 5 + (a + b) % 5
    return 5 + (a - b) % 5 if b < 5 else (a - b) % 5


def _turned(figure: int, times: int) -> int:
    for _ in range(times % 8):
        figure = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)[figure]
    return figure


def nin(value: str) -> int:
    """A Nigerian NIN (NIMC): eleven digits with Verhoeff's check."""
    number, check = digits(value), 0
    for place, figure in enumerate(reversed(number)):
        check = _dihedral(check, _turned(int(figure), place))
    return len(value) if check == 0 and len(number) == 11 and _varied(number) else 0


def gstin(value: str) -> int:
    """A GSTIN (CBIC): a state, a PAN, an entity, Z, and a sign that checks the rest in base 36."""
    signs = _signs(value)
    parts = (divmod(int(sign, 36) * (1 + place % 2), 36) for place, sign in enumerate(signs[:14]))
    return len(value) if -sum(map(sum, parts)) % 36 == int(signs[14], 36) else 0


def rrn(value: str) -> int:
    """A Korean resident or foreigner number: a day of birth. Since October 2020 no digit checks the others."""
    number = digits(value)
    return len(value) if len(number) == 13 and _is_day(number[2:4], number[4:6]) else 0


def brn(value: str) -> int:
    """A Korean business number (National Tax Service): weights, of the last product also its tens."""
    number = digits(value)
    last = int(number[8]) * 5
    total = _sum(number[:8], _BRN) + last + last // 10
    return len(value) if -total % 10 == int(number[9]) else 0


def nric(value: str) -> int:
    """A NRIC or FIN of Singapore: weights 2, 7 to 2, the letter out of the list of its series."""
    signs = _signs(value)
    total = _sum(signs[1:8], (2, 7, 6, 5, 4, 3, 2)) + {"T": 4, "G": 4, "M": 3}.get(signs[0], 0)
    letters = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "F": "XWUTRQPNMLK", "G": "XWUTRQPNMLK", "M": "XWUTRQPNJLK"}
    return len(value) if letters[signs[0]][total % 11] == signs[8] else 0


def thai(value: str) -> int:
    """A Thai identification number (DOPA): weights 13 to 2, complement modulo 11."""
    number = digits(value)
    fits = len(number) == 13 and _varied(number)
    return len(value) if fits and (11 - _sum(number, range(13, 1, -1)) % 11) % 10 == int(number[12]) else 0


def tckn(value: str) -> int:
    """A Turkish identity number (NVI): the tenth and the eleventh digit check the others."""
    number = digits(value)
    figures = list(map(int, number))
    tenth = (sum(figures[:9:2]) * 7 - sum(figures[1:8:2])) % 10
    return len(value) if tenth == figures[9] and sum(figures[:10]) % 10 == figures[10] and _varied(number) else 0


def cpf(value: str) -> int:
    """A Brazilian CPF (Receita Federal): two digits, modulo 11."""
    return _brazilian(value, 11, (10, 9, 8, 7, 6, 5, 4, 3, 2))


def cnpj(value: str) -> int:
    """A Brazilian CNPJ (Receita Federal): two digits, modulo 11."""
    return _brazilian(value, 14, (5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2))


def _brazilian(value: str, length: int, weights: tuple[int, ...]) -> int:
    number = digits(value)
    if len(number) != length or not _varied(number):
        return 0
    first = -_sum(number, weights) % 11 % 10
    second = -(_sum(number, (weights[0] + 1 if length == 11 else 6, *weights[: len(weights)])) % 11) % 11 % 10
    return len(value) if number[-2:] == f"{first}{second}" else 0


def nir(value: str) -> int:
    """A French NIR (INSEE): the last two digits are 97 less the rest modulo 97; Corsica counts as 19 and 18."""
    signs = _signs(value)
    number = signs.replace("2A", "19").replace("2B", "18")
    fits = len(number) == 15 and number.isdigit()
    return len(value) if fits and 97 - int(number[:13]) % 97 == int(number[13:]) else 0


def bsn(value: str) -> int:
    """A Dutch BSN (Besluit BSN): the test of eleven."""
    number = digits(value)
    fits = len(number) == 9 and _varied(number)
    return len(value) if fits and _sum(number, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0 else 0


def rijksregister(value: str) -> int:
    """A Belgian national number (Royal Decree of 3 April 1984): 97 less the rest modulo 97, a 2 in front since 2000."""
    number = digits(value)
    last = int(number[9:])
    rests = (97 - int(head + number[:9]) % 97 for head in ("", "2"))
    return len(value) if last in rests and int(number[2:4]) <= 12 and _varied(number) else 0


def ahv(value: str) -> int:
    """A Swiss AHV number (Central Compensation Office): 756 and the check digit of EAN-13."""
    number = digits(value)
    return len(value) if len(number) == 13 and _sum(number, (1, 3) * 6 + (1,)) % 10 == 0 else 0


def curp(value: str) -> int:
    """A Mexican CURP (RENAPO): its last digit checks the rest, with letters counted in the Spanish alphabet."""
    signs = _signs(value)
    alphabet = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
    total = sum(alphabet.index(sign) * (18 - place) for place, sign in enumerate(signs[:17]))
    return len(value) if signs[17].isdigit() and -total % 10 == int(signs[17]) else 0


def za_id(value: str) -> int:
    """A South African identity number (Department of Home Affairs): a day of birth, and Luhn."""
    number = digits(value)
    fits = len(number) == 13 and _is_day(number[2:4], number[4:6])
    return len(value) if fits and luhn(number) else 0
