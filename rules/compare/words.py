"""Gaps between two schemas, in words."""

from __future__ import annotations

import json
from typing import Any, Final, Literal

from rules.compare.places import ITEMS, OTHERS, Gap

Way = Literal["loosened", "tightened"]

MOST_SHOWN: Final = 5
MOST_TEXT: Final = 60
_NONE: Final = "nothing"


def phrase(gap: Gap, way: Way) -> str:
    """One gap as one line, such as `limit: maximum was 100, is now 500`.

    Of a contract that was loosened the old one is the wide side, of one that was tightened the new one.
    """
    old, new = (gap.wide, gap.narrow) if way == "loosened" else (gap.narrow, gap.wide)
    return f"{_where(gap)}{_said(gap, way, old, new)}{'' if gap.sure else ' (look yourself)'}"


def _where(gap: Gap) -> str:
    return "".join(_part(part) for part in gap.path).lstrip(".") + ": " * bool(gap.path)


def _part(part: str) -> str:
    return part if part == ITEMS else f".{_short(part)}"


def _said(gap: Gap, way: Way, old: Any, new: Any) -> str:
    loose = way == "loosened"
    if gap.word == "":
        return "is too large or too unusual to compare"
    if gap.word == "false":
        return _named(gap, "is allowed now" if loose else "is no longer allowed")
    if gap.word == "required":
        return "is no longer required" if loose else "is required now"
    if gap.word in ("enum", "const") and gap.narrow is not None:
        return f"{'also allows' if loose else 'no longer allows'} {_listed(gap.narrow)}"
    if gap.word in ("anyOf", "oneOf") and gap.wide is None:
        return f"{'also allows' if loose else 'no longer allows'} the form {_listed(gap.narrow)}"
    if isinstance(old, dict | list) and isinstance(new, dict | list) and gap.word not in ("type", "enum"):
        return f"{gap.word} changed"
    return f"{gap.word} was {shown(old)}, is now {shown(new)}"


def _named(gap: Gap, text: str) -> str:
    return f"every name that is not declared {text}" if gap.path[-1:] == (OTHERS,) else text


def _listed(values: list[Any]) -> str:
    told = ", ".join(map(shown, values[:MOST_SHOWN]))
    return told + (f" and {len(values) - MOST_SHOWN} more" if len(values) > MOST_SHOWN else "")


def shown(value: Any) -> str:
    """A value of a contract on one line, cut where it is long."""
    if value is None:
        return _NONE
    if isinstance(value, list):
        return _listed(value)
    return _short(value if isinstance(value, str) and value.isprintable() else json.dumps(value))


def _short(text: str) -> str:
    text = text if text.isprintable() else json.dumps(text)
    return text if len(text) <= MOST_TEXT else text[: MOST_TEXT - 3] + "..."
