"""What changed in a backend and its tools from one document to a newer one, in words and by weight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import urldefrag, urljoin

from rules.compare.side import Side, as_dict, as_list, refs, unchanged
from rules.compare.subset import Memory, gaps
from rules.compare.words import phrase, shown
from rules.documents import ROOT
from rules.grammar import EFFECTS

Kind = Literal["loosened", "changed", "tightened", "reworded"]
WEIGHT: Final[tuple[Kind, ...]] = ("loosened", "changed", "tightened", "reworded")
"""From what deserves most attention to what deserves least. `changed` has to be looked at: it could be anything."""

MOST_LINES: Final = 200
"""Of one tool; what is beyond is only counted."""

_JSON: Final = ["application/json"]
_TOLD: Final = frozenset(("args", "input", "effect", "guessed", "body", "in", "says", "replies"))
Line = tuple[Kind, str]
Tool = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Contracts:
    """One state of a backend: its own keys, its tools as they stand in a rules file, and their schema files by path.

    `calls` says of each tool which operation of the document it is, as method and path; `notes` are the comments
    that the import wrote above a tool.
    """

    backend: Mapping[str, Any] = field(default_factory=dict)
    tools: Mapping[str, Tool] = field(default_factory=dict)
    schemas: Mapping[str, Any] = field(default_factory=dict)
    calls: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to one tool; its lines, the weightiest first. `kind` is `new`, `removed` or the weightiest.

    `effect` is that of a new tool. The backend itself is the tool without a name.
    """

    tool: str
    call: str
    kind: str
    lines: tuple[Line, ...] = ()
    effect: str = ""


def input_of(tool: Tool) -> Any:
    """The arguments of a tool as one JSON Schema: `input` as it is, `args` as what it stands for."""
    if "input" in tool:
        return tool["input"]
    args = {name: dict(one) for name, one in as_dict(tool.get("args")).items() if isinstance(one, dict)}
    needed = [name for name, one in args.items() if one.pop("optional", False) is not True]
    return {"type": "object", "properties": args, "required": needed, "additionalProperties": False}


def changes(old: Contracts, new: Contracts) -> list[Change]:
    """What the newer document changes, sorted by weight and name. Tools of the same name are the same tool."""
    found = _Changes(old, new)
    told = [found.backend(), *(found.tool(name) for name in old.tools.keys() & new.tools.keys())]
    added, gone = new.tools.keys() - old.tools.keys(), old.tools.keys() - new.tools.keys()
    told += [Change(name, new.tools[name]["call"], "new", effect=_effect_of(new.tools[name])) for name in added]
    told += [Change(name, old.tools[name]["call"], "removed") for name in gone]
    order = [WEIGHT[0], WEIGHT[1], "removed", "new", *WEIGHT[2:]]
    return sorted((one for one in told if one), key=lambda one: (order.index(one.kind), one.tool))


class _Changes:
    """The changes between two states. What is the same in both is never compared closely."""

    def __init__(self, old: Contracts, new: Contracts) -> None:
        self._old, self._new = old, new
        self._before = {ROOT + path: schema for path, schema in old.schemas.items()}
        self._after = {ROOT + path: schema for path, schema in new.schemas.items()}
        self._alike = unchanged(self._before, self._after)
        self._loose, self._tight = Memory(), Memory()

    def backend(self) -> Change | None:
        """What changed about the backend itself."""
        old, new = self._old.backend, self._new.backend
        keys = [key for key in sorted((old.keys() | new.keys()) - {"credential"}) if old.get(key) != new.get(key)]
        lines: list[Line] = [*_listed("the credential", old.get("credential"), new.get("credential"))]
        lines += [("reworded" if key == "says" else "changed", _was(key, old.get(key), new.get(key))) for key in keys]
        return _change("", str(new.get("url", "")), lines)

    def tool(self, name: str) -> Change | None:
        """What changed about one tool, or None."""
        old, new = self._old.tools[name], self._new.tools[name]
        if old == new and all(uri in self._alike for uri in _leads(old)):
            return None
        lines = [*self._schema("", input_of(old), input_of(new)), *_outside(old, new), *self._replies(old, new)]
        return _change(name, new["call"], lines)

    def _schema(self, where: str, old: Any, new: Any) -> Iterator[Line]:
        """How one schema changed. The same gap open in both directions is one line."""
        if old == new and all(uri in self._alike for uri in _leads(old)):
            return
        before, after = Side(old, _reached(old, self._before)), Side(new, _reached(new, self._after))
        loose = gaps(before, after, self._alike, self._loose)
        tight = gaps(after, before, self._alike, self._tight)
        doubtful = {(gap.path, gap.word) for gap in loose if not gap.sure}
        for gap in loose:
            yield ("loosened" if gap.sure else "changed"), where + phrase(gap, "loosened")
        for gap in tight:
            if gap.sure or (gap.path, gap.word) not in doubtful:
                yield ("tightened" if gap.sure else "changed"), where + phrase(gap, "tightened")
        if not loose and not tight:
            yield "reworded", f"{where}descriptions or examples in its schema changed, and what it allows did not"

    def _replies(self, old: Tool, new: Tool) -> Iterator[Line]:
        before, after = as_dict(old.get("replies")), as_dict(new.get("replies"))
        if not before or not after:
            yield from _allowed("every reply", not before, not after)
            return
        for status in sorted(before.keys() | after.keys()):
            yield from self._reply(status, _for_status(before, status), _for_status(after, status))

    def _reply(self, status: str, old: Any, new: Any) -> Iterator[Line]:
        yield from _allowed(f"reply {status}", old is not None, new is not None)
        if old is not None and new is not None:
            for media in sorted(old.keys() | new.keys()):
                where = f"reply {status} {media}"
                yield from _allowed(where, media in old, media in new)
                if media in old and media in new:
                    yield from self._schema(f"{where}: ", old[media], new[media])


