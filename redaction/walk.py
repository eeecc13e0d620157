"""JSON by structure: every string and number on its own, every byte outside a finding as it was.

Names in objects are cleaned too: a reply may be keyed by e-mail address.
"""

import json
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import orjson

from redaction.engine import Candidate, find_among, settle
from redaction.finding import Finding
from redaction.unwrap import JSON, unwrap

Span = tuple[int, int]
Find = Callable[[str, str, bool], list[Finding]]  # text, key, whether it is a number
Candidates = Callable[[str], list[Candidate]]

# A document nested deeper than about a thousand levels is not checked: orjson stops at 1,024, and where it does not
# take a text, Python at its recursion limit. RFC 8259 lets a reader set such a limit. A value is cleaned to here.
MOST_DEEP = 200

# A string (1), which is a name if a colon follows (2); an opening (3) or closing (4) bracket; else a number.
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*+)"([ \t\r\n]*:)?|([\[{])|([\]}])|-?[0-9][0-9.eE+\-]*+')
_STRUCTURE = re.compile(rf"{_TOKEN.pattern}|(,)|true|false|null")
_NAME, _OPEN, _CLOSE = 2, 3, 4
_COLON = re.compile(r"[ \t\r\n]*:")


class BadJson(Exception):
    """The text is not JSON (RFC 8259), or is nested too deep."""


class Leaf(NamedTuple):
    """A string, name or number in a JSON text.

    `start` and `end` are its place in the text, without a string's quotation marks. `key` is the name it stands
    under: its own, or that of the array it is in. `is_name`: it is a name itself.
    """

    start: int
    end: int
    key: str
    is_name: bool
    is_number: bool


def check(text: str) -> None:
    """Raises BadJson unless `text` is one JSON value of bounded depth."""
    if not _is_json(text):
        raise BadJson


def is_document(text: str) -> bool:
    """Whether the text is a JSON object or array, whatever it is called."""
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        check(text)
    except BadJson:
        return False
    return True


def leaves(text: str, marks: Sequence[Span]) -> Iterator[Leaf]:
    """Those strings, names and numbers of a valid JSON text, in order, that touch one of the marks.

    The marks are spans of the text, in order and apart.
    """
    key, outer = "", [""]
    ends = [end for _, end in marks]
    for match in _TOKEN.finditer(text) if marks else ():
        group = match.lastindex
        if group == _OPEN:
            outer.append(key)
        elif group == _CLOSE:
            key = outer.pop()
        else:
            if _touches(match, marks, ends):
                yield _leaf(match, key)
            key = match[1] if group == _NAME else key


def near(text: str, marks: Sequence[Span]) -> list[Leaf] | None:
    """The same as `leaves`, without a walk through the text, where each mark lies within one named string or name.

    None where one does not: in an array the name lies too far away, and numbers have no quotation marks to find.
    """
    bare = text.replace("\\\\", "..").replace('\\"', "..") if "\\" in text else text
    found: list[Leaf] = []
    at, inside = 0, 0
    for start, end in marks:
        # Without escapes, every second quotation mark ends a string.
        inside ^= bare.count('"', at, start) & 1
        at = start
        leaf = _around(text, bare, start, end) if inside else None
        if leaf is None:
            return None
        if not found or found[-1].start != leaf.start:
            found.append(leaf)
    return found


def _around(text: str, bare: str, start: int, end: int) -> Leaf | None:
    """The string around a span that begins in it, if the span ends in it and its name stands before it."""
    left, right = bare.rfind('"', 0, start) + 1, bare.find('"', start)
    if end > right:
        return None
    if _COLON.match(bare, right + 1):
        return Leaf(left, right, "", True, False)
    before = left - 2
    while before >= 0 and bare[before] in " \t\r\n":
        before -= 1
    if before < 0 or bare[before] != ":":
        return None
    last = bare.rfind('"', 0, before)
    return Leaf(left, right, unwrap(text[bare.rfind('"', 0, last) + 1 : last], JSON).text, False, False)


