"""The values in tables within texts that the heads of their columns give away, and the names in their rows.

A table is what Markdown and the clients of databases draw with `|`, what stands between tabs, commas or semicolons, or
in columns with two spaces or more between them or flush right behind numbers of the rows, as pandas prints them, and a
`<table>` of HTML. Its head is a line with such a name in it; a
line below says that it is one: a rule of dashes, or a row of as many cells. In a row of two cells the first may be the
name of the other: `| First name | Ana |`.
"""

import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Final, NamedTuple

from redaction.finding import Finding
from redaction.keys import DETECTOR, SCORE, Judge, Keys
from redaction.linear import ANYWHERE
from redaction.named_text import columns
from redaction.unwrap import read_html

LONGEST_LINE: Final = 4_000
"""Bytes of a line that may be a head or a row."""

_MOST_CELLS: Final = 128
_PAIR: Final = 2  # cells of a row that is a name with its value
_PIPES: Final = re.compile(rb"\||\xe2\x94\x82|\xe2\x94\x83|\xe2\x95\x91")  # | and the boxes' lines
_RULE: Final = re.compile(rb"(?:[ \t|+:=\-]|\xe2[\x94-\x95][\x80-\xbf])*+")
_DASHES: Final = (b"--", b"==", b"\xe2\x94\x80", b"\xe2\x94\x81", b"\xe2\x95\x90")
_SPACES: Final = re.compile(rb" {2,}|\t")
_WORD: Final = re.compile(r"[^ ]+")
_TAB: Final = re.compile(rb"\t")
_FIELD: Final = rb'[ ]?(?:"((?:[^"]|"")*+)"|([^"%b]?[^%b]*+))(%b|$)'
_FIELDS: Final = {mark: re.compile(_FIELD % (mark, mark, mark)) for mark in (b",", b";")}
_HEAD: Final = re.compile(r"[\w .'’\-/#()*`]{1,48}")
_EDGE: Final = b" \t\r*_`\"'~"
_ELEMENT: Final = re.compile(rb"<(/?)(table|tr|t[hd])\b[^<>]{0,500}>", re.IGNORECASE)
_ROW: Final = re.compile(rb"<tr\b", re.IGNORECASE)
_FARTHEST_ROW: Final = 4_000
_TEXT: Final = re.compile(rb">([^<>]{1,400})(?=<|$)")

Span = tuple[int, int]
_Columns = list[tuple[Judge, str] | None]


class _Line(NamedTuple):
    """A line without its end, and where the next one begins."""

    start: int
    end: int
    behind: int


class _Way(NamedTuple):
    """How cells stand in a line. `sure`: nothing but a table is written so."""

    cells: Callable[[bytes, int, int], list[Span]]
    sure: bool
    rows_named: bool


