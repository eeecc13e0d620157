"""Telephone numbers: international ones as libphonenumber's metadata knows them, national ones by their length.

`dialling.json` holds the ranges of each calling code; `tests/redaction/phone_ranges.py` writes it.
"""

import json
import re
from functools import cache
from pathlib import Path

from redaction.checks import digits
from redaction.linear import WHOLE, Match, matcher

_EXTENSION = re.compile(r"[ ,]*(?:x|ext).*", re.IGNORECASE)
_DATE = re.compile(
    r"(?:19|20)\d\d([-/. ]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])"
    r"|(?:0?[1-9]|[12]\d|3[01])[-/.]\d\d?[-/.](?:19|20)\d\d"
)
_RANGES: dict[str, tuple[str, list[int]]] = json.loads(Path(__file__).with_name("dialling.json").read_text("utf-8"))[
    "ranges"
]
# Within a country a zero stands in front, and is often left standing: +44 (0)20 ...
_TRUNK = "(0)"
# Seconds as clocks of computers write them, and the years of a copyright.
_TIME = re.compile(r"[0-5]\d\.\d{6}|\d+\.\d{9}|\d{9,}\.\d{3}|(?:19|20)\d\d(?:[ \-/,]{1,3}(?:19|20)\d\d){1,3}")
_FIGURES = frozenset("0123456789")
# Groups as people write them; a form for which a number need not be in use, for many write those that never are.
_GROUPS = re.compile(r"\d[ .\-/()]+\d")
# A place on earth in ISO 6709, as `zone.tab` writes it: +4734-05243.
_PLACE = re.compile(r"\+\d{4}(?:\d\d)?-\d{5}(?:\d\d)?")
# As many digits behind a plus sign are nothing else, so that a range newer than the metadata is not passed over.
_SURELY = 11


def international(value: str) -> int:
    """A telephone number in international form (ITU-T E.164).

    One in use; one of a length that its country uses, if it is long; one of fitting length that is written in groups.
    """
    written = _without_extension(value)
    number = digits(written.replace(_TRUNK, ""))
    code = _calling_code(number)
    if not code or len(set(number)) < 3 or _PLACE.fullmatch(value):
        return 0
    rest = number[len(code) :]
    in_use = _in_use(code)(WHOLE, rest.encode(), 0, len(rest))[0][0] == 0
    if in_use or (len(number) >= _SURELY and len(rest) in _RANGES[code][1]):
        return len(value)
    return len(value) if _GROUPS.search(written) and _fits(code, number) else 0


def _calling_code(number: str) -> str:
    """The calling code that a number begins with, empty where none does. No code begins another (E.164)."""
    for size in (1, 2, 3):
        if number[:size] in _RANGES:
            return number[:size]
    return ""


def _fits(code: str, number: str) -> bool:
    if code in ("1", "7"):  # North America, Russia and Kazakhstan
        return len(number) == 11
    return 11 - len(code) <= len(number) <= 15


@cache
def _in_use(code: str) -> Match:
    """What fits the national significant numbers of this calling code that are in use."""
    return matcher(_RANGES[code][0], capture=False)


def national(value: str) -> int:
    """A telephone number without its country: 7 to 15 digits that are no date."""
    return _national(value, 7)


def spoken(value: str) -> int:
    """A telephone number in groups without its country: 6 to 13 digits that are no date."""
    return _national(value, 6, 13)


def _national(value: str, least: int, most: int = 15) -> int:
    if len(_FIGURES.intersection(value)) < 3:  # most false starts, at the least price
        return 0
    number = digits(_without_extension(value))
    if not least <= len(number) <= most or len(set(number)) < 3 or _TIME.fullmatch(value):
        return 0
    return 0 if ("19" in value or "20" in value) and _DATE.search(value) else len(value)


def _without_extension(value: str) -> str:
    return _EXTENSION.sub("", value) if "x" in value.lower() else value
