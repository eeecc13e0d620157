"""Secrets of the environment and of files. A file is read again when it changes; one that is broken changes nothing."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Final

from proxy.credentials.living import warn
from proxy.credentials.secret import CredentialError, Secret, Tell
from redaction.known import MOST_LONG
from rules.credentials import Origin

_log = logging.getLogger("toolwall")

MOST_BYTES: Final = 4 * MOST_LONG
_Look = tuple[tuple[int, int, int], ...]


class Environment:
    """A secret of the environment, read once. Raises CredentialError where it is not there."""

    trouble = ""

    def __init__(self, origin: Origin, tell: Tell, environ: Mapping[str, str]) -> None:
        values = {field: environ.get(name, "").strip() for field, name in origin.names}
        if missing := [name for field, name in origin.names if not values[field]]:
            raise CredentialError(f"the environment variable {missing[0]} is not set, or is empty")
        self._tell, self._secret = tell, Secret(MappingProxyType(values))
        warn(self._secret, str(origin))
        tell(self._secret, True)

    async def get(self, call: str, principal: str, run: str) -> Secret:
        """See Source."""
        return self._secret

    def look(self) -> None:
        """Nothing changes here."""

    def close(self) -> None:
        """It is named no more."""
        self._tell(self._secret, False)


class File:
    """A secret in files, one for each of its fields. Raises CredentialError where one cannot be read at first.

    `trouble` says why a change of them was not taken up; empty where all is well.
    """

    def __init__(self, origin: Origin, tell: Tell) -> None:
        self._origin, self._tell = origin, tell
        self._paths = {field: Path(name) for field, name in origin.names}
        self._last = self._taken = self._seen()
        self.trouble = ""
        self._secret = self._read()
        warn(self._secret, str(origin))
        tell(self._secret, True)

    async def get(self, call: str, principal: str, run: str) -> Secret:
        """See Source."""
        return self._secret

    def look(self) -> None:
        """Take up a change on which two looks agree. In any thread, one at a time."""
        now, before = self._seen(), self._last
        self._last = now
        if now != before or now == self._taken:
            return
        try:
            self._take(self._read())
            self._taken, self.trouble = now, ""
        except CredentialError as why:
            if not self.trouble:
                _log.error("%s was not read again: %s. What was read before stays in use", self._origin, why)
            self.trouble = f"{self._origin} was not read again: {why}"

    def _take(self, fresh: Secret) -> None:
        former = self._secret
        if fresh.fields != former.fields:
            warn(fresh, str(self._origin))
            self._tell(fresh, True)
            self._secret = fresh
            self._tell(former, False)
            _log.info("%s has changed, and is used as it is now", self._origin)

    def _seen(self) -> _Look:
        looks = []
        for path in self._paths.values():
            with suppress(OSError):
                found = path.stat()
                looks.append((found.st_mtime_ns, found.st_size, found.st_ino))
        return tuple(looks)

    def _read(self) -> Secret:
        return Secret(MappingProxyType({field: _text(path) for field, path in self._paths.items()}))

    def close(self) -> None:
        """It is named no more."""
        self._tell(self._secret, False)


def _text(path: Path) -> str:
    """What a file holds, without the end of its line. Of a pipe nothing is read: it would wait."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            data = file.read(MOST_BYTES + 1) or b""
        text = data.decode("utf-8").strip()
    except OSError as error:
        raise CredentialError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:  # it holds the value
        raise CredentialError(f"{path} is not UTF-8") from None
    if len(data) > MOST_BYTES:
        raise CredentialError(f"{path} is larger than {MOST_BYTES} bytes")
    if not text:
        raise CredentialError(f"{path} holds nothing")
    return text
