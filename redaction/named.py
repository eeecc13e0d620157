"""The values of a JSON text that their names give away: in leaves, in lists, and in whole objects."""

import re
from collections.abc import Collection, Container, Iterable, Iterator
from itertools import islice
from operator import itemgetter
from typing import NamedTuple

from redaction.brackets import Brackets
from redaction.finding import Finding, Hit, merged
from redaction.keys import DETECTOR, SCORE, Judge, Keys, Role
from redaction.labels import labelled
from redaction.linear import ANYWHERE
from redaction.unwrap import HIDDEN

# A string (1), which is a name if a colon follows (2); an opening (3) or closing (4) bracket; a number (5).
_TOKEN = re.compile(rb'"([^"]*+)"(?:[ \t\r\n]*+(:))?|([\[{])|([\]}])|(-?[0-9][0-9.eE+\-]*+)')
_COLON, _OPEN, _CLOSE = 2, 3, 4
# A string, or a list that begins with one; a list that begins with an object.
_A_STRING = re.compile(rb'[ \t\r\n]*+(["\[])(?:(?<=")|[ \t\r\n]*+")')
_OF_OBJECTS = re.compile(rb"\[[ \t\r\n]*+\{")
_LIST, _OBJECT = b"[{"
# The family of names that mean an address for mail as well, by what stands there.
_ADDRESS = "STREET_ADDRESS"
_MAIL = re.compile(rb'"[^"@\s]{1,64}@[^"@\s]{1,200}\.[A-Za-z]{2,24}"')
# How much of an object is searched for signs that it is no person, in bytes, and how many in others are passed by.
_EARLY, _MOST_SIGNS = 2_000, 8
_PLACE = itemgetter(0)
_ANY_BRACKET = re.compile(rb"[\[\]{}]")
# Names and signs that are compared one by one, and how far apart they may be, in bytes.
_FEW, _NEAR = 4, 500


class Note(NamedTuple):
    """A name that means something: where it stands, without quotation marks, where its value begins, its meaning."""

    start: int
    end: int
    value: int
    role: Role


class _Meaning(NamedTuple):
    """What stands under a name is judged by this; `inside`: as a member of an object of the family."""

    judge: Judge
    name: str
    inside: bool


def named(
    text: bytes,
    notes: Iterable[Note],
    keys: Keys,
    hidden: bool,
    sure: Container[int] = frozenset(),
    labels: Collection[int] = (),
) -> list[Hit]:
    """The values that count, in order. `text` is as `search` has it: valid JSON, escapes undone. Of strings that begin
    at a place of `sure` it is known already, and for sure, what they are; those at places of `labels` may be labels.
    """
    reader = _Reader(text, keys, hidden, sure)
    hits = reader.read({note.start: note for note in notes})
    return merged(hits, reader.labelled(labels)) if labels else hits


