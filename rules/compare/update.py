"""A newer document for a rules folder: what changes, what can be taken over, and where a person has to decide."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final
from urllib.parse import urldefrag, urljoin

from rules.compare.edit import Editor, NotEditable
from rules.compare.merge import ABSENT, Keys, merge, merge_whole
from rules.compare.side import as_dict, same
from rules.compare.tools import Change, Contracts, Tool, changes, references
from rules.compare.words import shown
from rules.source import LoadProblem, read

Mentions = Mapping[str, list[LoadProblem]]
"""Per tool the places in rules and examples that name it."""

_BY_HAND: Final = "change it by hand"
_AS_ONE: Final[Mapping[str, tuple[str, ...]]] = {"input": ("args", "input"), "effect": ("effect", "guessed")}
"""Keys of a tool that only make sense together: whoever deleted `guessed` has looked at `effect`."""


@dataclass(slots=True)
class Update:
    """What a newer document means for a folder.

    `files` are texts to write by path in the folder, None for a file to delete; `base` is what was generated, for the
    next time. `conflicts` are places where a person has to decide; nothing is written there. `edited` are tools that
    somebody edited, deleted or added by hand.
    """

    changes: list[Change]
    base: Contracts
    files: dict[str, bytes | None] = field(default_factory=dict)
    conflicts: list[LoadProblem] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)


def update(
    base: Contracts,
    theirs: Contracts,
    file: str,
    texts: Mapping[str, bytes],
    mentions: Mentions,
    keep_ours: bool = False,
) -> Update:
    """Merge a newer document into the files of a folder.

    `texts` are the files of the folder that belong to the backend, by path: the rules file named `file` and schema
    files. `mentions` are the tools that rules or examples name. With `keep_ours` conflicts are settled for the edits
    by hand. Raises NotEditable where the rules file cannot be read.
    """
    theirs = renamed(base, theirs)
    work = _Work(base, theirs, Editor(file, texts[file]), mentions, keep_ours)
    work.backend()
    work.tools()
    work.schemas(texts)
    done = Update(changes(base, theirs), work.next_base(), work.files, sorted(work.conflicts), work.edited)
    try:
        text = work.editor.text()
    except NotEditable as error:
        done.conflicts.append(LoadProblem(file, error.line, 1, "", str(error), _BY_HAND))
        return replace(done, base=base, files={})
    if text != texts[file]:
        done.files[file] = text
    return done


def renamed(base: Contracts, theirs: Contracts) -> Contracts:
    """The newer tools under the names that rules know: the same operation keeps its name."""
    known = {call: name for name, call in base.calls.items()}
    names: dict[str, str] = {name: known[call] for name, call in theirs.calls.items() if call in known}
    taken = set(names.values())
    for name in theirs.tools:
        if name not in names:
            names[name] = _free(name, taken)
            taken.add(names[name])
    return replace(
        theirs,
        tools={names[name]: tool for name, tool in theirs.tools.items()},
        calls={names[name]: call for name, call in theirs.calls.items()},
        notes={names[name]: notes for name, notes in theirs.notes.items()},
    )


def _free(name: str, taken: set[str]) -> str:
    number = 2
    free = name
    while free in taken:
        free = f"{name[:60]}_{number}"
        number += 1
    return free


class _Work:
    """One merge: the editor of the rules file, and the base as it will be."""

    def __init__(
        self,
        base: Contracts,
        theirs: Contracts,
        editor: Editor,
        mentions: Mentions,
        keep_ours: bool,
    ) -> None:
        self.base, self.theirs, self.editor = base, theirs, editor
        self.conflicts: list[LoadProblem] = []
        self.edited: list[str] = []
        self.files: dict[str, bytes | None] = {}
        self._mentions, self._keep = mentions, keep_ours
        self._ours = copy.deepcopy(editor.plain)
        self._own: dict[str, Any] = as_dict(self._ours.pop("tools", None))
        self._next: dict[str, dict[str, Any]] = {
            "backend": {},
            "tools": dict(base.tools),
            "schemas": dict(base.schemas),
        }

    def next_base(self) -> Contracts:
        """What was generated and taken over, or settled."""
        kept = {name for name in self._next["tools"] if name not in self.theirs.tools}
        calls = {name: call for name, call in self.base.calls.items() if name in kept}
        notes = {name: told for name, told in self.base.notes.items() if name in kept}
        return Contracts(**self._next, calls={**calls, **self.theirs.calls}, notes={**notes, **self.theirs.notes})

    def backend(self) -> None:
        """The backend's own keys."""
        self._next["backend"] = self._keys((), self.base.backend, self._ours, self.theirs.backend)

    def tools(self) -> None:
        """Every tool of the three sides."""
        earlier: list[str] = []
        for name in dict.fromkeys((*self.theirs.tools, *self.base.tools, *self._own)):
            base, own, new = (side.get(name) for side in (self.base.tools, self._own, self.theirs.tools))
            self.edited += [name] if own != base else []
            if base is None and new is not None:
                self._new(name, own, new, earlier)
            elif new is None and base is not None:
                self._removed(name, base, own)
            elif new is not None and base is not None:
                self._next["tools"][name] = new if own is None else self._keys(("tools", name), base, own, new)
            earlier.append(name)

    def _removed(self, name: str, base: Tool, own: Tool | None) -> None:
        """A tool that the newer document no longer has."""
        place = ("tools", name)
        if own is not None and not self._keep:
            if not same(own, base):
                return self._conflict(place, "was edited by hand, and the newer document no longer has it")
            if found := self._mentions.get(name):
                text = f"names {name}, which the newer document no longer has: take it out, then run again"
                return self.conflicts.extend(replace(one, message=text) for one in found)
            if not self._done(place, lambda: self.editor.remove(place, base, self.base.notes.get(name, ()))):
                return None
        del self._next["tools"][name]
        return None

    def _new(self, name: str, own: Tool | None, new: Tool, earlier: list[str]) -> None:
        """A tool that the older document did not have."""
        calls = {tool.get("call"): each for each, tool in self._own.items() if each not in self.base.tools}
        twin = name if own is not None else calls.get(new["call"])
        if twin is None:
            place, notes = ("tools", name), self.theirs.notes.get(name, ())
            if not self._done(place, lambda: self.editor.insert(place, new, notes, earlier)):
                return
        elif not self._keep and not same(self._own[twin], new):
            self._conflict(("tools", twin), f"was added by hand; {new['call']} is now in the document, as {name}")
            return
        self._next["tools"][name] = new

    def _keys(self, place: Keys, base: Tool, ours: Tool, theirs: Tool) -> dict[str, Any]:
        """Merge the keys of the backend or of one tool; gives them as the next base has them."""
        result: dict[str, Any] = {}
        for group in _groups(base, ours, theirs):
            sides = [{key: side[key] for key in group if key in side} for side in (base, ours, theirs)]
            is_one = group == _AS_ONE["effect"] or len({tuple(sorted(side)) for side in sides}) > 1
            three_ways = merge_whole if is_one and len(group) > 1 else merge
            merged = three_ways(sides[0], sides[1], sides[2], self._keep)
            for below in merged.conflicts:
                self._conflict((*place, *(below or group[:1])), _told([_at(side, below) for side in sides]))
            taken = self._apply(place, group, sides, merged.value, list(theirs))
            result.update(merged.base if taken else sides[0])
        return result

    def _apply(self, place: Keys, group: Keys, sides: Sequence[Any], value: Any, order: list[str]) -> bool:
        """Write the keys that a merge changed. False where a person has to."""
        base, ours = sides[0], sides[1]
        for key in group:
            old, new = ours.get(key, ABSENT), value.get(key, ABSENT)
            if not self._change((*place, key), base.get(key, ABSENT), old, new, order):
                return False
        return True

    def _change(self, place: Keys, base: Any, old: Any, new: Any, order: list[str]) -> bool:
        """Write one value that a merge changed; of a mapping, only the members that differ."""
        if old is new or same(old, new):
            return True
        if isinstance(old, dict) and isinstance(new, dict) and new and self.editor.is_open(place):
            was, order, done = as_dict(base), list(new), True
            for key in dict.fromkeys((*old, *new)):
                before = was.get(key, ABSENT)
                done &= self._change((*place, key), before, old.get(key, ABSENT), new.get(key, ABSENT), order)
            return done
        if new is ABSENT:
            return self._done(place, partial(self.editor.remove, place, base))
        before = order[: order.index(place[-1])] if place[-1] in order else []
        return self._done(place, partial(self.editor.set, place, new, base, before))

    def schemas(self, texts: Mapping[str, bytes]) -> None:
        """Every schema file. One that is gone from the document stays while something leads to it."""
        own = {path: _parsed(texts[path]) if path in texts else ABSENT for path in self._schema_paths()}
        final: dict[str, Any] = {}
        for path, value in own.items():
            base, theirs = self.base.schemas.get(path, ABSENT), self.theirs.schemas.get(path, ABSENT)
            merged = merge(base, value, theirs, self._keep)
            for below in merged.conflicts:
                told = _told([_at(side, below) for side in (base, value, theirs)])
                self.conflicts.append(
                    LoadProblem(path, _line(path, texts.get(path, b""), below), 1, ".".join(below), told)
                )
            final[path] = merged.value
            self._next["schemas"][path] = merged.base
        needed = _reached(self.editor.plain, {**own, **final})
        for path, value in own.items():
            if final[path] is ABSENT and value is not ABSENT and path in needed:
                final[path], self._next["schemas"][path] = value, value
            if final[path] is ABSENT and value is not ABSENT:
                self.files[path] = None
            elif not same(final[path], value):
                self.files[path] = (json.dumps(final[path], indent=2, ensure_ascii=False) + "\n").encode()
        self._next["schemas"] = {path: one for path, one in self._next["schemas"].items() if one is not ABSENT}

    def _schema_paths(self) -> list[str]:
        return sorted(self.base.schemas.keys() | self.theirs.schemas.keys())

    def _done(self, place: Keys, edit: Callable[[], None]) -> bool:
        """Whether an edit could be made; what could not is a conflict."""
        try:
            edit()
        except NotEditable as error:
            self.conflicts.append(LoadProblem(self.editor.file, error.line, 1, ".".join(place), str(error), _BY_HAND))
            return False
        return True

    def _conflict(self, place: Keys, message: str) -> None:
        line = self.editor.line_of(place)
        self.conflicts.append(LoadProblem(self.editor.file, line, 1, ".".join(place), message))