class Tables:
    """Looks at each line, or row of HTML, with a name that `keys` know. Linear: each line is read once or twice."""

    numbers = False
    score = SCORE

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def find(self, data: bytes, key: Callable[[], str], first: int, found: list[Finding]) -> None:
        """Adds to `found` what the heads in `data`, which begins at `first`, give away."""
        at, size, find = 0, len(data), self._keys.find_head
        while at < size:
            # What stands before a short name belongs to the match, and may be the end of the line before.
            start, end = find(ANYWHERE, data, max(0, at - 1), size)[0]
            if start < 0:
                return
            start += data[start : start + 1] in b"\r\n"
            if data[end - 4 : end].lower() in (b"</th", b"</td"):
                at = self._in_markup(data, at, start, end, first, found)
            else:
                line = _line(data, data.rfind(b"\n", 0, start) + 1)
                at = self._in_lines(data, line, first, found)

    def _in_lines(self, data: bytes, line: _Line, first: int, found: list[Finding]) -> int:
        """Reads the table with this line as its head, or the line as a row. Says where to look on."""
        if line.end - line.start > LONGEST_LINE:
            return line.behind
        below, ruled = _below(data, line)
        way = _way(data, line, below)
        cells = way.cells(data, line.start, line.end)
        if not 1 < len(cells) <= _MOST_CELLS:
            return line.behind
        ruled = ruled and bool(data[below.start : below.end].strip())
        head = [_shown(data, cell) for cell in cells]
        if way.rows_named and not ruled and len(cells) == _PAIR and self._in_row(data, cells, head, first, found):
            return line.behind
        under = way.cells(data, below.start, below.end)
        if ruled or ((way.sure or _is_head(head)) and len(under) == len(cells)):
            told = columns(head, self._keys)
            if any(told) and self._is_above(told, [_shown(data, cell) for cell in under], ruled):
                return self._rows(data, below, way, told, ruled or way.sure, first, found)
        if way.rows_named:
            self._in_row(data, cells, head, first, found)
        return line.behind

    def _is_above(self, told: _Columns, under: list[str], ruled: bool) -> bool:
        """Whether this is a head, by what stands under it, and no row as the others, with names before their values."""
        pairs = [(*column, value) for column, value in zip(told, under, strict=False) if column]
        if any(self._is_name(value, judge, name) for judge, name, value in pairs):
            return False
        return ruled or any(not value or judge.fits(value, name) for judge, name, value in pairs)

    def _is_name(self, cell: str, judge: Judge, name: str) -> bool:
        """Whether a cell reads like a name; `12 High Street` does, but is the value of one."""
        is_value = any(map(str.isdigit, cell)) and judge.fits_text(cell, name)
        return not is_value and self._keys.role(cell) is not None

    def _rows(
        self, data: bytes, line: _Line, way: _Way, told: _Columns, sure: bool, first: int, found: list[Finding]
    ) -> int:
        """The rows from this line to the next that is empty. Says where that is."""
        while line.start < len(data):
            part = data[line.start : line.end]
            if not part.strip():
                break
            if len(part) <= LONGEST_LINE and not _is_rule(part):
                cells = way.cells(data, line.start, line.end)
                if way.sure and len(cells) < 2:
                    break
                if len(cells) == len(told):
                    found += self._row(data, cells, told, sure, first)
            line = _line(data, line.behind)
        return line.start

    def _row(self, data: bytes, cells: list[Span], told: _Columns, sure: bool, first: int) -> Iterator[Finding]:
        for cell, column in zip(cells, told, strict=True):
            if column:
                judge, name = column
                start, end = _stripped(data, *cell)
                value = data[start:end].decode("utf-8", "replace")
                if judge.fits(value, name) if sure or judge.alone else judge.fits_text(value, name):
                    yield Finding(judge.kind, first + start, first + end, SCORE, DETECTOR)

    def _in_row(self, data: bytes, cells: list[Span], head: list[str], first: int, found: list[Finding]) -> bool:
        """What a cell says of the next one. Says whether one does."""
        before = len(found)
        for name, value, cell in zip(head, head[1:], cells[1:], strict=False):
            role = self._keys.role(name)
            judge = role and role.judge
            if judge and judge.fits_text(value, name) and not self._is_name(value, judge, name):
                start, end = _stripped(data, *cell)
                found.append(Finding(judge.kind, first + start, first + end, SCORE, DETECTOR))
        return len(found) > before

    def _in_markup(self, data: bytes, at: int, start: int, end: int, first: int, found: list[Finding]) -> int:
        """Reads the table of HTML in whose head, which begins behind `at`, a name stands. Says where to look on."""
        openings = [row.start() for row in _ROW.finditer(data, max(at, start - _FARTHEST_ROW), start)]
        told: _Columns | None = None
        for place, row in _rows_of(data, openings[-1]) if openings else ():
            if told is None:
                told = columns([_bare(data, cell) for cell in row], self._keys) if len(row) > 1 else []
                if not any(told):
                    return max(place, end)
            elif len(row) == len(told):
                found += self._pieces(data, row, told, first)
            end = max(place, end)
        return end

    def _pieces(self, data: bytes, row: list[Span], told: _Columns, first: int) -> Iterator[Finding]:
        for (begin, stop), column in zip(row, told, strict=True):
            for piece in _TEXT.finditer(data, begin, stop) if column else ():
                start, end = _stripped(data, *piece.span(1))
                value = read_html(data[start:end].decode("utf-8", "replace"))
                if column and column[0].fits(value, column[1]):
                    yield Finding(column[0].kind, first + start, first + end, SCORE, DETECTOR)


def _rows_of(data: bytes, at: int) -> Iterator[tuple[int, list[Span]]]:
    """The rows of a table of HTML from the one that begins at `at`, each with where it ends."""
    row: list[Span] = []
    cell, is_head = -1, True
    for element in _ELEMENT.finditer(data, at):
        name, closes = element[2].lower(), bool(element[1])
        ends = cell >= 0 and (closes or name in (b"tr", b"th", b"td"))
        if ends:
            row.append((cell, element.start()))
            cell = -1
        if name in (b"th", b"td") and not closes:
            cell = element.end() - 1  # the mark stands before a text, as behind another element
        elif name in (b"tr", b"table") and row:
            yield element.end(), row
            row, is_head = [], False
        elif is_head and not ends and element.start() > at:
            return
        if name == b"table":
            return