class _Reader:
    def __init__(self, text: bytes, keys: Keys, hidden: bool, sure: Container[int]) -> None:
        self._text, self._keys, self._hidden, self._sure = text, keys, hidden, sure

    def read(self, notes: dict[int, Note]) -> list[Hit]:
        text, hits, within = self._text, list[Hit](), list[Hit]()
        chosen, signs = list[Note](), list[Note]()
        for note in notes.values():
            role = note.role
            if role.judge and (not role.alone or self._holds_objects(note.value)):
                chosen.append(note)
            if (role.over and text[note.value] in b"[{") or self._is_beside(note):
                signs.append(note)
        if signs:
            chosen += self._persons(signs)
        chosen.sort(key=_PLACE)
        covered = named = 0  # where what was read of lists and objects ends, and of those under bare names
        for note in chosen:
            judge = note.role.judge
            # A bare name in an address is none of the address's own members.
            inside = note.value < covered
            if judge is None or note.value < named or (inside and not judge.alone) or note.value + 1 in self._sure:
                continue
            found = within if inside else hits
            if text[note.value] not in b"[{":
                found += self._leaf(_TOKEN.match(text, note.value), _Meaning(judge, self._name(note), False))
            elif (
                judge.members
                or judge.wraps
                or (text[note.value] == _LIST and not (judge.alone and self._holds_objects(note.value)))
            ):
                end = self._region(note, judge, found)
                covered, named = max(covered, end), end if judge.alone else named
        return merged(hits, within)

    def labelled(self, places: Collection[int]) -> list[Hit]:
        """The values that labels give away, in order."""
        hits, text = list[Hit](), self._text
        for start, end, value, role in labelled(text, places, self._keys, Brackets(text), self._shown):
            judge = role.judge
            if judge is None or value + 1 in self._sure:
                continue
            if text[value] in b"[{":
                self._region(Note(start, end, value, role), judge, hits)
            else:
                hits += self._leaf(_TOKEN.match(text, value), _Meaning(judge, self._shown(text[start:end]), False))
        return sorted(hits, key=_PLACE)

    def _is_beside(self, note: Note) -> bool:
        """Whether a name is a sign beside others: one with a value or a list of its own, or an `address` for mail."""
        text, at, role = self._text, note.value, note.role
        if role.beside or text[at] != ord('"') or role.judge is None or role.judge.kind != _ADDRESS:
            return role.beside and text[at] != _OBJECT
        return _MAIL.match(text, at) is not None

    def _holds_objects(self, at: int) -> bool:
        return self._text[at] == _OBJECT or _OF_OBJECTS.match(self._text, at) is not None

    def _name(self, note: Note) -> str:
        return self._shown(self._text[note.start : note.end])

    def _shown(self, text: bytes) -> str:
        return (text.replace(HIDDEN, b'"') if self._hidden else text).decode("utf-8", "replace")

    def _persons(self, signs: list[Note]) -> Iterator[Note]:
        """The bare names that are a person's: beside or under a sign of one. They are looked for nowhere else.

        A sign beside others has a value of its own, one over others has members.
        """
        bare = list(islice(self._bare(0, len(self._text)), _FEW + 1))
        if not bare:
            return
        if len(bare) <= _FEW and self._surely_beside(bare, signs):
            yield from bare
            return
        shape = Brackets(self._text)
        homes = {shape.home(sign.start) for sign in signs if self._is_beside(sign)}
        around = {home for home in homes if not self._is_against(home, shape)}
        under = {sign.value for sign in signs if sign.role.over}
        at = 0
        for opening in sorted(around | (under & shape.closes.keys())):
            closing = shape.closes.get(opening, 0)
            for note in self._bare(max(at, opening), closing):
                home = shape.home(note.start)
                outer = shape.outer.get(home, -1)
                if home in around or home in under or (outer in under and self._text[outer] == _LIST):
                    yield note
            at = max(at, closing)

    def _surely_beside(self, bare: list[Note], signs: list[Note]) -> bool:
        """Whether each of the names stands beside a sign with no bracket between them, and nothing can be against it.

        Then they are in one object, and the shape of the text, which costs more than all else, need not be known.
        """
        text, find = self._text, self._keys.find_against
        if find and find(ANYWHERE, text, 0, len(text))[0][0] >= 0:
            return False
        beside = [sign for sign in signs if text[sign.value] not in b"[{"]
        return all(any(self._is_flat(*sorted((note.start, sign.start))) for sign in beside[:_FEW]) for note in bare)

    def _is_flat(self, start: int, end: int) -> bool:
        return end - start <= _NEAR and not _ANY_BRACKET.search(self._text, start, end)

    def _is_against(self, home: int, shape: Brackets) -> bool:
        """Whether early in an object stands a sign that its name is no person's."""
        find, at = self._keys.find_against, home
        end = min(shape.closes.get(home, 0), home + _EARLY)
        for _ in range(_MOST_SIGNS):
            at = find(ANYWHERE, self._text, at, end)[0][1] if find and at < end else -1
            if at < 0:
                return False
            left, right = self._string_before(at)
            if shape.home(at - 1) == home and self._keys.is_against(self._shown(self._text[left:right])):
                return True
        return False

    def _string_before(self, at: int) -> tuple[int, int]:
        """Where the last string before a place stands, without quotation marks."""
        right = self._text.rfind(b'"', 0, at)
        return self._text.rfind(b'"', 0, right) + 1, right

    def _bare(self, at: int, end: int) -> Iterator[Note]:
        """The bare names in a part of the text."""
        text, find = self._text, self._keys.find_bare
        while find and at < end:
            at = find(ANYWHERE, text, at, end)[0][1]
            if at < 0:
                return
            left, right = self._string_before(at)
            role = self._keys.role(self._shown(text[left:right]))
            if role and role.alone:
                value = _A_STRING.match(text, at)
                if value:
                    yield Note(left, right, value.start(1), role)

    def _region(self, note: Note, judge: Judge, hits: list[Hit]) -> int:
        """Reads a list or object under a name of a family, with all that is in it. Says where it ends."""
        meaning: _Meaning | None = _Meaning(judge, self._name(note), False)
        outer: list[tuple[bool, _Meaning | None]] = []
        for match in _TOKEN.finditer(self._text, note.value):
            group = match.lastindex
            if group == _OPEN:
                outer.append((match[3] == b"[", meaning))
            elif group == _CLOSE:
                outer.pop()
                if not outer:
                    return match.end()
            elif group == _COLON:
                meaning = self._member(self._shown(match[1]), outer[-1][1])
                continue
            else:
                hits += self._leaf(match, meaning)
            meaning = outer[-1][1] if outer[-1][0] else None
        return len(self._text)

    def _member(self, name: str, outer: _Meaning | None) -> _Meaning | None:
        words = self._keys.words(name)
        if outer and words in outer.judge.members:
            return _Meaning(outer.judge, name, True)
        # A value under its type, or a column: {"first_name": {"0": "Ana"}}.
        if outer and (words in outer.judge.wraps or (name.isdecimal() and not outer.judge.alone)):
            return outer
        role = self._keys.role(name)
        return _Meaning(role.judge, name, False) if role and role.judge and not role.alone else None

    def _leaf(self, match: re.Match[bytes] | None, meaning: _Meaning | None) -> Iterator[Hit]:
        if match is None or meaning is None or match.lastindex == _COLON:
            return
        number = match[1] is None
        start, end = match.span(0 if number else 1)
        if meaning.judge.fits(self._shown(self._text[start:end]), meaning.name, meaning.inside):
            found = Finding(meaning.judge.kind, start, end, SCORE, DETECTOR)
            yield Hit(start, end, False, number, [found])
