"""Texts that stand in others encoded: in base64 and base64url (RFC 4648), percent-encoded (RFC 3986, 2.1), and with the
escapes of JSON strings (RFC 8259, 7) where the whole is not JSON, as in a line of a log.

They are decoded, looked at as any text or JSON, and encoded again if something was in them. What does not decode to
text stays as it is: images, keys, hashes.

Base64 of ASCII shows: of each four characters the first three can be only some of the alphabet. So a run of random
characters is seldom looked at, and what is no run costs nothing.
"""

import json
import re
from base64 import b64encode, urlsafe_b64encode
from binascii import Error, a2b_base64
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from redaction import disguise
from redaction.engine import Engine, Matcher
from redaction.finding import Finding, Hit, Opened
from redaction.linear import ANYWHERE, matcher
from redaction.search import search_text
from redaction.tables import Tables
from redaction.unwrap import FORM, JSON, PERCENT, Escaping, unwrap
from redaction.walk import is_common, is_document

MOST_OPENED: Final = 3
"""Encoded texts in each other that are looked into."""

LEAST: Final = 14
"""Characters of base64; ten bytes, as the shortest findings have them."""

# Four characters that stand for three of ASCII, tab to tilde.
_ONE, _TWO, _THREE = "[CDI-Za-f]", "[A-HQ-Xg-nw-z0-3]", "[ABEFIJMNQRUVYZcdghklopstwx014589]"
_ALPHABET: Final = r"[A-Za-z0-9+/_\-]"
_BASE64: Final = f"(?:{_ONE}{_TWO}{_THREE}{_ALPHABET}){{3}}{_ONE}{_TWO}"
_ESCAPE: Final = "%(?:[2-7C-Fc-f][0-9A-Fa-f]|0[9ADad])"
# Those that hide a value, its beginning, or words that tell of it in other scripts than ASCII.
_BACKSLASH: Final = r"\\[nrtbf\"][0-9A-Za-z+(]|\\u(?:000[9aAdD]|00[2-9A-Fa-f]|0[1-9A-Fa-f]|[1-9A-Fa-f])"
GATES: Final = (_BASE64, _ESCAPE, _BACKSLASH, disguise.GATE)

_QUADS: Final = matcher(_BASE64, capture=False)
_ESCAPED: Final = re.compile(_ESCAPE.encode())
_BACKSLASHED: Final = re.compile(_BACKSLASH.encode())
_AN_ESCAPE: Final = re.compile(rb"\\(?:[nrtbf]|u[0-9A-Fa-f]{4})")
_RUN: Final = re.compile(rf"{_ALPHABET}{{{LEAST},}}+={{0,2}}".encode())
_NEXT: Final = re.compile(rf"(\r?\n)({_ALPHABET}++={{0,2}})".encode())
_JWT: Final = re.compile(rb"(?<![\w\-])(eyJ[\w\-]++)\.[\w\-]++(?:\.[\w\-]*+)?")
_SHORTEST_LINE: Final = 32  # of several that make one text; MIME (RFC 2045) writes 76, PEM (RFC 7468) 64
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
_CONTROLS: Final = bytes([*range(9), 11, 12, *range(14, 32), 127])
_MOST_CONTROLS: Final = 0.2  # of a text; more make it something else
_FEW: Final = 8  # texts that are looked at each by itself
_BETWEEN: Final = b"\n" + b" " * 64 + b"\n"  # more than the words around a value that count
_AROUND: Final = 256  # bytes around the first and the last escape that are read with them


def opening(engine: Engine) -> tuple[Engine, Engine]:
    """The engine, whose gates end with GATES, looking into encoded texts; and the same for a text that comes in pieces:
    it takes each line for itself, and a JSON text for a text; so it knows of no tables.
    """
    whole = text = engine
    tables = [Tables(engine.keys)]
    for deep in range(MOST_OPENED):
        lines = deep < MOST_OPENED - 1
        whole, text = (
            engine.opening([_Base64(whole, deep, True, True), *_others(text, engine, True)], tables),
            engine.opening([_Base64(whole, deep, lines, False), *_others(text, engine, False)]),
        )
    return whole, text


