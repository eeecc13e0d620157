"""What stands in the place of findings, kind by kind, and the edits of JSON that put it there."""

from collections.abc import Iterator
from typing import Final

from redaction import operators, walk
from redaction.finding import Hit
from redaction.operators import PLAIN, Way
from redaction.unwrap import JSON, unwrap

Ways = frozenset[tuple[str, Way]]
"""How findings of a kind are rewritten, where not by their kind in angle brackets."""

NO_WAYS: Final[Ways] = frozenset()


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
            for start, end, kind, quotes in _places(hit):
                value = data[start:end].decode("utf-8", "replace") if self._ways else ""
                yield start, end, self._json(kind, value, quotes).encode()

    def _replacing(self, text: str, hits: list[Hit]) -> Iterator[tuple[int, int, str]]:
        for hit in hits:
            for start, end, kind, quotes in _places(hit):
                yield start, end, self._json(kind, text[start:end] if self._ways else "", quotes)

    def _json(self, kind: str, escaped: str, quotes: int) -> str:
        if quotes:
            new = self.number(kind, escaped)
            mark = "\\" * (2 ** (quotes - 1) - 1) + '"'
            return f"{mark}{new}{mark}" if isinstance(new, str) else str(new)
        return self.text(kind, unwrap(escaped, JSON).text)

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


def _places(hit: Hit) -> Iterator[tuple[int, int, str, int]]:
    """What is rewritten, and in how many layers of quotation marks: 0 for none, 1 for a number's own."""
    if hit.is_number:
        yield hit.start, hit.end, hit.findings[0].kind, 1
    else:
        for found in hit.findings:
            yield found.start, found.end, found.kind, found.quotes and found.quotes + 1
