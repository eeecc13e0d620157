"""The key file: the API keys of agents, one a line, read anew while the sidecar runs.

Each line is `- {...}`, as it may stand under `api_keys` in toolwall.yaml too, with the SHA-256 of a key, never the key.
A line is added or taken away under a lock, and the file is replaced as a whole: who reads it sees all of it or none.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from proxy.identity.identity import digest, new_key
from proxy.replacing import Busy, alone, replace_file, signature
from rules.facts import Principal

LOOK_S: Final = 0.5
"""Between two looks at the file: a key that was revoked is refused within a second."""

MOST_KEYS: Final = 10_000
MOST_BYTES: Final = 8 * 1024 * 1024
PREFIX: Final = 10
"""Characters of a key that are shown: `twk_`, and 36 of its 256 bits."""

FORM: Final = "%Y-%m-%dT%H:%M:%SZ"
_OTHERS_MAY_WRITE: Final = 0o022
_TEXTS: Final[Mapping[str, re.Pattern[str]]] = {
    "id": re.compile(r"(?!twk_)[\x21-\x7e]{1,128}"),
    "sha256": re.compile(r"[0-9a-f]{64}"),
    "prefix": re.compile(r"twk_[\w-]{6}", re.ASCII),
    "agent": re.compile(r".+", re.DOTALL),
    "user": re.compile(r".+", re.DOTALL),
    "created": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII),
    "expires": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII),
}
_LIKE: Final[Mapping[str, str]] = {
    "id": "1 to 128 visible ASCII characters that do not begin as a key does",
    "sha256": "64 hex digits in lower case",
    "prefix": "the first characters of the key",
    "created": "a time such as 2026-01-31T12:00:00Z",
    "expires": "a time such as 2026-01-31T12:00:00Z",
}
_log = logging.getLogger("toolwall.keys")


class KeyFileError(Exception):
    """The file cannot be used, or what was asked for cannot be done. The text says why and what to do."""


class Key(NamedTuple):
    """One line. `prefix` and `created` are empty where nobody wrote them; `expires` is in seconds since the epoch."""

    principal: Principal
    digest: str
    prefix: str = ""
    created: str = ""
    expires: float | None = None

    def is_over(self, now: float) -> bool:
        """Whether its time is over."""
        return self.expires is not None and now >= self.expires

    def line(self) -> str:
        """As it stands in the file."""
        who = self.principal
        until = "" if self.expires is None else datetime.fromtimestamp(self.expires, UTC).strftime(FORM)
        said = {"id": who.id, "roles": sorted(who.roles), "agent": who.agent, "user": who.user, "sha256": self.digest}
        said |= {"prefix": self.prefix, "created": self.created, "expires": until}
        return "- " + json.dumps({name: value for name, value in said.items() if value}, ensure_ascii=False)


class KeyFile:
    """The keys of a file, looked at again at most twice a second.

    A file that cannot be read, or with a line that is no key, changes nothing: the keys before hold, and `trouble` says
    what is wrong. A file that is not there has no keys: to take it away revokes all of them.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: dict[str, Key] = {}
        self._lines: dict[str, Key] = {}
        self._seen: tuple[int, ...] | None = None
        self._look_at = 0.0
        self._trouble = ""
        self._look()

    def get(self, digest: str) -> Principal | None:
        """The principal of the key with this SHA-256 (hex), or None."""
        self._look()
        key = self._keys.get(digest)
        return None if key is None or key.is_over(time.time()) else key.principal

    def principals(self) -> tuple[Principal, ...]:
        """All who have a key that is still good."""
        self._look()
        now = time.time()
        return tuple({key.principal for key in self._keys.values() if not key.is_over(now)})

    @property
    def trouble(self) -> str:
        """What is wrong with the file, without a value of it; empty where nothing is."""
        self._look()
        return self._trouble

    def _look(self) -> None:
        if (now := time.monotonic()) < self._look_at:
            return
        self._look_at = now + LOOK_S
        try:
            if (seen := signature(os.stat(self._path))) == self._seen:
                return
            self._take(_read(self._path), seen)
        except FileNotFoundError:
            self._keys, self._seen = {}, None
            self._say(f"the key file {self._path} is not there: `toolwall keys add` makes it. Nobody has a key.")
        except (OSError, KeyFileError) as error:
            why = str(error) if isinstance(error, KeyFileError) else error.strerror
            self._seen = None
            self._say(f"the key file {self._path} cannot be used, the keys before hold: {why}")

    def _take(self, text: str, seen: tuple[int, ...]) -> None:
        lines = read_lines(text, self._lines)
        self._keys = {key.digest: key for key in lines.values()}
        self._lines, self._seen, self._trouble = lines, seen, ""
        _log.info("the key file %s was read: %d keys", self._path, len(lines))

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble:
            _log.error("%s", trouble)
        self._trouble = trouble

    def __repr__(self) -> str:
        return f"KeyFile({len(self._keys)} keys)"


def read_lines(text: str, known: Mapping[str, Key]) -> dict[str, Key]:
    """The key of each line. Those of lines that are `known` are not read again. Raises KeyFileError."""
    found: dict[str, Key] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            if line in found:
                raise KeyFileError("stands there twice")
            found[line] = known.get(line) or read_line(line)
        except KeyFileError as error:
            raise KeyFileError(f"line {number} {error}") from None
        if len(found) > MOST_KEYS:
            raise KeyFileError(f"it holds more than {MOST_KEYS} keys")
    _check_together(found.values())
    return found