def _others(inner: Engine, engine: Engine, structured: bool) -> list[Matcher]:
    return [_Percent(inner, engine, structured), _Backslashes(inner, structured), _Disguised(engine, structured)]


class _Stretch(NamedTuple):
    """Base64 of a text: its place, the text, bytes behind it that are half a character. Of several lines `width` is
    that of each, and `mark` ends each."""

    start: int
    end: int
    text: str
    tail: bytes
    width: int = 0
    mark: bytes = b""


class _Form(NamedTuple):
    """How base64 was written, so that other text is written alike. `width` 0 means one line."""

    url_safe: bool
    padded: bool
    width: int
    line_end: str
    tail: bytes

    def write(self, text: str) -> str:
        data = text.encode("utf-8", "replace") + self.tail
        made = (urlsafe_b64encode(data) if self.url_safe else b64encode(data)).decode()
        made = made if self.padded else made.rstrip("=")
        if not self.width:
            return made
        return self.line_end.join(made[at : at + self.width] for at in range(0, len(made), self.width))


class _Base64:
    numbers = False
    score = 0.0

    def __init__(self, inner: Engine, deep: int, lines: bool, structured: bool) -> None:
        self._inner, self._deep, self._lines, self._structured = inner, deep, lines, structured

    def find(self, data: bytes, key: Callable[[], str], first: int, found: list[Finding]) -> None:
        """Adds to `found` the runs of base64 with something in them. `data` begins at `first`."""
        if self._structured and _is_read_by_structure(data):
            return
        for each in self._telling(list(_stretches(data, self._lines)), key):
            hits = self._look(each.text, key)
            if hits:
                surest = max((one for hit in hits for one in hit.findings), key=lambda one: one.score)
                opened = Opened(each.text, is_document(each.text), hits, _form(data, each).write)
                place = first + each.start, first + each.end
                found.append(Finding(surest.kind, *place, surest.score / 2, surest.detector, opened=opened))

    def _telling(self, some: list[_Stretch], key: Callable[[], str]) -> Iterator[_Stretch]:
        """Those that may have something in them. Many short ones are looked at together: a look at each costs more."""
        if len(some) < _FEW:
            yield from some
        elif self._inner.find_in(_BETWEEN.join(each.text.encode() for each in some), key, False):
            half = len(some) // 2
            yield from self._telling(some[:half], key)
            yield from self._telling(some[half:], key)
        else:
            yield from (each for each in some if each.text.lstrip()[:1] in ("{", "["))

    def _look(self, text: str, key: Callable[[], str]) -> list[Hit]:
        if is_document(text):
            return search_text(text, self._inner, self._deep)
        found = self._inner.find(text, key())
        return [Hit(0, len(text), False, False, found)] if found else []


class _Percent:
    numbers = False
    score = 0.0

    def __init__(self, inner: Engine, base: Engine, structured: bool) -> None:
        self._structured = structured
        # A plus that was encoded itself is read by the first, so the second opens nothing further.
        self._ways = ((PERCENT, inner), (FORM, base))

    def find(self, data: bytes, key: Callable[[], str], first: int, found: list[Finding]) -> None:
        """Adds to `found` what shows only once percent-encoding is undone. `data` begins at `first`."""
        escape = _ESCAPED.search(data)
        if escape is None or (self._structured and _is_read_by_structure(data)):
            return
        left, right = _around(data, escape.start(), data.rfind(b"%"))
        text = data[left:right].decode("utf-8", "replace")
        for escaping, inner in self._ways if "+" in text else self._ways[:1]:
            read = unquote_to_bytes(data[left:right] if escaping is PERCENT else data[left:right].replace(b"+", b" "))
            if not inner.find_in(read, key, False):
                continue
            # What replaces it must not end the URL that it may stand in, where a plus would be a plus.
            found += _placed(_seen(text, escaping, inner, key(), PERCENT.write), text, first + left)


