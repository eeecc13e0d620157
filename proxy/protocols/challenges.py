"""Challenges: what `WWW-Authenticate` says of how to sign in (RFC 9110, 11.6.1), read and rewritten. No I/O."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

NAME: Final = "www-authenticate"
PLACE: Final = "resource_metadata"
"""The parameter that says where the metadata is (RFC 9728, 5.1)."""

_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAM: Final = re.compile(rf'({_WORD})[ \t]*=[ \t]*(?:({_WORD})|"((?:[^"\\]|\\.)*)")')
_TOKEN68: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_SCHEME: Final = re.compile(rf"{_WORD}(?=[ \t]*(?:,|\Z)| )")
_SPACES: Final = re.compile(r" +")
_END: Final = re.compile(r"[ \t]*(?:,[ \t,]*|\Z)")
"""Of one element of the list; empty ones do not count (RFC 9110, 5.6.1)."""

_BEFORE: Final = re.compile(r"[ \t,]*")
_PAIR: Final = re.compile(r"\\(.)")


class BadChallenge(ValueError):
    """It cannot be read, or in more than one way."""


class Param(NamedTuple):
    """A parameter: its name in lower case, what it says, and where that stands, quotes included."""

    name: str
    said: str
    start: int
    end: int


def params(value: str) -> list[Param]:
    """The parameters of all challenges of a header, in order. Raises BadChallenge, also where a challenge says one
    thing twice."""
    found: list[Param] = []
    names: set[str] | None = None  # of the challenge that is read; None where it can have none
    at = _past(_BEFORE, value, 0)
    if at == len(value):
        raise BadChallenge
    while at < len(value):
        param = _PARAM.match(value, at) if names is not None else None
        if param is None:
            at = _past(_SCHEME, value, at)
            names = set()
            if end := _END.match(value, at):
                at = end.end()
                continue
            at = _past(_SPACES, value, at)
            param = _PARAM.match(value, at)
        if param is not None and (end := _END.match(value, param.end())):
            assert names is not None
            found.append(_read(param, names))
        else:
            names, end = None, _END.match(value, _past(_TOKEN68, value, at))
        if end is None:
            raise BadChallenge
        at = end.end()
    return found


def _past(what: re.Pattern[str], value: str, at: int) -> int:
    found = what.match(value, at)
    if found is None:
        raise BadChallenge
    return found.end()


def _read(param: re.Match[str], names: set[str]) -> Param:
    name, token, quoted = param.groups()
    name = name.lower()
    if name in names:
        raise BadChallenge
    names.add(name)
    said = token if quoted is None else _PAIR.sub(r"\1", quoted)
    start = param.start(2) if quoted is None else param.start(3) - 1
    return Param(name, said, start, param.end())


def challenged(headers: list[tuple[str, str]], place: str, tell: Callable[[str], None]) -> list[tuple[str, str]]:
    """Headers whose challenges name `place`, a URL without quotes, as that of the metadata; without challenges where it
    is empty. `tell` is told what was removed."""
    kept = []
    for name, value in headers:
        if name.lower() != NAME:
            kept.append((name, value))
        elif not place:
            tell("a challenge was removed: what its caller gets by signing in does not reach the server")
        else:
            try:
                kept.append((name, _moved(value, place)))
            except BadChallenge:
                tell("a challenge that cannot be read was removed")
    return kept


def _moved(value: str, place: str) -> str:
    for param in reversed(params(value)):
        if param.name == PLACE:
            value = f'{value[: param.start]}"{place}"{value[param.end :]}'
    return value
