"""Texts of documents as rules files hold them: plain, on one line, bounded."""

from __future__ import annotations

import re
from typing import Any, Final

from redaction.unwrap import read_html

MOST_SAYS: Final = 400
"""Characters of a tool's purpose: a model reads it for every tool at every turn."""

MOST_DESCRIPTION: Final = 200
"""Characters of an argument's description."""

_TAG: Final = re.compile(r"<[A-Za-z/!][^<>]{0,500}>")
_LINK: Final = re.compile(r"!?\[([^\[\]]{0,200})\]\([^()\s]{0,500}\)")
_MARK: Final = re.compile(r"`{1,3}|\*{2,3}|(?<!\w)__(?=\w)|(?<=\w)__(?!\w)|^#{1,6}\s+", re.MULTILINE)
_END: Final = re.compile(r"[.!?](?=\s)")


def plain(text: Any, most: int) -> str:
    """Text without markup, with single spaces, no longer than `most`, cut after a sentence or a word."""
    if not isinstance(text, str):
        return ""
    bare = _MARK.sub("", _LINK.sub(r"\1", read_html(_TAG.sub(" ", text[: most * 20]))))
    return shorten(" ".join(_seen(bare).split()), most)


def _seen(text: str) -> str:
    """Text whose every character is seen: no controls, no direction marks, no invisible letters."""
    return "".join(each if each.isprintable() else " " for each in text)


def shorten(text: str, most: int) -> str:
    """At most this many characters, ending after a sentence where one ends late enough, else after a word."""
    if len(text) <= most:
        return text
    ends = [found.end() for found in _END.finditer(text, 0, most)]
    if ends and ends[-1] > most // 2:
        return text[: ends[-1]]
    return text[: most - 4].rpartition(" ")[0].rstrip(",;:") + " ..."


def purpose(summary: Any, description: Any, fallback: str) -> str:
    """What an operation is for: its summary, then as much of its description as says more."""
    first, more = plain(summary, MOST_SAYS), plain(description, MOST_SAYS)
    if not first or more.lower().startswith(first.lower().rstrip(".")):
        return more or first or fallback
    if not more:
        return first
    joint = "" if first[-1] in ".!?" else "."
    return shorten(f"{first}{joint} {more}", MOST_SAYS)