class _Backslashes:
    numbers = False
    score = 0.0

    def __init__(self, inner: Engine, structured: bool) -> None:
        self._inner, self._structured = inner, structured

    def find(self, data: bytes, key: Callable[[], str], first: int, found: list[Finding]) -> None:
        """Adds to `found` what shows only once the escapes of JSON strings are undone. `data` begins at `first`."""
        escape = _BACKSLASHED.search(data)
        if escape is None or (self._structured and _is_read_by_structure(data)):
            return
        left, right = _around(data, escape.start(), data.rfind(b"\\"))
        text = data[left:right].decode("utf-8", "replace")
        seen = _placed(_seen(text, JSON, self._inner, key(), _in_a_string), text, first + left)
        found[:] = [_behind_escape(each, seen, data, first) for each in found]
        found += seen


def _behind_escape(one: Finding, seen: Iterable[Finding], data: bytes, first: int) -> Finding:
    """A finding without the end of an escape with which it begins: `\\tana@example.org` is a tab and an address."""
    escape = _AN_ESCAPE.match(data, max(0, one.start - first - 1))
    if escape is None or escape.start() >= one.start - first:
        return one
    start = first + escape.end()
    return one._replace(start=start) if any((start, one.end) == (each.start, each.end) for each in seen) else one


class _Disguised:
    numbers = False
    score = 0.0

    def __init__(self, inner: Engine, structured: bool) -> None:
        self._inner, self._structured = inner, structured

    def find(self, data: bytes, key: Callable[[], str], first: int, found: list[Finding]) -> None:
        """Adds to `found` what shows only once characters are read as they look. `data` begins at `first`."""
        text = data.decode("utf-8", "replace")
        if disguise.SIGN.search(text) is None or (self._structured and _is_read_by_structure(data)):
            return
        flat = unwrap(text, disguise.DISGUISE)
        seen = ((flat.outer(each.start), flat.outer(each.end), each) for each in self._inner.find(flat.text, key()))
        other = ((s, e, each) for s, e, each in seen if text[s:e] != flat.text[each.start : each.end])
        found += _placed((each._replace(start=s, end=e) for s, e, each in other), text, first)


def _placed(seen: Iterable[Finding], text: str, first: int) -> list[Finding]:
    """The findings in a text that begins at the byte `first`, with offsets in bytes."""
    some = list(seen)
    at = _in_bytes(text, (place for each in some for place in (each.start, each.end)))
    return [each._replace(start=first + at[each.start], end=first + at[each.end]) for each in some]


def _in_a_string(plain: str) -> str:
    return json.dumps(plain)[1:-1]


def _seen(text: str, escaping: Escaping, inner: Engine, key: str, write: Callable[[str], str]) -> Iterator[Finding]:
    """What is found once the escapes of a text are undone; `write` escapes what stands in its place."""
    flat = unwrap(text, escaping)
    for each in inner.find(flat.text, key):
        start, end = flat.outer(each.start), flat.outer(each.end)
        plain = flat.text[each.start : each.end]
        if text[start:end] == plain:  # only what stands beside it is escaped, which may have hidden where it begins
            yield each._replace(start=start, end=end)
            continue
        own = each._replace(start=0, end=len(plain))
        opened = Opened(plain, False, [Hit(0, len(plain), False, False, [own])], write)
        # Of base64 whose rest is encoded once more, this is the whole: it must not be less sure than the part.
        score = each.score if each.opened else each.score / 2
        yield Finding(each.kind, start, end, score, each.detector, opened=opened)


def _is_read_by_structure(data: bytes) -> bool:
    """Whether a text is JSON with strings, each of which is looked at by itself: else all would be opened twice, and
    what is nested in it again and again."""
    return data[:1] in (b"{", b"[") and b'"' in data and is_common(data)


