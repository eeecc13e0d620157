"""Findings for people and programs outside: where, what, how sure, and never the value."""

from collections.abc import Iterable
from typing import Any

from redaction import operators, walk
from redaction.finding import Finding, Hit
from redaction.randomness import KIND, random_words
from redaction.scanner import Scanner
from redaction.unwrap import JSON, unwrap


def media_type_of(text: str) -> str:
    """`application/json` for a JSON object or array, else `text/plain`."""
    return "application/json" if walk.is_document(text) else "text/plain"


def findings_json(text: str, scanner: Scanner) -> list[dict[str, Any]]:
    """The findings in `text` as `{kind, start, end, pointer, detector, score}`, in order of place.

    `start` and `end` are offsets in the UTF-8 bytes of `text` as it stands: in JSON they enclose the finding with its
    escapes. `pointer` is the JSON pointer of its string or number (of its object, if it is in a name); names that hold
    findings are cleaned in it. Raises `Unreadable`.
    """
    found = _pointed(text, scanner) if walk.is_document(text) else scanner.find(text)
    return [_row(finding, start, end) for finding, start, end in _in_bytes(text, found)]


def warnings_json(text: str) -> list[dict[str, Any]]:
    """What looks made by chance and would stay, in the same form, marked as a warning. Offsets as above."""
    words = random_words(text.encode("utf-8", "replace"))
    found = (_row(Finding(KIND, start, end, 0.0, "entropy"), start, end) for start, end in words)
    return [{**row, "warning": True} for row in found]


def _pointed(text: str, scanner: Scanner) -> list[Finding]:
    hits = scanner.find_json(text)
    names = {hit.start: _cleaned_name(text, hit) for hit in hits if hit.is_name}
    where = walk.pointers(text, {hit.start for hit in hits}, names)
    return [finding._replace(pointer=where[hit.start]) for hit in hits for finding in hit.findings]


def _cleaned_name(text: str, hit: Hit) -> str:
    edits = [(f.start - hit.start, f.end - hit.start, operators.kind(f)) for f in hit.findings]
    return unwrap(operators.splice(text[hit.start : hit.end], edits), JSON).text


def _in_bytes(text: str, found: Iterable[Finding]) -> Iterable[tuple[Finding, int, int]]:
    at = offset = 0
    for finding in found:
        start = offset + len(text[at : finding.start].encode())
        offset = start + len(text[finding.start : finding.end].encode())
        at = finding.end
        yield finding, start, offset


def _row(finding: Finding, start: int, end: int) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "start": start,
        "end": end,
        "pointer": finding.pointer,
        "detector": finding.detector,
        "score": finding.score,
    }
