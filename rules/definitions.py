"""What an MCP server says that it is and has, as it was accepted: verbatim, in a file with a digest."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from rules.bulk import elements
from rules.documents import plain_json

Definition = Mapping[str, Any]
"""One definition as the server gave it: a Tool, Prompt, Resource or ResourceTemplate of the protocol's schema."""

KINDS: Final[Mapping[str, str]] = {
    "tools": "name",
    "prompts": "name",
    "resources": "uri",
    "templates": "uriTemplate",
}
"""The kinds of definitions, and the member of each that tells it from others."""

MOST: Final = 2_000
"""Definitions of one kind. Servers with hundreds of tools are rare, and no model reads so many."""

MOST_BYTES: Final = 256 * 1024
"""Of one definition, as canonical JSON; with an icon in it, perhaps."""

MOST_SCHEMA: Final = 128 * 1024
"""Bytes of one schema in it. Most have a few thousand; the largest known, made from an API's types, have 90,000."""

MOST_DEPTH: Final = 64
"""Nesting of a definition."""

MOST_NAME: Final = 1_024
"""Characters of a name or URI. The protocol advises 128 for the names of tools."""

MOST_INSTRUCTIONS: Final = 64 * 1024
"""Bytes: they stand in front of everything that a model reads."""

MOST_FILE: Final = 16 * 1024 * 1024
"""Bytes of the file."""

_FORMAT: Final = "toolwall definitions 1"
_REVISION: Final = re.compile(r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2})?")
_NOTED: Final = frozenset({"revision", "serverInfo"})
_VERSION: Final = "version"
_SCHEMAS: Final = ("inputSchema", "outputSchema")


