"""JSON by structure: every string and number on its own, every byte outside a finding as it was.

Names in objects are cleaned too: a reply may be keyed by e-mail address.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import orjson
import simdjson

from redaction.finding import Finding, Hit
from redaction.unwrap import JSON, unwrap

Find = Callable[[str, str, bool], list[Finding]]  # text, key, whether it is a number

# A document nested deeper than about a thousand levels is not checked: orjson stops at 1,024, and where it does not
# take a text, Python at its recursion limit. RFC 8259 lets a reader set such a limit. A value is cleaned to here.
MOST_DEEP = 200

# A string (1), which is a name if a colon follows (2); an opening (3) or closing (4) bracket; else a number.
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*+)"([ \t\r\n]*:)?|([\[{])|([\]}])|-?[0-9][0-9.eE+\-]*+')
_STRUCTURE = re.compile(rf"{_TOKEN.pattern}|(,)|true|false|null")
_NAME, _OPEN, _CLOSE = 2, 3, 4


_MARK = b"\xef\xbb\xbf"  # a byte order mark


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


def is_common(text: str | bytes) -> bool:
    """Whether the text, UTF-8 if it is bytes, is JSON. True for most that is: not with half surrogates, 400 digits."""
    if _is_simple(text):
        return True
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _is_simple(text: str | bytes) -> bool:
    """The same for JSON without integers beyond 64 bits, at a tenth of the price: no object is made of it."""
    if text[:1] == "\ufeff" or text[:3] == _MARK:  # simdjson reads on behind it
        return False
    try:
        simdjson.Parser().parse(text)  # a new one costs nothing, and keeps no memory for the next text
    except (ValueError, RuntimeError):  # no JSON, or too deep
        return False
    return True


def is_document(text: str) -> bool:
    """Whether the text is a JSON object or array, whatever it is called."""
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        check(text)
    except BadJson:
        return False
    return True


def documents(text: str) -> list[str]:
    """The text if it is such a document, its lines if each of them is one or empty, else nothing."""
    if text.lstrip()[:1] not in ("{", "["):
        return []
    lines = text.split("\n")
    return [text] if is_document(text) else lines if all(is_document(each) for each in lines if each.strip()) else []


def joined(lines: list[str]) -> str:
    """JSON texts that are lines as one text, so that they can be searched at once; empty if one of them is no JSON."""
    said = [line for line in lines if line.strip()]
    try:
        for line in said:
            check(line)
    except BadJson:
        return ""
    return f"[{','.join(said)}]"


def leaves(text: str) -> Iterator[Leaf]:
    """The strings, names and numbers of a valid JSON text, in order."""
    key, outer = "", [""]
    for match in _TOKEN.finditer(text):
        group = match.lastindex
        if group == _OPEN:
            outer.append(key)
        elif group == _CLOSE:
            key = outer.pop()
        else:
            yield _leaf(match, key)
            key = match[1] if group == _NAME else key


def scan(text: str, find: Find) -> list[Hit]:
    """What is found in a valid JSON text, every leaf looked at."""
    looked = ((leaf, _find_in(text, leaf, find)) for leaf in leaves(text))
    return [Hit(leaf.start, leaf.end, leaf.is_name, leaf.is_number, found) for leaf, found in looked if found]


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


def paths(text: str, places: set[int]) -> dict[int, tuple[str | int, ...]] | None:
    """The names and indexes that lead to the leaf at each of `places`, to its object if it is a name.

    None where a name occurs twice in one object: then readers differ in what stands where.
    """
    found: dict[int, tuple[str | int, ...]] = {}
    path: list[str | int] = []
    names: list[set[str | int]] = []
    for match in _STRUCTURE.finditer(text):
        at = match.start(1) if match[1] is not None else match.start()
        if at in places:
            found[at] = tuple(path[:-1] if match[2] else path)
        _step(path, match, None)
        if match[3]:
            names.append(set())
        elif match[4]:
            names.pop()
        elif match[2]:
            if path[-1] in names[-1]:
                return None
            names[-1].add(path[-1])
    return found


def members(text: str, places: set[int]) -> list[tuple[int, int]]:
    """What is to be taken out of a valid JSON text so that the members of objects whose values begin at `places` are
    gone, in order; without a comma too much or too few. A value that is no member stays: it has no name to go with.
    """
    gone: list[tuple[int, int]] = []
    objects: list[list[_Member] | None] = []
    for match in _STRUCTURE.finditer(text):
        at = match.start(1) if match[1] is not None else match.start()
        inside = objects[-1] if objects else None
        if match[2] and inside is not None:
            inside.append(_Member(match.start()))
        elif inside and not match[4] and not match[5]:
            inside[-1].dropped |= at in places
            inside[-1].end = match.end()
        if match[3]:
            objects.append([] if match[3] == "{" else None)
        elif match[4]:
            closed = objects.pop()
            gone += _cut(closed) if closed else []
            if objects and (outer := objects[-1]):
                outer[-1].end = match.end()
    return sorted(gone)


class _Member:
    """A member of an object, from its name to the end of its value."""

    __slots__ = ("dropped", "end", "start")

    def __init__(self, start: int) -> None:
        self.start, self.end, self.dropped = start, start, False


def _cut(found: list[_Member]) -> Iterator[tuple[int, int]]:
    """Each dropped member goes with the comma before it; those before the first that stays, with the comma behind."""
    first = next((index for index, each in enumerate(found) if not each.dropped), None)
    if first is None:
        yield found[0].start, found[-1].end
        return
    if first:
        yield found[0].start, found[first].start
    for before, each in zip(found[first:], found[first + 1 :], strict=False):
        if each.dropped:
            yield before.end, each.end


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
    if is_common(text):
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
