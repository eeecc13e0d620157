"""Bounds for what goes into an entry: nothing that came from outside may be longer than a line of the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TEXT_MOST = 2048
"""Characters of one text."""

ITEMS_MOST = 256
"""Items of one list or object."""

DEPTH_MOST = 16
"""Levels of lists and objects."""

WHOLE_MOST = 16_384
"""Characters of one entry, with NODE_COST for each value and name: 12 bytes of escapes for each stay under
`chain.LINE_MOST`, however the text is made."""

NODE_COST = 4
"""What a value or name costs beside its text: quotes, colon, comma, brackets."""

_NUMBER_MOST = 10**18
CUT = "…"
"""Ends a text that was cut, and stands for what was left out of a list, an object, or below DEPTH_MOST."""


def clip(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `entry` (plain JSON) that fits a line, whatever its size; what was cut ends in CUT and a count.

    Every field keeps its share of WHOLE_MOST, and what short ones leave goes to the rest, lists and objects last:
    no field is lost for the length of another. Of more than ITEMS_MOST fields the first ones are kept.
    """
    spare, clipped = WHOLE_MOST, {}
    kept = list(entry)[:ITEMS_MOST]
    for count, name in enumerate(sorted(kept, key=lambda name: isinstance(entry[name], dict | list | tuple))):
        share = spare // (len(kept) - count)
        left = [share]
        clipped[name] = _clip(name, left, 0), _clip(entry[name], left, DEPTH_MOST - 1)
        spare -= share - left[0]
    return dict(clipped[name] for name in kept)


def clip_text(text: str, most: int = TEXT_MOST) -> str:
    """`text` cut to `most` characters, with the number of characters that are missing."""
    return text if len(text) <= most else f"{text[:most]}{CUT}+{len(text) - most}"


def _clip(value: Any, left: list[int], depth: int) -> Any:
    """`left` holds the one budget of the whole entry."""
    left[0] -= NODE_COST
    if isinstance(value, str):
        return _clip_text(value, left)
    if isinstance(value, dict | list | tuple):
        if not depth or left[0] <= 0:
            return CUT
        return _clip_object(value, left, depth) if isinstance(value, dict) else _clip_list(value, left, depth)
    if isinstance(value, int) and not -_NUMBER_MOST < value < _NUMBER_MOST:
        return _clip_text(f"integer of {value.bit_length()} bits", left)
    return value


def _clip_text(text: str, left: list[int]) -> str:
    text = clip_text(text, max(min(TEXT_MOST, left[0]), 0))
    left[0] -= len(text)
    return text


def _clip_object(value: dict[str, Any], left: list[int], depth: int) -> dict[str, Any]:
    clipped: dict[str, Any] = {}
    for count, (name, item) in enumerate(value.items()):
        if count == ITEMS_MOST or left[0] <= 0:
            return clipped | {CUT: len(value) - count}
        clipped[_clip(name, left, depth)] = _clip(item, left, depth - 1)
    return clipped


def _clip_list(value: list[Any] | tuple[Any, ...], left: list[int], depth: int) -> list[Any]:
    clipped: list[Any] = []
    for count, item in enumerate(value):
        if count == ITEMS_MOST or left[0] <= 0:
            return [*clipped, f"{CUT}+{len(value) - count}"]
        clipped.append(_clip(item, left, depth - 1))
    return clipped
