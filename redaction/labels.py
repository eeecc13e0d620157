"""The values of a JSON text that a label gives away which is a value itself.

It stands beside its value, as in `{"field": "dob", "value": "1980-01-01"}`, or over a column of a table, which is a
list of lists. The labels of a table are its first row, or a list as long as its rows that stands in an object around
both: `{"columns": ["first_name", "dob"], "rows": [["Ana", "1980-01-01"]]}`. An object with a label in it is one too.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from redaction.brackets import Brackets
from redaction.keys import MANIFEST, Keys, Role, beside

_SECRET = MANIFEST.encode()
_UP = 3  # objects around a list of labels in which its table may stand
# Members of an object, labels of a table: where there are more it is none that is filled in or read by people.
_MOST_MEMBERS, _MOST_LABELS = 64, 256
_LIST, _OBJECT = b"[{"
# What holds the value of a setting: no text, such as an answer, that may be about the secret.
_SETTINGS = frozenset({"value", "val", "v", "string value", "current value"})


class Value(NamedTuple):
    """Where a label stands, without quotation marks, where its value begins, and what the label means."""

    start: int
    end: int
    value: int
    role: Role


class _Label(NamedTuple):
    start: int
    end: int
    role: Role | None
    values: tuple[int, ...] = ()  # of what stands beside it


def valued(text: bytes, places: Iterable[int], keys: Keys, brackets: Brackets) -> Iterator[tuple[int, int]]:
    """The labels that begin at `places` beside which the value is a string, and where that begins, without quotation
    marks: `{"name": "API_TOKEN", "value": "..."}`, as settings, variables and headers are listed. One for an object.
    """
    objects: dict[int, int] = {}
    for place in places:
        objects.setdefault(brackets.home(place), place)
    for home, place in objects.items():
        if home >= 0 and text[home] == _OBJECT:
            members = islice(brackets.elements(home), _MOST_MEMBERS)
            at = next((at for name, at in members if keys.words(name.decode("utf-8", "replace")) in _SETTINGS), -1)
            if at >= 0 and text[at] == ord('"'):
                yield place, at + 1


def labelled(
    text: bytes, places: Iterable[int], keys: Keys, brackets: Brackets, shown: Callable[[bytes], str]
) -> Iterator[Value]:
    """What the labels tell whose strings begin at `places`. `shown` reads a string of the text."""
    reader = _Reader(text, keys, brackets, shown)
    for place in places:
        yield from reader.around(place)


class _Reader:
    """Reads each object, list and table once, however many labels there are."""

    def __init__(self, text: bytes, keys: Keys, brackets: Brackets, shown: Callable[[bytes], str]) -> None:
        self._text, self._keys, self._brackets, self._shown = text, keys, brackets, shown
        self._told = beside()
        self._seen: set[int] = set()
        self._tables: dict[int, dict[int, list[int]]] = {}

    def around(self, place: int) -> Iterator[Value]:
        """What is told by the labels of the object or list around one of them."""
        home = self._brackets.home(place)
        if home in self._seen or home < 0:
            return
        self._seen.add(home)
        if self._text[home] == _OBJECT:
            if self._keys.secret:
                yield from self._of_manifest(home, Role(self._keys.secret))
            label = self._of_object(home)
            if label and label.role and not label.role.alone:
                yield from (_value(label, value) for value in label.values or self._outside(home))
            home = self._brackets.outer[home]
        if home >= 0 and self._text[home] == _LIST and ~home not in self._seen:
            self._seen.add(~home)
            yield from self._of_list(home)

    def _of_manifest(self, opening: int, role: Role) -> Iterator[Value]:
        """The values in a Secret of Kubernetes."""
        members = dict(islice(self._brackets.elements(opening), _MOST_MEMBERS))
        kind = members.get(b"kind", -1)
        if kind < 0 or not self._text.startswith(b'"%s"' % _SECRET, kind):
            return
        for holder in (members.get(b"data", -1), members.get(b"stringData", -1)):
            if holder >= 0 and self._text[holder] == _OBJECT:
                for _, at in self._brackets.elements(holder):
                    yield Value(kind + 1, kind + 1 + len(_SECRET), at, role)

    def _of_object(self, opening: int) -> _Label | None:
        """The label in an object, and the value beside it."""
        label: _Label | None = None
        values = list[int]()
        for name, at in islice(self._brackets.elements(opening), _MOST_MEMBERS):
            words = self._keys.words(self._shown(name))
            if words in self._told.values:
                values.append(at)
            elif words in self._told.labels and (found := self._label(at)) and (label is None or found.role):
                label = found if label is None or not label.role else label
        return label._replace(values=tuple(values)) if label else None

    def _outside(self, opening: int) -> list[int]:
        """The values beside the object of a label: `{"field": {"name": "dob"}, "value": "1980-01-01"}`."""
        outer = self._brackets.outer[opening]
        if outer < 0 or self._text[outer] != _OBJECT:
            return []
        members = [
            (self._keys.words(self._shown(name)), at)
            for name, at in islice(self._brackets.elements(outer), _MOST_MEMBERS)
        ]
        if not any(at == opening and words in self._told.labels for words, at in members):
            return []
        return [at for words, at in members if words in self._told.values]

    def _label(self, at: int) -> _Label | None:
        if self._text[at] != ord('"'):
            return None
        end = self._text.index(b'"', at + 1)
        return _Label(at + 1, end, self._keys.role(self._shown(self._text[at + 1 : end])))

    def _of_list(self, opening: int) -> Iterator[Value]:
        """What stands in the columns under a list of labels; and beside labels that count only near others."""
        labels = [self._head(at) for _, at in islice(self._brackets.elements(opening), _MOST_LABELS)]
        person = any(label and label.role and label.role.beside for label in labels)
        telling = [
            (index, label)
            for index, label in enumerate(labels)
            if label and label.role and label.role.judge and (person or not label.role.alone)
        ]
        for _, label in telling:
            if label.role and label.role.alone:
                yield from (_value(label, value) for value in label.values)
        for table in self._tables_of(opening, len(labels)) if telling else []:
            for _, at in self._brackets.elements(table):
                if (row := self._row(at)) >= 0 and row != opening:
                    cells = [cell for _, cell in self._brackets.elements(row)]
                    if len(cells) == len(labels):
                        yield from (_value(label, cells[index]) for index, label in telling)

    def _head(self, at: int) -> _Label | None:
        return self._of_object(at) if self._text[at] == _OBJECT else self._label(at)

    def _tables_of(self, opening: int, width: int) -> list[int]:
        """The tables with rows of this width that the list of labels is the first row of, or stands beside."""
        outer = self._brackets.outer[opening]
        if outer >= 0 and self._text[outer] == _LIST:
            first = ~outer not in self._seen
            self._seen.add(~outer)
            return [outer] if first else []
        for _ in range(_UP):
            if outer < 0 or self._text[outer] != _OBJECT:
                break
            if tables := self._in_object(outer).pop(width, []):
                return tables
            outer = self._brackets.outer[outer]
        return []

    def _row(self, at: int) -> int:
        """The list of cells at a place, also as the only member of an object: `{"f": [{"v": "Ana"}]}`."""
        if self._text[at] != _OBJECT:
            return at if self._text[at] == _LIST else -1
        members = [*islice(self._brackets.elements(at), 2)]
        return members[0][1] if len(members) == 1 and self._text[members[0][1]] == _LIST else -1

    def _in_object(self, opening: int) -> dict[int, list[int]]:
        """The tables that are members of an object, by the width of their first row, which are not taken yet."""
        if opening not in self._tables:
            found = self._tables[opening] = dict[int, list[int]]()
            for _, at in islice(self._brackets.elements(opening), _MOST_MEMBERS):
                first = next((row for _, row in self._brackets.elements(at)), -1) if self._text[at] == _LIST else -1
                if first >= 0 and (first := self._row(first)) >= 0:
                    width = sum(1 for _ in islice(self._brackets.elements(first), _MOST_LABELS))
                    found.setdefault(width, []).append(at)
        return self._tables[opening]


def _value(label: _Label, at: int) -> Value:
    assert label.role is not None
    return Value(label.start, label.end, at, label.role)