def _groups(*sides: Tool) -> list[Keys]:
    """The keys of all sides, those that only make sense together as one."""
    together = {key: group for group in _AS_ONE.values() for key in group}
    keys = dict.fromkeys(key for side in sides for key in side)
    return list(dict.fromkeys(together.get(key, (key,)) for key in keys))


def _at(value: Any, place: Keys) -> Any:
    for key in place:
        value = value.get(key, ABSENT) if isinstance(value, dict) else ABSENT
    return value


def _told(sides: list[Any]) -> str:
    was, own, new = ("nothing" if side in (ABSENT, {}) else shown(side) for side in sides)
    return f"was {was}, is {own} by hand, and is {new} in the newer document"


def _parsed(text: bytes) -> Any:
    """A schema file; the bytes themselves where it is no JSON, so that it equals nothing."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return {"": text.hex()}


def _line(path: str, text: bytes, place: Keys) -> int:
    root, _ = read(path, text)
    here, line = root, 1
    for key in place:
        line = here.keys.get(key, (line, 1))[0] if here else line
        here = here.get(key) if here else None
    return line


def _reached(tools: Any, schemas: Mapping[str, Any]) -> set[str]:
    """The paths of the schema files to which the rules file leads."""
    found: set[str] = set()
    todo = [("", tools)]
    while todo:
        base, value = todo.pop()
        for path in (urldefrag(urljoin(base, ref)).url for ref in references(value)):
            if path not in found and path in schemas:
                found.add(path)
                todo.append((path, schemas[path]))
    return found