def _bare(data: bytes, cell: Span) -> str:
    """The text of a cell of HTML."""
    texts = (piece[1].strip() for piece in _TEXT.finditer(data, *cell))
    return read_html(b" ".join(text for text in texts if text).decode("utf-8", "replace"))


def _line(data: bytes, start: int) -> _Line:
    end = data.find(b"\n", start)
    return _Line(start, len(data), len(data)) if end < 0 else _Line(start, end, end + 1)


def _below(data: bytes, line: _Line) -> tuple[_Line, bool]:
    """The line below, or below a rule there, and whether there is one."""
    below = _line(data, line.behind)
    if _is_rule(data[below.start : min(below.end, below.start + LONGEST_LINE)]):
        return _line(data, below.behind), True
    rule = _line(data, below.behind)  # some write the types of the columns over it
    if rule.end - rule.start <= LONGEST_LINE and _is_rule(data[rule.start : rule.end]):
        return _line(data, rule.behind), True
    return below, False


def _is_rule(line: bytes) -> bool:
    return any(dashes in line for dashes in _DASHES) and bool(_RULE.fullmatch(line.rstrip()))


def _is_head(names: list[str]) -> bool:
    """Whether these may be names of columns, not a sentence with commas in it."""
    return all(_HEAD.fullmatch(name) and not name.isdigit() for name in names)


def _way(data: bytes, head: _Line, below: _Line) -> _Way:
    """How the cells of a line, which may be the head over another, are told apart."""
    line = data[head.start : head.end]
    if _PIPES.search(line):
        return _Way(_between_pipes, True, True)
    if b"\t" in line:
        return _Way(_between_tabs, True, True)
    for mark in (b";", b","):
        if mark in line:
            return _Way(_FIELD_READERS[mark], mark + b" " not in line, False)
    if line.startswith(b" ") and len(line) > 1:
        flush = partial(_flush_right, [word.end() for word in _WORD.finditer(line.decode("utf-8", "replace"))])
        if flush(data, below.start, below.end):
            return _Way(flush, False, False)
    return _Way(_in_columns, False, True)


def _flush_right(edges: list[int], data: bytes, start: int, end: int) -> list[Span]:
    """The cells of a line behind its number, where each ends at an edge, in characters. The head has no number."""
    line = data[start : min(end, start + LONGEST_LINE)].decode("utf-8", "replace").rstrip()
    if not edges or len(line) != edges[-1] or not {word.end() for word in _WORD.finditer(line)}.issuperset(edges):
        return []
    number = _WORD.match(line)
    first = number.end() if number and number.end() < edges[0] else 0
    return [*pairwise(start + len(line[:at].encode()) for at in (first, *edges))]


def _between_pipes(data: bytes, start: int, end: int) -> list[Span]:
    cells = _parts(_PIPES, data, start, end)
    first = 0 if data[slice(*cells[0])].strip() else 1
    last = len(cells) if data[slice(*cells[-1])].strip() else len(cells) - 1
    return cells[first:last] if len(cells) > 1 else []


def _between_tabs(data: bytes, start: int, end: int) -> list[Span]:
    return _parts(_TAB, data, start, end)


def _in_columns(data: bytes, start: int, end: int) -> list[Span]:
    start, end = _stripped(data, start, end)
    return _parts(_SPACES, data, start, end)


def _parts(mark: re.Pattern[bytes], data: bytes, start: int, end: int) -> list[Span]:
    cells, at = list[Span](), start
    for found in mark.finditer(data, start, end):
        cells.append((at, found.start()))
        at = found.end()
    return [*cells, (at, end)]


def _fields(mark: bytes) -> Callable[[bytes, int, int], list[Span]]:
    expression = _FIELDS[mark]

    def cells(data: bytes, start: int, end: int) -> list[Span]:
        made, line = list[Span](), data[start:end].rstrip(b"\r")
        at = 0
        while field := expression.match(line, at):
            left, right = field.span(1 if field[1] is not None else 2)
            made.append((start + left, start + right))
            at = field.end()
            if not field[3]:
                return made
        return []

    return cells


_FIELD_READERS: Final = {mark: _fields(mark) for mark in _FIELDS}


def _stripped(data: bytes, start: int, end: int) -> Span:
    while end > start and data[end - 1] in _EDGE:
        end -= 1
    while start < end and data[start] in _EDGE:
        start += 1
    return start, end


def _shown(data: bytes, cell: Span) -> str:
    start, end = _stripped(data, *cell)
    return data[start:end].decode("utf-8", "replace")
