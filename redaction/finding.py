"""What a scan reports: one place in a text, and what stands there."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple


class Finding(NamedTuple):
    """A stretch of text that must not be shown.

    `start` and `end` count code points of the text that was scanned, so `text[start:end]` is the value. `kind` is
    Presidio's entity name where one exists. `score` runs from 0 to 1. `detector` names the pattern that saw it.
    `pointer` is the JSON pointer (RFC 6901) of the leaf, empty in plain text. `quotes`: it is a number of a JSON text
    that stands in that many JSON strings, one in the other, so that what replaces it needs quotation marks. `opened`:
    an encoded text stands there, and this is what is in it; `kind` is that of its surest finding.
    """

    kind: str
    start: int
    end: int
    score: float
    detector: str
    pointer: str = ""
    quotes: int = 0
    opened: "Opened | None" = None


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


class Opened(NamedTuple):
    """A text that stands in another one encoded, and what is in it, with offsets in it; a plain text is one hit.

    `close` encodes a text in its place, as it was encoded.
    """

    text: str
    is_json: bool
    hits: list[Hit]
    close: Callable[[str], str]


Span = tuple[int, int]
"""Where something begins and ends in a text."""

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
    start, end = min(one.start, two.start), max(one.end, two.end)
    # What was opened can be closed only where it stood, as a whole.
    opened = strongest.opened if (start, end) == (strongest.start, strongest.end) else None
    return strongest._replace(start=start, end=end, opened=opened)


def merged(some: list[Hit], others: list[Hit]) -> list[Hit]:
    """The hits of both, in order; those of one place are one."""
    if not some or not others:
        return some or others
    at = {hit.start: hit for hit in some}
    for hit in others:
        same = at.get(hit.start)
        at[hit.start] = same._replace(findings=resolve([*same.findings, *hit.findings])) if same else hit
    return [at[start] for start in sorted(at)]


def outside(hits: list[Hit], places: Sequence[Span]) -> list[Hit]:
    """The hits without what lies within one of these places. What goes beyond one takes all of it along."""
    if not hits or not places:
        return hits
    left = (hit._replace(findings=resolve(_beyond(hit.findings, places))) for hit in hits)
    return [hit for hit in left if hit.findings]


def _beyond(findings: list[Finding], places: Sequence[Span]) -> Iterator[Finding]:
    for found in findings:
        touched = [(start, end) for start, end in places if start < found.end and found.start < end]
        if not any(start <= found.start and found.end <= end for start, end in touched):
            start = min([found.start, *(start for start, _ in touched)])
            yield found._replace(start=start, end=max([found.end, *(end for _, end in touched)]))


def kinds(findings: Iterable[Finding]) -> Iterator[str]:
    """The kind of each, and of each within what was opened."""
    for finding in findings:
        if finding.opened:
            yield from (kind for hit in finding.opened.hits for kind in kinds(hit.findings))
        else:
            yield finding.kind


def counted(hits: list[Hit]) -> Counter[str]:
    """How many findings of each kind there are."""
    return Counter(kinds([found for hit in hits for found in hit.findings]))