def _change(name: str, call: str, lines: list[Line]) -> Change | None:
    if not lines:
        return None
    ordered = sorted(dict.fromkeys(lines), key=lambda line: WEIGHT.index(line[0]))
    rest = len(ordered) - MOST_LINES
    more: list[Line] = [(ordered[MOST_LINES][0], f"and {rest} more changes")] if rest > 0 else []
    return Change(name, call, ordered[0][0], (*ordered[:MOST_LINES], *more))


def _allowed(what: str, before: bool, after: bool) -> Iterator[Line]:
    if before != after:
        yield ("loosened", f"{what} is allowed now") if after else ("tightened", f"{what} is no longer allowed")


def _outside(old: Tool, new: Tool) -> Iterator[Line]:
    """What changed about a tool besides its schemas."""
    yield from _effect(old.get("effect", "read"), new.get("effect", "read"))
    yield from _listed("the media type", old.get("body", _JSON), new.get("body", _JSON))
    for name in sorted(as_dict(old.get("in")).keys() | as_dict(new.get("in")).keys()):
        was, now = as_dict(old.get("in")).get(name), as_dict(new.get("in")).get(name)
        if was != now:
            yield "changed", f"{name} travels in another way: {_was('in', was, now)}"
    if old.get("says") != new.get("says"):
        yield "reworded", f"its purpose, which a model reads, is now: {new.get('says', 'nothing')}"
    for key in sorted((old.keys() | new.keys()) - _TOLD):
        if old.get(key) != new.get(key):
            yield "changed", _was(key, old.get(key), new.get(key))


def _effect_of(tool: Tool) -> str:
    return f"{tool.get('effect', 'read')}{', guessed' if tool.get('guessed') else ''}"


def _effect(old: str, new: str) -> Iterator[Line]:
    if old != new:
        less = new in EFFECTS and old in EFFECTS and EFFECTS.index(new) < EFFECTS.index(old)
        yield ("loosened" if less else "tightened"), _was("effect", old, new)


def _listed(what: str, old: Any, new: Any) -> Iterator[Line]:
    before, after = (one if isinstance(one, list) else [one] if one is not None else [] for one in (old, new))
    yield from (("loosened", f"{what} {shown(one)} is taken now") for one in after if one not in before)
    yield from (("tightened", f"{what} {shown(one)} is no longer taken") for one in before if one not in after)


def _for_status(replies: Mapping[str, Any], status: str) -> Any:
    """The contract for a status: its own, that of its class, or the default."""
    for word in (status, f"{status[:1]}XX", "default"):
        if word in replies:
            return as_dict(replies[word])
    return None


def _was(key: str, old: Any, new: Any) -> str:
    return f"{key} was {shown(old)}, is now {shown(new)}"


def _leads(value: Any) -> Iterator[str]:
    """The URIs of the files to which a tool leads."""
    return (urldefrag(urljoin(ROOT, ref)).url for ref in references(value))


def references(value: Any) -> Iterator[str]:
    """The text of each `$ref` anywhere in a tool or schema."""
    todo = [value]
    while todo:
        here = todo.pop()
        if isinstance(here, dict):
            if isinstance(here.get("$ref"), str):
                yield here["$ref"]
            todo += here.values()
        else:
            todo += as_list(here)


def _reached(schema: Any, documents: Mapping[str, Any]) -> dict[str, Any]:
    """The documents that a schema leads to."""
    found: dict[str, Any] = {}
    todo = [(ROOT, schema)]
    while todo:
        base, here = todo.pop()
        for ref in refs(here):
            uri = urldefrag(urljoin(base, ref)).url
            if uri in documents and uri not in found:
                found[uri] = documents[uri]
                todo.append((uri, documents[uri]))
    return found
