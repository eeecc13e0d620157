"""What a scan reports: one place in a text, and what stands there."""

from collections.abc import Iterable
from operator import itemgetter
from typing import NamedTuple


class Finding(NamedTuple):
    """A stretch of text that must not be shown.

    `start` and `end` count code points of the text that was scanned, so `text[start:end]` is the value. `kind` is
    Presidio's entity name where one exists. `score` runs from 0 to 1. `detector` names the pattern that saw it.
    `pointer` is the JSON pointer (RFC 6901) of the leaf, empty in plain text. `quotes`: it is a number of a JSON text
    that stands in that many JSON strings, one in the other, so that what replaces it needs quotation marks.
    """

    kind: str
    start: int
    end: int
    score: float
    detector: str
    pointer: str = ""
    quotes: int = 0


class Hit(NamedTuple):
    """A string, name or number of a JSON text that holds findings.

    `start` and `end` are its place in the text, without a string's quotation marks; the findings' offsets are of the
    text too, escapes and all. `is_name`: it is a name in an object.
    """

    start: int
    end: int
    is_name: bool
    is_number: bool
    findings: list[Finding]


_PLACE = itemgetter(Finding._fields.index("start"), Finding._fields.index("end"))


def resolve(findings: Iterable[Finding]) -> list[Finding]:
    """The findings in order of place, overlapping ones merged.

    Findings that share at least one character become one that covers all of them, so that no part of any is left
    standing. It carries the kind of the strongest: the highest score, then the longest, then the first by name.
    """
    merged: list[Finding] = []
    for finding in sorted(findings, key=_PLACE):
        if merged and finding.start < merged[-1].end:
            merged[-1] = _union(merged[-1], finding)
        else:
            merged.append(finding)
    return merged


def _union(one: Finding, two: Finding) -> Finding:
    strongest = min(one, two, key=lambda f: (-f.score, f.start - f.end, f.kind, f.detector))
    return strongest._replace(start=min(one.start, two.start), end=max(one.end, two.end))
