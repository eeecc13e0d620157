"""Writing YAML that people like to read and rules.source reads back exactly: block style, small schemas on one line."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any, Final

from rules.source import scalar

WIDTH: Final = 110
"""Columns of a line; only a single long word goes beyond."""

_BARE: Final = re.compile(r"[A-Za-z_/.$*+(<=>~^0-9-][A-Za-z0-9_/.$*+()<=>~^;@ -]*")
"""Text that may stand without quotes where it reads as text (yaml.org/spec/1.2.2, 7.3.3), in flow style too."""

_BLOCK: Final = re.compile(r"[A-Za-z_/.$*+(<=>~^0-9-](?:[A-Za-z0-9_/.$*+()<=>~^;@{}?&=,'!% -]|:(?! |$))*")
"""The same outside of `{}` and `[]`."""

_FLOW_WIDTH: Final = 90


def lines(value: Any, indent: int = 0) -> Iterator[str]:
    """A mapping or list as lines."""
    pad = " " * indent
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _member(f"{pad}{text(key)}:", below, indent)
    else:
        for below in value:
            yield from _item(below, indent)


def _member(start: str, value: Any, indent: int) -> Iterator[str]:
    if isinstance(value, str) and len(start) + len(value) + 3 > WIDTH and _folds(value):
        yield f"{start} >-"
        yield from _wrapped(value, indent + 2)
    elif not isinstance(value, dict | list) or not value or _fits(value, len(start)):
        yield f"{start} {text(value, _BLOCK) if isinstance(value, str) else flow(value)}"
    else:
        yield start
        yield from lines(value, indent + 2)


def _item(value: Any, indent: int) -> Iterator[str]:
    pad = " " * indent
    if not isinstance(value, dict | list) or not value or _fits(value, indent + 2):
        yield f"{pad}- {text(value, _BLOCK) if isinstance(value, str) else flow(value)}"
        return
    below = list(lines(value, indent + 2))
    yield f"{pad}- {below[0].lstrip()}"
    yield from below[1:]


def _fits(value: Any, start: int) -> bool:
    """Whether a value is small and plain enough for one line."""
    if isinstance(value, dict) and any(isinstance(one, dict) and one for one in value.values()) and len(value) > 2:
        return False
    return start + len(shown := flow(value)) + 1 <= WIDTH and len(shown) <= _FLOW_WIDTH


def flow(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{text(key)}: {flow(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return text(value) if isinstance(value, str) else repr(value)


def text(value: str, pattern: re.Pattern[str] = _BARE) -> str:
    """A text as a scalar, in quotes where it would read as something else."""
    bare = pattern.fullmatch(value) and not value.endswith(" ") and isinstance(scalar(value), str)
    if bare and not re.match(r"[-?](?![A-Za-z0-9_])|[*<>~=]|---|\.\.\.|[-+]?\.(?i:inf|nan)", value):
        return value
    if value.isprintable() and '"' not in value and "\\" not in value:
        return f'"{value}"'
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(each: str) -> str:
    if each in '"\\':
        return "\\" + each
    if each.isprintable():
        return each
    short = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(each)
    code = ord(each)
    return short or (f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}")


def _folds(value: str) -> bool:
    """Whether a text survives folding: words with single spaces between them."""
    return value == " ".join(value.split(" ")) and value.isprintable() and value == value.strip() and "  " not in value


def _wrapped(value: str, indent: int) -> Iterator[str]:
    pad = " " * indent
    for line in textwrap.wrap(value, WIDTH - indent, break_long_words=False, break_on_hyphens=False):
        yield pad + line


def comment(sentences: Iterable[str], indent: int = 0) -> Iterator[str]:
    """Sentences as comments, each on lines of its own."""
    pad = " " * indent
    for sentence in sentences:
        seen = "".join(each if each.isprintable() else " " for each in sentence)
        wrapped = textwrap.wrap(seen, WIDTH - indent - 4, break_long_words=True) or [""]
        yield f"{pad}# {wrapped[0]}".rstrip()
        yield from (f"{pad}#   {line}" for line in wrapped[1:])
