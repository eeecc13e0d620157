"""Known secrets: where their values come from. They are read at start, and stay in this process."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from redaction.known import MOST_LONG, Known

_log = logging.getLogger("toolwall")
SOURCES: Final = r"^(env:[A-Za-z_][A-Za-z0-9_]*|(file|lines):.+)$"
MOST_BYTES: Final = 16 * 1024 * 1024
"""Of a file with a value on each line."""
_CREDENTIALS: Final = re.compile(r"(?:bearer|basic|token|apikey|bot) +(\S+)", re.IGNORECASE)
"""A whole Authorization header (RFC 9110, 11.4). What is secret in it may come back without its scheme."""


class SecretsError(Exception):
    """The known secrets cannot be used. The text says why and what to do, and holds none of them."""


def known_secrets(sources: Sequence[str], environ: Mapping[str, str]) -> Known:
    """The values that the sources name: `env:NAME`, `file:PATH` (all of it), `lines:PATH` (one a line).

    A value that is trivial is left out with a warning. Raises SecretsError.
    """
    named = [(source, each) for source in sources for value in _values(source, environ) for each in bare(value)]
    try:
        known = Known(value for _, value in named)
    except ValueError as error:
        raise SecretsError(f"known_secrets: {error}") from None
    for place, why in known.left_out:
        _log.warning("a known secret from %s is not looked for: %s", named[place][0], why)
    return known


def header_values(headers: Mapping[str, str], environ: Mapping[str, str], whose: str) -> dict[str, str]:
    """Headers whose values may stand in the environment, as `env:NAME`. Raises SecretsError; `whose` they are stands in
    it.
    """
    found = {}
    for header, value in headers.items():
        name = value.removeprefix("env:")
        if name != value and name not in environ:
            raise SecretsError(f"The environment variable {name}, for {whose} header {header}, is not set.")
        found[header] = environ[name] if name != value else value
    return found


def _values(source: str, environ: Mapping[str, str]) -> Iterator[str]:
    scheme, _, name = source.partition(":")
    if scheme == "env":
        if not environ.get(name):
            raise SecretsError(f"known_secrets: the environment variable {name} is not set, or is empty")
        yield environ[name].strip()
        return
    text = _read(source, Path(name), MOST_BYTES if scheme == "lines" else MOST_LONG * 4)
    values = _lines(text) if scheme == "lines" else [text.strip()]
    if not any(values):
        raise SecretsError(f"known_secrets: {source} holds nothing")
    yield from values


def bare(value: str) -> Iterator[str]:
    """A value, and of credentials behind the name of their scheme those alone as well."""
    yield value
    if credentials := _CREDENTIALS.fullmatch(value):
        yield credentials[1]


def _lines(text: str) -> list[str]:
    """One value a line; empty lines count for nothing."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def _read(source: str, path: Path, most: int) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
        if len(data) > most:
            raise SecretsError(f"known_secrets: {source} is larger than {most} bytes")
        return data.decode("utf-8")
    except OSError as error:
        raise SecretsError(f"known_secrets: {source} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:  # it holds the value
        raise SecretsError(f"known_secrets: {source} is not UTF-8") from None