def _tokens(data: bytes) -> list[tuple[int, int]]:
    """Where JSON Web Tokens (RFC 7519) are, last first: they have a kind of their own."""
    heads = ((token.span(), _read(token[1])) for token in _JWT.finditer(data)) if b"eyJ" in data else ()
    return [span for span, head in heads if head and '"alg"' in head[0]][::-1]


def _stretches(data: bytes, lines: bool) -> Iterator[_Stretch]:
    """The texts in base64."""
    at, tokens = 0, _tokens(data)
    while run := _RUN.search(data, at):
        start, at = run.span()
        while tokens and tokens[-1][1] <= start:
            tokens.pop()
        if tokens and tokens[-1][0] <= start:
            continue
        end, mark = _block(data, run) if lines else (at, b"")
        shown = _QUADS(ANYWHERE, data, start, end)[0][0]
        if shown < 0:
            continue
        if mark and (whole := _read(data[start:end].replace(mark, b""))):
            yield _Stretch(start, end, *whole, at - start, mark)
            at = end
        else:
            yield from _parts(run[0], start, shown - start)


def _block(data: bytes, run: re.Match[bytes]) -> tuple[int, bytes]:
    """Where the lines end that go on a run of their width, and what ends each of them; nothing for one line."""
    width, end, mark = run.end() - run.start(), run.end(), b""
    if width < _SHORTEST_LINE or width % 4 or run[0].endswith(b"="):
        return end, mark
    while (line := _NEXT.match(data, end)) and len(line[2]) <= width and mark in (b"", line[1]):
        end, mark = line.end(), line[1]
        if len(line[2]) < width or line[2].endswith(b"="):
            break
    return end, mark


def _parts(run: bytes, start: int, at: int) -> Iterator[_Stretch]:
    """The texts in one line, which begins at `start`: all of it, or all from `at`, where it looks so, or segments."""
    if whole := _read(run):
        yield _Stretch(start, start + len(run), *whole)
        return
    if 0 < at < len(run) and (rest := _read(run[at:])):
        yield _Stretch(start + at, start + len(run), *rest)
        return
    for segment in run.split(b"/") if b"/" in run else ():
        if len(segment) >= LEAST and _QUADS(ANYWHERE, segment, 0, len(segment))[0][0] >= 0 and (part := _read(segment)):
            yield _Stretch(start, start + len(segment), *part)
        start += len(segment) + 1


def _read(run: bytes) -> tuple[str, bytes] | None:
    """A run as text, and what is left of a character that was cut off; None where it is no text."""
    bare = run.rstrip(b"=").translate(_URL_SAFE)
    try:
        data = a2b_base64(bare + b"=" * (-len(bare) % 4))
    except Error:
        return None
    tail = b""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data":
            return None
        text, tail = data[: error.start].decode(), data[error.start :]
    controls = len(data) - len(data.translate(None, _CONTROLS))
    return None if controls > len(data) * _MOST_CONTROLS else (text, tail)


def _form(data: bytes, each: _Stretch) -> _Form:
    run = data[each.start : each.end].replace(each.mark, b"") if each.mark else data[each.start : each.end]
    url_safe = b"-" in run or b"_" in run
    padded = run.endswith(b"=") or (len(run) % 4 == 0 and not url_safe)
    return _Form(url_safe, padded, each.width, each.mark.decode(), each.tail)


def _around(data: bytes, first: int, last: int) -> tuple[int, int]:
    """What is read for escapes of which these are the first and the last."""
    return _whole(data, max(0, first - _AROUND)), _whole(data, min(len(data), last + _AROUND))


def _whole(data: bytes, at: int) -> int:
    """`at`, or where the character begins in whose middle it is."""
    while 0 < at < len(data) and data[at] & 0xC0 == 0x80:
        at -= 1
    return at


def _in_bytes(text: str, offsets: Iterable[int]) -> dict[int, int]:
    """The offset in UTF-8 of each offset in code points."""
    at: dict[int, int] = {}
    last = count = 0
    for offset in sorted(offsets):
        count += len(text[last:offset].encode("utf-8", "replace"))
        at[offset] = count
        last = offset
    return at
