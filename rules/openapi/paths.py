"""Paths of documents as templates that rules files hold: clean segments, one name for each parameter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, unquote

from rules.openapi.names import Unique, argument_name

_PARAM: Final = re.compile(r"\{([^{}/]*)\}")
_MODIFIED: Final = re.compile(r"^[+#./;?&]?(.*?)(\*|:[0-9]+)?$")
"""RFC 6570 allows an operator before a name and a modifier behind it."""
_PCHAR: Final = "-._~!$&'()*+,;=:@"


@dataclass(slots=True)
class Template:
    """A path for `call`. `names` maps the document's parameters to arguments, in order.

    `query` holds what the document wrote behind a `?`, `marks` what it wrote behind a `#`, as names and values.
    """

    path: str = ""
    names: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def shape(self) -> str:
        """The path with every parameter alike: two templates of the same shape match the same requests."""
        return _PARAM.sub("{}", self.path)


def template(raw: str, reserved: frozenset[str] = frozenset()) -> Template:
    """Clean a document's path. `reserved` are names that no parameter may take."""
    found = Template()
    bare, _, fragment = raw.partition("#")
    bare, _, query = bare.partition("?")
    found.query, found.marks = dict(_pairs(query)), dict(_pairs(fragment))
    unique = Unique(taken=reserved)
    segments = bare.split("/")
    kept = [segments[0], *(one for one in segments[1:-1] if one), *segments[1:][-1:]]
    if kept != segments:
        found.warnings.append("its path has an empty segment, which is left out")
    if not bare.startswith("/"):
        kept.insert(0, "")
    found.path = "/".join(_segment(one, unique, found) for one in kept)
    return found


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for part in text.split("&") if text else ():
        name, equals, value = part.partition("=")
        if equals and "{" not in value:
            yield unquote(name), unquote(value)


def _segment(text: str, unique: Unique, found: Template) -> str:
    """One segment: its parameters renamed, everything else as it stands on the wire."""
    pieces = _PARAM.split(_joined(text, found))
    out = [_literal(piece) if index % 2 == 0 else _named(piece, unique, found) for index, piece in enumerate(pieces)]
    whole = "".join(out)
    return quote(whole, safe="").replace(".", "%2E") if whole in (".", "..") else whole


def _joined(text: str, found: Template) -> str:
    """Parameters without anything between them as one: nothing tells where the first ends."""
    while (joint := text.find("}{")) >= 0:
        text = f"{text[:joint]}_{text[joint + 2 :]}"
        found.warnings.append("two parameters of its path stand side by side; they are one argument")
    return text


def _named(raw: str, unique: Unique, found: Template) -> str:
    bare = _MODIFIED.sub(r"\1", raw.strip())
    if bare != raw.strip() and raw.strip().startswith("+"):
        found.warnings.append(
            f"the parameter {bare} of its path may hold slashes in the document; here it is one segment"
        )
    name = unique.name(argument_name(bare))
    found.names[raw if raw not in found.names else f"{raw}#{name}"] = name
    return f"{{{name}}}"


def _literal(text: str) -> str:
    """Text as a URL holds it; what is percent-encoded already stays."""
    return (
        quote(text.replace("{", "").replace("}", ""), safe=_PCHAR + "%")
        if "%" in text
        else quote(text.replace("{", "").replace("}", ""), safe=_PCHAR)
    )
