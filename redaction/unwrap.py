"""Text behind an escaping: read as its reader will read it, with the way back to where it stands.

Each escape stands for one character. What an escape cannot stand for (half a surrogate pair, broken UTF-8) is read
as U+FFFD, so that the rest of the text is still seen.
"""

import html
import html.entities
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import accumulate
from typing import Generic, NamedTuple, TypeVar
from urllib.parse import quote, quote_plus, unquote

import orjson

T = TypeVar("T", bound=str | bytes)

UNREADABLE = "�"
HIDDEN = b"\x01"  # what a quotation mark in a string reads as, where it must not end it
_ESCAPED = rb"\u0001"
ESCAPES_KEPT = 1_000  # escapes of each sort whose reading is kept; a text uses the same few again and again
_SIMPLE = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_ENDLESS = re.compile("&#[0-9]{640,};?")  # no limit of Python's may be lower than that
_BYTE = "%[89ABab][0-9A-Fa-f]"  # a UTF-8 continuation byte


@dataclass(frozen=True, slots=True)
class Escaping:
    """One way to escape characters: how it looks (`hint`: a character without which there is none), what an escape
    stands for, and how to write plain text under it."""

    hint: str
    pattern: re.Pattern[str]
    read: Callable[[str], str]
    write: Callable[[str], str]


class Unwrapped(NamedTuple, Generic[T]):
    """Unescaped text. `ends` are the offsets in it just after each escape's character, `gains` how much longer the
    escaped text is up to there."""

    text: T
    ends: list[int]
    gains: list[int]

    def outer(self, offset: int) -> int:
        """Where `offset`, between two characters of `text`, lies in the escaped text."""
        at = bisect_right(self.ends, offset)
        return offset + self.gains[at - 1] if at else offset

    def inner(self, offset: int) -> int:
        """The way back: where an offset in the escaped text lies in `text`."""
        at = bisect_right(range(len(self.ends)), offset, key=lambda index: self.ends[index] + self.gains[index])
        return offset - self.gains[at - 1] if at else offset


def unwrap(text: str, escaping: Escaping) -> Unwrapped[str]:
    """`text` as it reads once unescaped."""
    if escaping.hint not in text:
        return Unwrapped(text, [], [])
    pieces: list[str] = []
    ends: list[int] = []
    gains: list[int] = []
    at = gain = 0
    for match in escaping.pattern.finditer(text):
        start, end = match.span()
        pieces += text[at:start], escaping.read(match[0])
        at = end
        gain += end - start - 1
        ends.append(end - gain)
        gains.append(gain)
    pieces.append(text[at:])
    return Unwrapped("".join(pieces), ends, gains)


def unwrap_json(data: bytes) -> Unwrapped[bytes]:
    """JSON in UTF-8 with the escapes undone, except that escaped quotation marks read as HIDDEN.

    So in a whole JSON text those that are left are the ends of its strings.
    """
    pieces: list[bytes] = []
    ends: list[int] = []
    gains: list[int] = []
    at = gain = 0
    for match in _JSON_ESCAPE.finditer(data):
        start, end = match.span()
        read = _read_json_bytes(match[0])
        pieces += data[at:start], read
        at = end
        gain += end - start - len(read)
        ends.append(end - gain)
        gains.append(gain)
    pieces.append(data[at:])
    return Unwrapped(b"".join(pieces), ends, gains)


def read_json(data: bytes) -> bytes:
    """The text that `unwrap_json` gives for a whole JSON text, at a tenth of the price."""
    # What is left between quotation marks once the text is made one string is what orjson reads.
    text = data.replace(rb"\\", rb"\u005c").replace(rb"\"", _ESCAPED).replace(rb"\u0022", _ESCAPED)
    for raw, escaped in ((b'"', rb"\""), (b"\n", rb"\n"), (b"\r", rb"\r"), (b"\t", rb"\t")):
        text = text.replace(raw, escaped)
    try:
        read: str = orjson.loads(b'"' + text + b'"')
    except orjson.JSONDecodeError:  # half a surrogate pair
        return unwrap_json(data).text
    return read.encode()


def read_html(text: str) -> str:
    """Text with the escapes of HTML undone. `html.unescape` fails at numbers of more digits than Python reads."""
    try:
        return html.unescape(text)
    except ValueError:
        return html.unescape(_ENDLESS.sub(UNREADABLE, text))


def way_out_of_json(data: bytes) -> Callable[[int], int]:
    """Where an offset in the text that `unwrap_json` gives lies in `data`."""
    paired = data.replace(rb"\\", rb"\/")
    if rb"\u" in paired:
        return unwrap_json(data).outer
    # Each of the others is two bytes for one.
    begins = [*accumulate(map(len, paired.split(b"\\")))]
    return lambda offset: offset + bisect_left(begins, offset)


@lru_cache(ESCAPES_KEPT)
def _read_json(escape: str) -> str:
    if escape[1] != "u":
        return _SIMPLE.get(escape[1], escape[1])
    code = int(escape[2:6], 16)
    if len(escape) > 6:
        code = 0x10000 + ((code - 0xD800) << 10) + int(escape[8:], 16) - 0xDC00
    return UNREADABLE if 0xD800 <= code <= 0xDFFF else chr(code)


@lru_cache(ESCAPES_KEPT)
def _read_json_bytes(escape: bytes) -> bytes:
    read = _read_json(escape.decode("utf-8", "replace"))
    return HIDDEN if read == '"' else read.encode()


@lru_cache(ESCAPES_KEPT)
def _read_form(escape: str) -> str:
    return " " if escape == "+" else unquote(escape)[:1]


@lru_cache(ESCAPES_KEPT)
def _read_markup(escape: str) -> str:
    if escape[1] != "#":
        named = html.entities.html5.get(escape[1:], UNREADABLE)
        return named if len(named) == 1 else UNREADABLE
    digits = escape[2:].rstrip(";")
    code = int(digits[1:], 16) if digits[0] in "xX" else int(digits)
    return chr(code) if code < 0xD800 or 0xDFFF < code <= 0x10FFFF else UNREADABLE


PLAIN = Escaping("\ud800", re.compile("(?!)"), str, str)  # the hint stands in no decoded text
_JSON = r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[^u])"
_JSON_ESCAPE = re.compile(_JSON.encode())
JSON = Escaping(
    "\\",
    re.compile(_JSON),
    _read_json,
    lambda plain: plain,
)
FORM = Escaping(
    "",
    re.compile(
        rf"\+|%[CDcd][0-9A-Fa-f]{_BYTE}|%[Ee][0-9A-Fa-f]{_BYTE}{_BYTE}|%[Ff][0-7]{_BYTE}{_BYTE}{_BYTE}|%[0-9A-Fa-f]{{2}}"
    ),
    _read_form,
    quote_plus,
)
# In a URL, angle brackets are no ends of anything; so a kind that stands in one is read as it is.
PERCENT = Escaping(
    "%",
    re.compile(FORM.pattern.pattern.removeprefix(r"\+|")),
    FORM.read,
    partial(quote, safe="<>*:"),
)
# Readers skip zeros in front, and need no `;` behind a number nor behind some names: those of two may hide a value.
MARKUP = Escaping(
    "&",
    re.compile(r"&(?:#0{0,99}[0-9]{1,8};?|#[xX]0{0,99}[0-9a-fA-F]{1,6};?|[A-Za-z]{2,32};|nbsp|shy)"),
    _read_markup,
    html.escape,
)
