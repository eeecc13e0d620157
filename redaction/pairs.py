"""The values in a text that the name before them gives away: `First name: Ana`, `?dob=1980-01-01`, `zip="85025"`.

A name stands at the beginning of a line, in a query, behind what ends another pair, in quotation marks, or is an
element of markup whose next neighbour holds the value. In a text names are words like others, and programs are texts
too: so a value has to look more like one than in JSON (`text` in keys.toml).
"""

import re
from collections.abc import Callable, Iterator
from urllib.parse import unquote_plus

from redaction.finding import Finding
from redaction.keys import DETECTOR, SCORE, Judge, Keys
from redaction.linear import ANYWHERE
from redaction.unwrap import read_html

LONGEST = 200
"""Characters of a value: with its name less than what a stream holds back."""

_LONGEST_NAME = 48
_IN_NAMES = " _.'’-"
_FARTHEST = _LONGEST_NAME + 32
# From the sign backwards: what is not of the name, then the name.
_BACK = re.compile(rf"([\W_]*)[\w .'’-]{{0,{_LONGEST_NAME}}}")
# What is decoded around a sign, in bytes: characters may have four.
_BEFORE, _BEHIND = 4 * 80, 4 * (LONGEST + 60)
# What stands between a name and its value: marks around the name, a colon or equals sign, or two elements of markup.
_MARKS = r"""["'`\])*_]{0,3}[ \t]{0,3}"""
_SIGN = re.compile(_MARKS + r"""(?:=>|[:=])[*_]{0,2}[ \t]{0,8}(?:[*_]{1,2}[ \t]{0,2})?(["'`]?)""")
_ELEMENT = re.compile(
    r"[ \t:]{0,3}</(?:th|td|dt|label|b|strong|span|div|p)>[ \t\r\n:]{0,40}"
    r"(?:<(?:td|dd|span|div|p|strong|b)(?:\s[^<>]{0,200})?>)?\s{0,20}([^<>]{1,200})<"
)
_QUERY = re.compile(r"=([^?&#;\s\"'<>`]{1,200})")
_WORD = re.compile(r"=([^\s\"'`,;&<>(){}\[\]]{1,200})")
_LINE = re.compile(r"[^\r\n]{1,201}")
_CUT = re.compile(r"[;|\t,{}<>]|  |\\[nrt]")
_EDGE = " \t,;.|*_`\"'"


_Told = tuple[Judge, int, int]  # what judges the value, and where it stands


class Pairs:
    """Looks at each name that `keys` know with a sign behind it. Linear: for each it reads no more than LONGEST."""

    numbers = False
    score = SCORE

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def find(self, data: bytes, key: Callable[[], str], first: int, found: list[Finding]) -> None:
        """Adds to `found` what the names in `data`, which begins at `first`, give away."""
        told, text = (self._in_ascii, data.decode()) if data.isascii() else (self._around, "")
        end, size, find = 0, len(data), self._keys.find_pair
        while end < size and (end := find(ANYWHERE, data, end, size)[0][1]) >= 0:
            if hit := told(data, text, end):
                judge, begins, ends = hit
                found.append(Finding(judge.kind, first + begins, first + ends, SCORE, DETECTOR))

    def _in_ascii(self, data: bytes, text: str, end: int) -> _Told | None:
        return self._told(text, end, True)

    def _around(self, data: bytes, text: str, end: int) -> _Told | None:
        """The same where characters and bytes differ: only what is around the name is decoded."""
        left = max(0, end - _BEFORE)
        part = data[left : end + _BEHIND].decode("utf-8", "replace")
        hit = self._told(part, len(data[left:end].decode("utf-8", "replace")), left == 0)
        if hit is None:
            return None
        judge, begins, ends = hit
        return judge, left + _size(part[:begins]), left + _size(part[:ends])

    def _told(self, text: str, end: int, is_whole: bool) -> _Told | None:
        """What the name whose sign ends before `end` tells."""
        back = _BACK.match(text[max(0, end - _FARTHEST) : end][::-1])
        assert back is not None
        end, start = end - back.end(1), end - back.end()
        name = text[start:end].strip(_IN_NAMES)
        role = self._keys.role(name)
        if role is None or role.judge is None or role.alone:
            return None
        left = text[start - 1] if start else ("\n" if is_whole else "")
        if left == ";" and text.endswith("&amp;", 0, start):
            left = "&"
        for begins, ends, value in _values(text, end, left, role.judge.kind != "PERSON"):
            if role.judge.fits_text(value, name):
                return role.judge, begins, ends
        return None


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _values(text: str, at: int, left: str, bare: bool) -> Iterator[tuple[int, int, str]]:
    """Where the value of a name that ends at `at` may stand, and how it reads. `left` stands before the name.

    Not `bare`: behind an equals sign it needs quotation marks, or it is the name of something in a program.
    """
    if "<" in text[at : at + 4] and (element := _ELEMENT.match(text, at)):
        yield _stripped(text, *element.span(1), read_html)
    if left and left in "?&" and text.startswith("=", at):
        if query := _QUERY.match(text, at):
            yield (*query.span(1), unquote_plus(query[1]))
        return
    sign = _SIGN.match(text, at)
    if sign is None:
        return
    begins = sign.end()
    if quote := sign[1]:
        ends = text.find(quote, begins, begins + LONGEST + 1)
        if ends > begins:
            yield begins, ends, text[begins:ends]
        return
    if not bare and "=" in sign[0] and not ("=>" in sign[0] and left == "["):  # as PHP prints it
        return
    if word := _WORD.match(text, at):
        yield _stripped(text, *word.span(1), str)
    if left and left in "\n\r,;|>({[\t*#" and (line := _LINE.match(text, begins)):
        yield _stripped(text, begins, line.end(), str)
        if cut := _CUT.search(text, begins, line.end()):
            yield _stripped(text, begins, cut.start(), str)


def _stripped(text: str, start: int, end: int, read: Callable[[str], str]) -> tuple[int, int, str]:
    """A stretch without the marks at its edges."""
    while end > start and text[end - 1] in _EDGE:
        end -= 1
    while start < end and text[start] in _EDGE:
        start += 1
    return start, end, read(text[start:end])
