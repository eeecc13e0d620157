"""JSON texts with pseudonyms, written anew; all but what stood for a value stays byte for byte."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from redaction import operators, walk
from redaction.pseudonyms import Restoring
from redaction.search import MOST_OPENED
from redaction.walk import Leaf

_HALF: Final = re.compile("[\ud800-\udfff]")  # of a surrogate pair: no UTF-8 has it


def written(text: str, restoring: Restoring, deep: int = MOST_OPENED) -> str:
    """A valid JSON text with values in the place of what stands for them. Strings that are JSON themselves, `deep` of
    them in each other, are written as such: a value has the escapes that it needs there.
    """
    return operators.splice(text, list(_edits(text, restoring, deep)))


def _edits(text: str, restoring: Restoring, deep: int) -> Iterator[tuple[int, int, str]]:
    for leaf in walk.leaves(text):
        raw = text[leaf.start : leaf.end]
        if leaf.is_number or not restoring.may_hold(raw):
            continue
        plain: str = json.loads(f'"{raw}"')
        if not leaf.is_name and (number := restoring.number(plain)) is not None:
            yield leaf.start - 1, leaf.end + 1, number
        elif (new := _string(plain, leaf, restoring, deep)) != plain:
            yield leaf.start, leaf.end, _HALF.sub(_escape, json.dumps(new, ensure_ascii=False)[1:-1])


def _escape(half: re.Match[str]) -> str:
    return f"\\u{ord(half[0]):04x}"


def _string(plain: str, leaf: Leaf, restoring: Restoring, deep: int) -> str:
    if deep and not leaf.is_name and walk.is_document(plain):
        return written(plain, restoring, deep - 1)
    return restoring.text(plain)
