"""What stands in the place of findings, kind by kind, and the edits of JSON that put it there."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from redaction import operators, walk
from redaction.finding import Finding, Hit, Opened
from redaction.operators import PLAIN, REALISTIC, Way
from redaction.pseudonyms import InCall
from redaction.unwrap import JSON, unwrap

Ways = frozenset[tuple[str, Way]]
"""How findings of a kind are rewritten, where not by their kind in angle brackets."""

NO_WAYS: Final[Ways] = frozenset()

# Ends of lines under the escapes of JSON strings.
_LINE_END: Final = re.compile(r"(?:\\+r)?\\+n")


Operate = Callable[[str, str, str], str]
"""What an operator of Presidio's (by its name) makes of a finding of a kind (the second) and value. May raise
`scanner.Unreadable`."""


class Rewriting:
    """The ways of one rule, with the key that some of them need, the run whose pseudonyms are given, and what asks
    Presidio for the way `presidio`."""

    def __init__(self, ways: Ways, key: bytes = b"", run: InCall | None = None, operate: Operate | None = None) -> None:
        self._ways = dict(ways)
        self._key = key
        self._run = run
        self._operate = operate
        self.apart = any(way.name == operators.APART for way in self._ways.values())
        drops = [way for way in self._ways.values() if way.name == "drop"]
        self.drops = bool(drops)
        self._below = next((tuple(way.mark.split("/")[1:]) for way in drops if way.mark != PLAIN.mark), ())
        self.gives_pseudonyms = any(way.name == "pseudonym" for way in self._ways.values())

    def within(self, run: InCall) -> "Rewriting":
        """The same ways, for a call of this run."""
        bound = object.__new__(Rewriting)
        bound.__dict__.update(self.__dict__)
        bound._run = run
        return bound

    def text(self, kind: str, value: str) -> str:
        """What a finding in text becomes."""
        if self._run is not None:
            return self._in_run(self._run, kind, value)
        way = self._ways.get(kind)
        return f"<{kind}>" if way is None else self._rewritten(way, kind, value)

    def _rewritten(self, way: Way, kind: str, value: str) -> str:
        if way.name == operators.APART and self._operate:
            return self._operate(way.mark, kind, value)
        return operators.rewritten(way, kind, value, self._key)

    def found(self, finding: Finding, value: str) -> str:
        """What a finding in text becomes, `value` as it reads. What was opened is closed again."""
        return self.text(finding.kind, value) if finding.opened is None else self._closed(finding.opened)

    def _closed(self, opened: Opened) -> str:
        edits = self.edits(opened.text, opened.hits, inner=True) if opened.is_json else self._in_text(opened)
        return opened.close(operators.splice(opened.text, edits))

    def _in_text(self, opened: Opened) -> Iterator[tuple[int, int, str]]:
        for hit in opened.hits:
            for each in hit.findings:
                yield each.start, each.end, self.found(each, opened.text[each.start : each.end])

    def _in_run(self, run: InCall, kind: str, value: str, number: bool = False) -> str:
        if (stays := run.stays(value)) is not None:
            return stays
        way = self._ways.get(kind, PLAIN)
        if way.name == "pseudonym":
            return run.known.give(kind, value, number, way.mark == REALISTIC)
        return self._rewritten(way, kind, value)

    def waits(self, finding: Finding) -> bool:
        """Whether what a finding becomes is made only when it is shown: a pseudonym counts those before it."""
        if self._run is None:
            return False
        return finding.opened is not None or self._ways.get(finding.kind, PLAIN).name == "pseudonym"

    def number(self, kind: str, value: str) -> str | int:
        """What a JSON number with a finding becomes."""
        way = self._ways.get(kind, PLAIN)
        if self._run is not None and (way.name == "pseudonym" or self._run.stays(value) is not None):
            return self._in_run(self._run, kind, value, number=True)
        return 0 if way.name == "zero" else self.text(kind, value)

    def edits(self, text: str, hits: list[Hit], inner: bool = False) -> Iterator[tuple[int, int, str]]:
        """The edits of a JSON text, in order. `inner`: it was in a string of another."""
        gone = self._gone(text, hits, () if inner else self._below) if self.drops else []
        edits = self._replacing(text, hits)
        if not gone:
            return edits
        return _without(edits, gone)

    def edits_of_bytes(self, data: bytes, hits: list[Hit]) -> Iterator[tuple[int, int, bytes]]:
        """The edits of a JSON text in UTF-8. Nothing is dropped."""
        by_kind = not self._ways and self._run is None
        for hit in hits:
            for found, quotes in _places(hit):
                if by_kind and not quotes and found.opened is None:
                    yield found.start, found.end, b"<%b>" % found.kind.encode()
                    continue
                value = data[found.start : found.end].decode("utf-8", "replace") if self._reads(found) else ""
                yield found.start, found.end, self._json(found, value, quotes, data[hit.start] in b"{[").encode()

    def _replacing(self, text: str, hits: list[Hit]) -> Iterator[tuple[int, int, str]]:
        for hit in hits:
            for found, quotes in _places(hit):
                value = text[found.start : found.end] if self._reads(found) else ""
                yield found.start, found.end, self._json(found, value, quotes, text[hit.start] in "{[")

    def _reads(self, found: Finding) -> bool:
        return bool(self._ways) or self._run is not None or found.opened is not None

    def _json(self, found: Finding, escaped: str, quotes: int, nested: bool) -> str:
        if found.opened:
            return _with_line_ends(self._closed(found.opened), escaped)
        if quotes:
            new = self.number(found.kind, escaped)
            mark = "\\" * (2 ** (quotes - 1) - 1) + '"'
            return f"{mark}{new}{mark}" if isinstance(new, str) else str(new)
        value = unwrap(escaped, JSON).text
        # Of a string that looks like JSON itself, what is in it has escapes of its own.
        return self.text(found.kind, unwrap(value, JSON).text if nested and "\\" in value else value)

    def _gone(self, text: str, hits: list[Hit], below: tuple[str, ...]) -> list[tuple[int, int]]:
        dropped = {hit.start for hit in hits if not hit.is_name and any(self._drops(f.kind) for f in hit.findings)}
        if dropped and below:
            places = walk.paths(text, dropped) or {}
            dropped = {at for at, path in places.items() if path[: len(below)] == below}
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
