"""Surrogates: invented values of the same form, out of ranges that nobody owns."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Final

from redaction.checks import luhn

# RFC 2606 keeps example.com, .net and .org; names are common ones of several languages, in ASCII.
_DOMAINS: Final = ("example.com", "example.net", "example.org")
_FIRST: Final = (
    "Ada", "Alma", "Anton", "Astrid", "Bruno", "Carla", "Cora", "Dario", "Edda", "Elin", "Emil", "Erik", "Fiona",
    "Greta", "Hugo", "Ida", "Ines", "Ivo", "Jonas", "Karin", "Lars", "Lena", "Leo", "Livia", "Luca", "Maja", "Marco",
    "Marta", "Milo", "Nadia", "Nils", "Nora", "Olaf", "Oskar", "Paula", "Petra", "Rosa", "Ruben", "Selma", "Silas",
    "Tessa", "Theo", "Tilda", "Timo", "Vera", "Viktor", "Wanda", "Yara",
)  # fmt: skip
_LAST: Final = (
    "Abel", "Amsel", "Bark", "Birk", "Brandt", "Calder", "Corvin", "Dahl", "Delmar", "Ekholm", "Falk", "Farrow", "Fenn",
    "Garde", "Hale", "Hasek", "Holm", "Iversen", "Jansen", "Kestrel", "Kole", "Lark", "Lind", "Lorne", "Marlow",
    "Moor", "Nash", "Noble", "Orlov", "Osten", "Pell", "Quill", "Ravn", "Rowan", "Sand", "Sorel", "Stern", "Thorne",
    "Vale", "Varga", "Vance", "Wick", "Winter", "Yates", "Zeller",
)  # fmt: skip
_INITIALS: Final = "ABCDEFGHIJKLMNOPQRSTUVWYZ"
# Area codes of North America in which 555-0100 to 555-0199 are kept for fiction (NANPA), and Ofcom's range for drama.
_AREAS: Final = (202, 206, 212, 213, 303, 305, 312, 404, 415, 503, 512, 602, 612, 617, 702, 713, 801, 808, 907, 919)
_BRITISH: Final = "+44"
_MOST_TRIES: Final = 16


class Draw:
    """Numbers that look random and come out of a seed: the same for the same seed and place."""

    def __init__(self, seed: bytes, place: str) -> None:
        self._rest = int.from_bytes(hashlib.blake2b(place.encode(), digest_size=32, key=seed).digest(), "big")

    def below(self, most: int) -> int:
        self._rest, drawn = divmod(self._rest, most)
        return drawn

    def one(self, choices: tuple[str, ...]) -> str:
        return choices[self.below(len(choices))]


def _email(_: str, draw: Draw) -> str:
    local = f"{draw.one(_FIRST)}.{draw.one(_LAST)}{draw.below(900_000) + 100_000}".lower()
    return f"{local}@{draw.one(_DOMAINS)}"


def _person(value: str, draw: Draw) -> str:
    """One word for one word. Whole names have an initial, single ones are double: few people are called so."""
    first, other = draw.one(_FIRST), draw.one(_FIRST)
    if len(value.split()) == 1:
        return f"{first}-{other}"
    return f"{first} {_INITIALS[draw.below(len(_INITIALS))]}. {draw.one(_LAST)}"


def _phone(value: str, draw: Draw) -> str:
    if value.startswith(_BRITISH):
        return f"+44 7700 900{draw.below(1000):03}"
    return f"+1 {_AREAS[draw.below(len(_AREAS))]}-555-01{draw.below(100):02}"


def _card(value: str, draw: Draw) -> str:
    """Sixteen digits with a right checksum that begin with 9999: ISO/IEC 7812 leaves 9 to national bodies, and no
    scheme issues there. The separators are those of the value, where it has sixteen digits as well.
    """
    body = f"9999{draw.below(10**11):011}"
    digits = next(body + str(last) for last in range(10) if luhn(body + str(last)))
    shape = value if sum(map(str.isdigit, value)) == len(digits) else digits
    left = iter(digits)
    return "".join(next(left) if each.isdigit() else each for each in shape)


FORMS: Final[Mapping[str, Callable[[str, Draw], str]]] = {
    "EMAIL_ADDRESS": _email,
    "PERSON": _person,
    "presidio:PERSON": _person,
    "PHONE_NUMBER": _phone,
    "CREDIT_CARD": _card,
}
"""The kinds that have realistic surrogates."""


def surrogate(kind: str, value: str, seed: bytes, number: int, is_free: Callable[[str], bool]) -> str | None:
    """An invented value in the form of this one, for the `number`th value of its kind; None where none is free."""
    for attempt in range(_MOST_TRIES):
        made = FORMS[kind](value, Draw(seed, f"{kind} {number} {attempt}"))
        if is_free(made):
            return made
    return None
