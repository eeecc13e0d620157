"""JSON as RFC 8259 and RFC 7493 (I-JSON) mean it: whatever two parsers could read differently is an error."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from math import isfinite
from typing import Any

from proxy.errors import Refusal

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
# CPython refuses longer ones by itself; a limit of our own gives the same answer on every interpreter.
_MOST_DIGITS = 1_000
_BLANK = re.compile(r"[ \t\n\r]*")
_COLON = re.compile(r"[ \t\n\r]*:[ \t\n\r]*")
_COMMA = re.compile(r"[ \t\n\r]*,?[ \t\n\r]*")


def parse(data: bytes, most_depth: int) -> Any:
    """The value of a JSON text.

    Refused as `bad_request`: bad UTF-8, a byte order mark, duplicate keys at any depth, NaN and infinities (also by
    overflow), lone surrogates, numbers of over 1,000 digits. Nesting beyond `most_depth` is `too_large`.
    """
    try:
        value = _DECODER.decode(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise _bad("The body is not valid UTF-8.") from None
    except RecursionError:
        raise _deep(most_depth) from None
    except _Ambiguous as ambiguous:
        raise _bad(str(ambiguous)) from None
    except ValueError:
        raise _bad("The body is not valid JSON.") from None
    if data.count(b"[") + data.count(b"{") > most_depth and _depth(value) > most_depth:
        raise _deep(most_depth)
    if _SURROGATE.search(data):
        _refuse_lone_surrogates(value)
    return value


Members = dict[str, tuple[Any, bytes]]


def members(data: bytes, most_depth: int) -> Members:
    """The members of a JSON object, each with its value and the text of it, byte for byte. Refused is what `parse`
    refuses, and what is no object."""
    whole = parse(data, most_depth)
    if not isinstance(whole, dict):
        raise _bad("The body is no JSON object.")
    return dict(_members(data.decode(), whole))


def _members(text: str, whole: dict[str, Any]) -> Iterator[tuple[str, tuple[Any, bytes]]]:
    """Of a text that was parsed before, so each part is there: what is looked for is where it ends."""
    at = _past(_BLANK, text, text.index("{") + 1)
    while text[at] == '"':
        name, at = _ENDS.raw_decode(text, at)
        begin = _past(_COLON, text, at)
        _, end = _ENDS.raw_decode(text, begin)
        yield name, (whole[name], text[begin:end].encode())
        at = _past(_COMMA, text, end)


def _past(what: re.Pattern[str], text: str, at: int) -> int:
    found = what.match(text, at)
    assert found is not None
    return found.end()


class _Ambiguous(Exception):
    """Valid by the letter of the grammar, but read differently by different parsers."""


def _bad(detail: str) -> Refusal:
    return Refusal("bad_request", detail, suggestion="Send one JSON value, UTF-8, each key once.")


def _deep(most: int) -> Refusal:
    return Refusal("too_large", f"The JSON is nested more than {most} levels deep.", suggestion="Send a flatter value.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Ambiguous("A key occurs twice in one JSON object.")
    return value


def _constant(_: str) -> Any:
    raise _Ambiguous("NaN and Infinity are not JSON.")


def _float(text: str) -> float:
    number = float(text)
    if not isfinite(number) or len(text) > _MOST_DIGITS:
        raise _Ambiguous("A number is outside the range of a double.")
    return number


def _int(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise _Ambiguous("A number has too many digits.")
    return int(text)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_float=_float, parse_int=_int, strict=True
)
_ENDS = json.JSONDecoder()
"""For texts that the other has read: it checks nothing and is twice as fast."""


def _refuse_lone_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise _bad("A string holds half of a surrogate pair.") from None


def _depth(value: Any) -> int:
    deepest, level = 0, [value]
    while level:
        containers = [item for item in level if isinstance(item, dict | list)]
        if containers:
            deepest += 1
        level = [child for item in containers for child in (item.values() if isinstance(item, dict) else item)]
    return deepest
