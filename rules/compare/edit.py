"""Changing single keys of a rules file as text, so that all else stays byte for byte as somebody wrote it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from rules.compare.side import same
from rules.openapi.yamltext import comment, lines
from rules.source import Node, read

_COMMENT: Final = re.compile(r"(^|\s)#")
_NO_CONTENT: Final = re.compile(r"\s*(#.*)?")


class NotEditable(Exception):
    """A place in a file that a person has to change: the message says why. `line` counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


class Editor:
    """A rules file whose keys are changed one by one; `text` gives the result, which is read again and compared.

    Only mappings in block style are changed. Places are keys from the top of the file.
    """

    def __init__(self, file: str, data: bytes) -> None:
        text = data.decode("utf-8")
        root, problems = read(file, data)
        if root is None or problems or not isinstance(root.value, dict):
            raise NotEditable(str(problems[0]) if problems else f"{file}: holds no mapping", 1)
        self.file, self.root = file, root
        self.plain: dict[str, Any] = root.plain()
        self._break = "\r\n" if "\r\n" in text else "\n"
        self._lines = text.split(self._break)
        # Per edit: the first line, the line after the last one, and what stands there instead.
        self._edits: list[tuple[int, int, list[str]]] = []

    def line_of(self, place: Sequence[str]) -> int:
        """The line of a key, or of what is nearest above it."""
        here, line = self.root, self.root.line
        for key in place:
            line = here.keys.get(key, (line, 1))[0]
            below = here.get(key)
            if below is None:
                break
            here = below
        return line

    def is_open(self, place: Sequence[str]) -> bool:
        """Whether a place holds a mapping in block style, whose keys can be changed one by one."""
        try:
            self._parent([*place, ""])
        except NotEditable:
            return False
        return True

    def set(self, place: Sequence[str], value: Any, generated: Any, after: Sequence[str] = ()) -> None:
        """Let a key hold a value. `generated` is what an import wrote there: if that is what stands in the file, it
        may go with its comments. A key that is new comes after the last of the keys in `after` that is there.
        Raises NotEditable.
        """
        parent, indent = self._parent(place)
        if place[-1] in parent.keys:
            start, end = self._checked(place, parent, indent, generated)
            self._edits.append((start, end, list(lines({place[-1]: value}, indent))))
            _put(self.plain, place, value)
        else:
            self.insert(place, value, (), after)

    def insert(self, place: Sequence[str], value: Any, notes: Iterable[str], after: Sequence[str]) -> None:
        """Write a key that is not there, with comments above it. Raises NotEditable."""
        parent, indent = self._parent(place)
        before = [key for key in after if key in parent.keys] or list(parent.keys)[-1:]
        at = self._span([*place[:-1], before[-1]], parent)[1]
        self._edits.append((at, at, [*comment(notes, indent), *lines({place[-1]: value}, indent)]))
        _put(self.plain, place, value)

    def remove(self, place: Sequence[str], generated: Any, notes: Iterable[str] = ()) -> None:
        """Take a key away, with the comments that an import wrote above it. Raises NotEditable."""
        parent, indent = self._parent(place)
        start, end = self._checked(place, parent, indent, generated)
        above = list(comment(notes, indent))
        if above and self._bare(start - len(above), start) == above:
            start -= len(above)
        self._edits.append((start, end, []))
        _drop(self.plain, place)

    def text(self) -> bytes:
        """The file with all edits. Raises NotEditable where it would not read as intended."""
        found = list(self._lines)
        ordered = sorted((start, end, index) for index, (start, end, _) in enumerate(self._edits))
        for start, end, index in reversed(ordered):
            found[start:end] = self._edits[index][2]
        data = self._break.join(found).encode()
        root, problems = read(self.file, data)
        if problems or root is None or not same(root.plain(), self.plain):
            raise NotEditable("is written in a way that cannot be changed key by key", 1)
        return data

    def _parent(self, place: Sequence[str]) -> tuple[Node, int]:
        """The mapping in which a key stands or will stand, and the indentation of its keys."""
        here = self.root
        for key in place[:-1]:
            below = here.get(key)
            if below is None:
                raise NotEditable(f"there is no {key} to write into", here.line)
            here = below
        if not here.keys or self._lines[here.line - 1][here.col - 1 : here.col] == "{":
            raise NotEditable("stands in braces: write it as lines first", here.line)
        return here, next(iter(here.keys.values()))[1] - 1

    def _checked(self, place: Sequence[str], parent: Node, indent: int, generated: Any) -> tuple[int, int]:
        """The span of a key that may be replaced: it is as generated, or holds no comment that would be lost."""
        start, end = self._span(place, parent)
        found = self._bare(start, end)
        if found != list(lines({place[-1]: generated}, indent)) and any(map(_COMMENT.search, found)):
            raise NotEditable("holds a comment that would be lost", start + 1)
        return start, end

    def _span(self, place: Sequence[str], parent: Node) -> tuple[int, int]:
        """The lines of a key and its value, without the comments and empty lines below."""
        starts = sorted(line - 1 for line, _ in parent.keys.values())
        start = parent.keys[place[-1]][0] - 1
        if len(set(starts)) < len(starts):
            raise NotEditable("shares its line with another key", start + 1)
        later = [line for line in starts if line > start]
        end = later[0] if later else self._end(place[:-1])
        while end > start + 1 and _NO_CONTENT.fullmatch(self._lines[end - 1]):
            end -= 1
        return start, end

    def _end(self, place: Sequence[str]) -> int:
        """The line after a value."""
        if not place:
            return len(self._lines)
        here = self.root
        for key in place[:-1]:
            here = here.value[key]
        line = here.keys[place[-1]][0]
        later = [other - 1 for other, _ in here.keys.values() if other > line]
        return min(later) if later else self._end(place[:-1])

    def _bare(self, start: int, end: int) -> list[str]:
        return [line.rstrip("\r") for line in self._lines[max(start, 0) : end]]


def _put(value: dict[str, Any], place: Sequence[str], new: Any) -> None:
    for key in place[:-1]:
        value = value[key]
    value[place[-1]] = new


def _drop(value: dict[str, Any], place: Sequence[str]) -> None:
    for key in place[:-1]:
        value = value[key]
    del value[place[-1]]