def scan(text: str, find: Find, candidates: Candidates | None) -> list[tuple[Leaf, list[Finding]]]:
    """The leaves of a valid JSON text that hold findings. The findings' offsets are of `text`, escapes and all.

    `candidates` says where something may be, see `Engine.candidates`; without it every leaf is looked at.
    """
    if candidates is None:
        return _look(text, leaves(text, [(0, len(text))]), find)
    flat = unwrap(text, JSON)
    possible = candidates(flat.text)
    if not possible:
        return []
    marks = _merged((flat.outer(start), flat.outer(end)) for start, end, _ in possible)
    found = near(text, marks)
    if found is not None and "\\" not in text:
        return _settled(text, found, possible)
    return _look(text, leaves(text, marks) if found is None else found, partial(find_among, possible))


def _look(text: str, hits: Iterable[Leaf], find: Find) -> list[tuple[Leaf, list[Finding]]]:
    looked = ((leaf, _find_in(text, leaf, find)) for leaf in hits)
    return [(leaf, findings) for leaf, findings in looked if findings]


def _settled(text: str, hits: Sequence[Leaf], possible: Sequence[Candidate]) -> list[tuple[Leaf, list[Finding]]]:
    """The leaves with their findings, where every candidate lies within one of them and nothing is escaped."""
    found, index = [], 0
    for leaf in hits:
        inside = []
        while index < len(possible) and possible[index].start < leaf.end:
            start, end, matcher = possible[index]
            inside.append(Candidate(start - leaf.start, end - leaf.start, matcher))
            index += 1
        findings = settle(inside, text[leaf.start : leaf.end], leaf.key)
        if findings:
            found.append((leaf, [f._replace(start=f.start + leaf.start, end=f.end + leaf.start) for f in findings]))
    return found


def _merged(spans: Iterable[Span]) -> list[Span]:
    """The spans in order, those that overlap or touch made one."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            start, end = merged[-1][0], max(end, merged.pop()[1])
        merged.append((start, end))
    return merged


def pointers(text: str, places: set[int], names: Mapping[int, str]) -> dict[int, str]:
    """The JSON pointer (RFC 6901) of the leaf that starts at each of `places`. A name's pointer is that of its object.

    `names` gives, by the place where they start, the names that are to be written otherwise than they stand.
    """
    found: dict[int, str] = {}
    path: list[str | int] = []
    for match in _STRUCTURE.finditer(text):
        at = match.start(1) if match[1] is not None else match.start()
        if at in places:
            found[at] = _pointer(path[:-1] if match[2] else path)
        _step(path, match, names.get(at))
    return found


def _step(path: list[str | int], match: re.Match[str], name: str | None) -> None:
    if match[3]:
        path.append(0 if match[3] == "[" else "")
    elif match[4]:
        path.pop()
    elif match[2]:
        path[-1] = unwrap(match[1], JSON).text if name is None else name
    elif match[5] and isinstance(path[-1], int):
        path[-1] += 1


def _pointer(path: list[str | int]) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def _touches(match: re.Match[str], marks: Sequence[Span], ends: list[int]) -> bool:
    start, end = match.span()
    nearest = bisect_left(ends, start)
    return nearest < len(ends) and marks[nearest][0] <= end


def _leaf(match: re.Match[str], key: str) -> Leaf:
    if match[1] is None:
        return Leaf(*match.span(), unwrap(key, JSON).text, False, True)
    return Leaf(*match.span(1), "" if match[2] else unwrap(key, JSON).text, bool(match[2]), False)


def _find_in(text: str, leaf: Leaf, find: Find) -> list[Finding]:
    flat = unwrap(text[leaf.start : leaf.end], JSON)
    at, outer = leaf.start, flat.outer
    found = find(flat.text, leaf.key, leaf.is_number)
    return [Finding(f.kind, at + outer(f.start), at + outer(f.end), f.score, f.detector) for f in found]


def _is_json(text: str) -> bool:
    # orjson is quick and takes only JSON, yet not all of it: no number of 400 digits, no half surrogates.
    with suppress(orjson.JSONDecodeError):
        orjson.loads(text)
        return True
    try:
        _DECODER.decode(text)
    except (ValueError, RecursionError):  # it holds the text, so nothing is raised from it
        return False
    return True


def _no_number(constant: str) -> Any:
    raise ValueError(constant)


# Integers are only looked at, so they need no conversion, which Python limits to 4,300 digits.
_DECODER = json.JSONDecoder(parse_constant=_no_number, parse_int=str)
