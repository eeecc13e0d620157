"""What stands in the place of findings, kind by kind, and the edits of JSON that put it there."""

import re
from collections.abc import Iterator
from typing import Final

from redaction import operators, walk
from redaction.finding import Finding, Hit, Opened
from redaction.operators import PLAIN, Way
from redaction.unwrap import JSON, unwrap

Ways = frozenset[tuple[str, Way]]
"""How findings of a kind are rewritten, where not by their kind in angle brackets."""

NO_WAYS: Final[Ways] = frozenset()

# Ends of lines under the escapes of JSON strings.
_LINE_END: Final = re.compile(r"(?:\\+r)?\\+n")


class Rewriting:
    """The ways of one rule, with the key that some of them need."""

    def __init__(self, ways: Ways, key: bytes = b"") -> None:
        self._ways = dict(ways)
        self._key = key
        self.drops = any(way.name == "drop" for way in self._ways.values())

    def text(self, kind: str, value: str) -> str:
        """What a finding in text becomes."""
        way = self._ways.get(kind)
        return f"<{kind}>" if way is None else operators.rewritten(way, kind, value, self._key)

    def found(self, finding: Finding, value: str) -> str:
        """What a finding in text becomes, `value` as it reads. What was opened is closed again."""
        return self.text(finding.kind, value) if finding.opened is None else self._closed(finding.opened)

    def _closed(self, opened: Opened) -> str:
        edits = self.edits(opened.text, opened.hits) if opened.is_json else self._in_text(opened)
        return opened.close(operators.splice(opened.text, edits))

    def _in_text(self, opened: Opened) -> Iterator[tuple[int, int, str]]:
        for hit in opened.hits:
            for each in hit.findings:
                yield each.start, each.end, self.found(each, opened.text[each.start : each.end])

    def number(self, kind: str, value: str) -> str | int:
        """What a JSON number with a finding becomes."""
        return 0 if self._ways.get(kind, PLAIN).name == "zero" else self.text(kind, value)

    def edits(self, text: str, hits: list[Hit]) -> Iterator[tuple[int, int, str]]:
        """The edits of a JSON text, in order."""
        gone = self._gone(text, hits) if self.drops else []
        edits = self._replacing(text, hits)
        if not gone:
            return edits
        return _without(edits, gone)

    def edits_of_bytes(self, data: bytes, hits: list[Hit]) -> Iterator[tuple[int, int, bytes]]:
        """The edits of a JSON text in UTF-8. Nothing is dropped."""
        for hit in hits:
            for found, quotes in _places(hit):
                value = data[found.start : found.end].decode("utf-8", "replace") if self._reads(found) else ""
                yield found.start, found.end, self._json(found, value, quotes).encode()

    def _replacing(self, text: str, hits: list[Hit]) -> Iterator[tuple[int, int, str]]:
        for hit in hits:
            for found, quotes in _places(hit):
                value = text[found.start : found.end] if self._reads(found) else ""
                yield found.start, found.end, self._json(found, value, quotes)

    def _reads(self, found: Finding) -> bool:
        return bool(self._ways) or found.opened is not None

    def _json(self, found: Finding, escaped: str, quotes: int) -> str:
        if found.opened:
            return _with_line_ends(self._closed(found.opened), escaped)
        if quotes:
            new = self.number(found.kind, escaped)
            mark = "\\" * (2 ** (quotes - 1) - 1) + '"'
            return f"{mark}{new}{mark}" if isinstance(new, str) else str(new)
        return self.text(found.kind, unwrap(escaped, JSON).text)

    def _gone(self, text: str, hits: list[Hit]) -> list[tuple[int, int]]:
        dropped = {hit.start for hit in hits if not hit.is_name and any(self._drops(f.kind) for f in hit.findings)}
        return walk.members(text, dropped) if dropped else []

    def _drops(self, kind: str) -> bool:
        return self._ways.get(kind, PLAIN).name == "drop"


def _without(edits: Iterator[tuple[int, int, str]], gone: list[tuple[int, int]]) -> Iterator[tuple[int, int, str]]:
    """The edits outside of what goes, with those that take it out. Both are in order."""
    cuts = iter(gone)
    cut = next(cuts, None)
    for edit in edits:
        while cut and cut[1] <= edit[0]:
            yield *cut, ""
            cut = next(cuts, None)
        if cut is None or edit[1] <= cut[0]:
            yield edit
    while cut:
        yield *cut, ""
        cut = next(cuts, None)


def _with_line_ends(text: str, escaped: str) -> str:
    """Base64 with the ends of its lines written as they were, however deep in JSON they stand; else it has no lines."""
    end = _LINE_END.search(escaped)
    return end[0].join(text.splitlines()) if end else text.replace("\r", "").replace("\n", "")


def _places(hit: Hit) -> Iterator[tuple[Finding, int]]:
    """What is rewritten, and in how many layers of quotation marks: 0 for none, 1 for a number's own."""
    if hit.is_number:
        yield hit.findings[0]._replace(start=hit.start, end=hit.end), 1
    else:
        for found in hit.findings:
            yield found, found.quotes and found.quotes + 1
