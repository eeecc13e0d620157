"""Where the objects and lists of a JSON text open and close, and which is in which."""

import re
from bisect import bisect_right
from collections.abc import Iterator

_BRACKET = re.compile(rb'[^"\[\]{}]*+(?:"[^"]*+"[^"\[\]{}]*+)*+([\[\]{}])')
# A string (1), which is a name if a colon follows (2); what opens an object or list (3); any other value.
_ELEMENT = re.compile(rb'"([^"]*+)"(?:[ \t\r\n]*+(:))?|([\[{])|[^ \t\r\n,:"\[\]{}]++')
_NAME, _OPEN = 2, 3


class Brackets:
    """Those of one text: valid JSON in UTF-8, escapes undone. A place is that of a bracket that opens; -1 is none."""

    def __init__(self, text: bytes) -> None:
        self.closes: dict[int, int] = {}
        self.outer: dict[int, int] = {}
        self._text = text
        self._places, self._homes = [-1], [-1]
        inside = [-1]
        for match in _BRACKET.finditer(text):
            at = match.start(1)
            if text[at] in b"[{":
                self.outer[at] = inside[-1]
                inside.append(at)
            else:
                self.closes[inside.pop()] = at
            self._places.append(at)
            self._homes.append(inside[-1])

    def home(self, place: int) -> int:
        """Where the object or list opens that is next around a place."""
        return self._homes[bisect_right(self._places, place) - 1]

    def elements(self, opening: int) -> Iterator[tuple[bytes, int]]:
        """The elements of an object or list: their names, empty in a list, and where their values begin."""
        at, end, name = opening + 1, self.closes[opening], b""
        while match := _ELEMENT.search(self._text, at, end):
            at = match.end()
            if match.lastindex == _NAME:
                name = match[1]
                continue
            yield name, match.start()
            if match.lastindex == _OPEN:
                at = self.closes[match.start()] + 1