def _check_together(keys: Iterable[Key]) -> None:
    digests: set[str] = set()
    described: dict[str, tuple[object, ...]] = {}
    for key in keys:
        if key.digest in digests:
            raise KeyFileError(f"a key of {key.principal.id} stands there twice")
        digests.add(key.digest)
        if described.setdefault(key.principal.id, _about(key.principal)) != _about(key.principal):
            raise KeyFileError(f"the lines of {key.principal.id} describe it in different ways")


def _about(who: Principal) -> tuple[object, ...]:
    return who.roles, who.agent, who.user


def read_line(line: str) -> Key:
    """The key of one line. Raises KeyFileError, whose text follows the word `line`."""
    said = _object(line)
    if unknown := said.keys() - _TEXTS.keys() - {"roles"}:
        raise KeyFileError(f"has the unknown name {min(unknown)!r:.40}")
    for name in ("id", "sha256"):
        if name not in said:
            raise KeyFileError(f"has no {name}")
    for name, form in _TEXTS.items():
        value = said.get(name, "")
        if name in said and not (_is_text(value) and form.fullmatch(value)):
            raise KeyFileError(f"has a wrong {name}: it is {_LIKE.get(name, 'printable text that is not empty')}")
    roles = said.get("roles", [])
    if not isinstance(roles, list) or not all(_is_text(role) for role in roles):
        raise KeyFileError("has wrong roles: they are a list of printable texts that are not empty")
    who = Principal(said["id"], frozenset(roles), said.get("agent", ""), said.get("user", ""), "api_key")
    _seconds(said.get("created"))
    return Key(who, said["sha256"], said.get("prefix", ""), said.get("created", ""), _seconds(said.get("expires")))


def _object(line: str) -> dict[str, Any]:
    try:
        said = json.loads(line[2:], object_pairs_hook=_once) if line.startswith("- {") else None
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise KeyFileError("is no key: each is one line, `- {...}`, that `toolwall keys add` writes")
    return said


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError
    return dict(pairs)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != "" and value.isprintable()


def _seconds(text: str | None) -> float | None:
    try:
        return datetime.strptime(text, FORM).replace(tzinfo=UTC).timestamp() if text else None
    except ValueError:
        raise KeyFileError("has a time that does not exist") from None


def _read(path: Path) -> str:
    """The text of the file. Raises OSError, KeyFileError."""
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(file, "rb") as stream:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise KeyFileError("it is no regular file")
        if status.st_mode & _OTHERS_MAY_WRITE:
            raise KeyFileError("others may write to it: let `chmod 600` mend that, and look who is in it")
        data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise KeyFileError(f"it is larger than {MOST_BYTES} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise KeyFileError("it is not UTF-8") from None


def keys_in(path: Path) -> list[Key]:
    """All keys of a file, also those whose time is over. Raises KeyFileError, OSError."""
    return list(read_lines(_read(path), {}).values())


def made(who: Principal, now: float, lasts_s: float | None = None) -> tuple[str, Key]:
    """A new key for a principal, and what is kept of it. Raises KeyFileError where it could not be read back."""
    key = new_key()
    until = None if lasts_s is None else float(int(now + lasts_s))
    created = datetime.fromtimestamp(now, UTC).strftime(FORM)
    kept = Key(replace(who, method="api_key"), digest(key), key[:PREFIX], created, until)
    try:
        if (read := read_line(kept.line())) != kept:
            raise KeyFileError(f"would not be read back as it was written: {read!r:.80}")
    except (ValueError, OverflowError):
        raise KeyFileError("would hold a text that cannot be written") from None
    return key, kept


def add(path: Path, key: Key, now: float, *, another: bool = False) -> None:
    """Add a key, in a file that is made where there is none. Raises KeyFileError, OSError.

    A principal that has a key gets `another` only on purpose, and stays what it is.
    """
    who = key.principal
    with _changing(path) as lines:
        known = read_lines("\n".join(lines), {})
        have = [each for each in known.values() if each.principal.id == who.id]
        if any(not each.is_over(now) for each in have) and not another:
            raise KeyFileError(
                f"{who.id} has a key already ({', '.join(each.prefix or '?' for each in have)}): revoke it, or give "
                "a second one with --another, as to change it without a gap"
            )
        if len(known) >= MOST_KEYS:
            raise KeyFileError(f"the file holds {MOST_KEYS} keys, and no more fit in: revoke some")
        if have and _about(have[0].principal) != _about(who):
            raise KeyFileError(f"{who.id} is described otherwise by its other keys: say the same, or revoke them first")
        lines.append(key.line())


def revoke(path: Path, name: str) -> list[Key]:
    """Take away the keys of a principal, or the one with this prefix. Raises KeyFileError, OSError."""
    with _changing(path, make=False) as lines:
        known = read_lines("\n".join(lines), {})
        gone = {line: key for line, key in known.items() if name in (key.principal.id, key.prefix)}
        if not gone:
            raise KeyFileError("no key has this id or prefix: `toolwall keys list` shows them")
        lines[:] = [line for line in lines if line not in gone]
    return list(gone.values())


@contextlib.contextmanager
def _changing(path: Path, make: bool = True) -> Iterator[list[str]]:
    """The lines of the file, to be changed in place: they are written when all went well. Behind a link it is the file
    that it leads to. Raises KeyFileError, OSError."""
    path = Path(os.path.realpath(path))
    try:
        with alone(path.parent):
            try:
                lines = _read(path).split("\n")
            except FileNotFoundError:
                if not make:
                    raise
                lines = []
            while lines and not lines[-1]:
                lines.pop()
            yield lines
            replace_file(path, "".join(f"{line}\n" for line in lines).encode())
    except Busy as busy:
        raise KeyFileError(str(busy)) from None