class BadDefinitions(ValueError):
    """What a server says or a file holds cannot be used; `hint` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Definitions:
    """Everything that a model may read before it calls anything. Tools and prompts by name, resources by URI, templates
    by URI template. `hashes` names the exact content of each, by kind and name. `server` is what the server says that
    it is (`serverInfo`), but for its version: that changes with each of its releases. `revision` is that of the
    protocol which the server spoke: no model reads it. Both are empty where nobody asked."""

    tools: Mapping[str, Definition] = field(default_factory=dict)
    prompts: Mapping[str, Definition] = field(default_factory=dict)
    resources: Mapping[str, Definition] = field(default_factory=dict)
    templates: Mapping[str, Definition] = field(default_factory=dict)
    instructions: str = ""
    server: Definition = field(default_factory=dict, compare=False)
    revision: str = field(default="", compare=False)
    hashes: Mapping[str, Mapping[str, str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found = {kind: {name: hash_of(one) for name, one in self.of(kind).items()} for kind in KINDS}
        object.__setattr__(self, "hashes", found)

    def of(self, kind: str) -> Mapping[str, Definition]:
        """The definitions of one kind."""
        found: Mapping[str, Definition] = getattr(self, kind)
        return found

    @property
    def digest(self) -> str:
        """The SHA-256 over everything, as 64 hex digits."""
        return hash_of([_FORMAT, self.hashes, self.instructions, *filter(None, (self.revision, self.server))])


def hash_of(value: Any) -> str:
    """The SHA-256 of a JSON value in canonical form, as 64 hex digits. Of a definition everything counts."""
    return hashlib.sha256(_canonical(value)).hexdigest()


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def defined(kind: str, listed: Iterable[Any]) -> dict[str, Definition]:
    """Definitions of one kind as a server lists them, by name. Raises BadDefinitions."""
    found: dict[str, Definition] = {}
    for one in listed:
        name = _checked(kind, one)
        if name in found:
            raise BadDefinitions(f"{kind}: {_short(name)} is defined twice", "nobody could tell which one is meant")
        if len(found) >= MOST:
            raise BadDefinitions(f"{kind}: there are more than {MOST}")
        found[name] = one
    return {name: found[name] for name in sorted(found)}


def _checked(kind: str, one: Any) -> str:
    """The name of a definition that can be kept."""
    key = KINDS[kind]
    name = one.get(key) if isinstance(one, dict) else None
    if not isinstance(name, str) or not name or len(name) > MOST_NAME:
        raise BadDefinitions(f"{kind}: a definition has no {key} of 1 to {MOST_NAME} characters")
    if elements(one, MOST_DEPTH) < 0:
        raise BadDefinitions(f"{kind}: {_short(name)} is nested deeper than {MOST_DEPTH} levels")
    if not _is_text(one):
        raise BadDefinitions(f"{kind}: {_short(name)} holds half a surrogate pair, which is no text")
    for word, most in ((None, MOST_BYTES), *((each, MOST_SCHEMA) for each in _SCHEMAS)):
        if len(_canonical(one if word is None else one.get(word))) > most:
            what = f"has an {word} of more" if word else "takes more"
            raise BadDefinitions(f"{kind}: {_short(name)} {what} than {most} bytes")
    return name


def _is_text(value: Any) -> bool:
    try:
        return bool(json.dumps(value, ensure_ascii=False).encode())
    except UnicodeEncodeError:
        return False


def _short(name: str) -> str:
    return json.dumps(name if len(name) <= 80 else f"{name[:80]}...")


def definitions(
    tools: Iterable[Any] = (),
    prompts: Iterable[Any] = (),
    resources: Iterable[Any] = (),
    templates: Iterable[Any] = (),
    instructions: Any = "",
    revision: Any = "",
    server: Any = None,
) -> Definitions:
    """What a server listed. Raises BadDefinitions."""
    good = isinstance(instructions, str) and _is_text(instructions)
    if not good or len(_canonical(instructions)) > MOST_INSTRUCTIONS:
        raise BadDefinitions(f"instructions: must be a text of at most {MOST_INSTRUCTIONS} bytes")
    if not isinstance(revision, str) or not _REVISION.fullmatch(revision):
        raise BadDefinitions("revision: must be a date, such as 2025-11-25")
    lists = {"tools": tools, "prompts": prompts, "resources": resources, "templates": templates}
    found = {kind: defined(kind, listed) for kind, listed in lists.items()}
    return Definitions(**found, instructions=instructions, revision=revision, server=identity(server or {}))


def identity(said: Any) -> Definition:
    """What a server says that it is, but for its version. Raises BadDefinitions."""
    if not isinstance(said, dict) or elements(said, MOST_DEPTH) < 0 or not _is_text(said):
        raise BadDefinitions("serverInfo: must be an object")
    kept = {name: value for name, value in said.items() if name != _VERSION}
    if len(_canonical(kept)) > MOST_INSTRUCTIONS:
        raise BadDefinitions(f"serverInfo: must have at most {MOST_INSTRUCTIONS} bytes")
    return kept


def written(accepted: Definitions) -> bytes:
    """The file: sorted, and ASCII, so that a review shows characters that an editor would hide."""
    kept = {kind: [accepted.of(kind)[name] for name in sorted(accepted.of(kind))] for kind in KINDS}
    noted = {"revision": accepted.revision, "serverInfo": accepted.server}
    spoken = {name: value for name, value in noted.items() if value}
    whole = {"format": _FORMAT, "digest": accepted.digest, "instructions": accepted.instructions, **spoken, **kept}
    return (json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=True) + "\n").encode()


def read_definitions(data: bytes) -> Definitions:
    """What was accepted. Raises BadDefinitions where the file is damaged in any way."""
    if len(data) > MOST_FILE:
        raise BadDefinitions(f"is larger than {MOST_FILE} bytes")
    try:
        whole = plain_json(data)
    except ValueError as error:
        raise BadDefinitions(f"cannot be read: {error}") from None
    known = {"format", "digest", "instructions", *KINDS}
    if not isinstance(whole, dict) or whole.keys() - _NOTED != known or whole["format"] != _FORMAT:
        raise BadDefinitions(f"is not a file of {_FORMAT}")
    if not all(isinstance(whole[kind], list) for kind in KINDS):
        raise BadDefinitions("holds definitions that are no list")
    noted = {"revision": whole.get("revision", ""), "server": whole.get("serverInfo")}
    others = {"instructions": whole["instructions"], **noted}
    found = definitions(**{kind: whole[kind] for kind in KINDS}, **others)
    if found.digest != whole["digest"]:
        raise BadDefinitions("has another digest than what it holds")
    return found


class Change(NamedTuple):
    """How what is there differs from what was accepted. `fields` are the members that differ, where it is `changed`;
    `was` is the name under which it was accepted, where it is `renamed`. `kind` is one of KINDS, `instructions` or
    `serverInfo`."""

    kind: str
    name: str
    what: Literal["added", "removed", "changed", "renamed"]
    fields: tuple[str, ...] = ()
    was: str = ""


def compare(accepted: Definitions, present: Definitions) -> tuple[Change, ...]:
    """All that differs, by kind and name. What is the same but for its name counts as renamed."""
    found = [change for kind in KINDS for change in _changes(kind, accepted, present)]
    old, new = accepted.instructions, present.instructions
    if old != new:
        found.append(Change("instructions", "", "changed" if old and new else "added" if new else "removed"))
    if accepted.server and hash_of(accepted.server) != hash_of(present.server):
        found.append(Change("serverInfo", "", "changed", _fields(accepted.server, present.server)))
    return tuple(found)


def _changes(kind: str, accepted: Definitions, present: Definitions) -> Iterator[Change]:
    old, new = accepted.of(kind), present.of(kind)
    was = {_nameless(kind, old[name]): name for name in sorted(old.keys() - new.keys())}
    renamed: set[str] = set()
    for name in sorted(new):
        before = was.get(_nameless(kind, new[name]), "") if name not in old else ""
        if before and before not in renamed:
            renamed.add(before)
            yield Change(kind, name, "renamed", was=before)
        elif name not in old:
            yield Change(kind, name, "added")
        elif accepted.hashes[kind][name] != present.hashes[kind][name]:
            yield Change(kind, name, "changed", _fields(old[name], new[name]))
    for name in sorted(old.keys() - new.keys() - renamed):
        yield Change(kind, name, "removed")


def _nameless(kind: str, one: Definition) -> str:
    return hash_of({key: value for key, value in one.items() if key != KINDS[kind]})


def _fields(old: Definition, new: Definition) -> tuple[str, ...]:
    def differs(name: str) -> bool:
        return (name in old) != (name in new) or hash_of(old.get(name)) != hash_of(new.get(name))

    return tuple(filter(differs, sorted(old.keys() | new.keys())))
