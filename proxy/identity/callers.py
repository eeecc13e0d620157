"""How the listeners know their callers: made from toolwall.yaml, with what has to be read again from time to time."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from typing import Any

from proxy.config import ListenerSettings, Settings
from proxy.identity.identity import Identify, Identity, Keys
from proxy.identity.keyfile import KeyFile
from proxy.identity.tokens import Issuers
from rules.facts import Principal


def name_of(listener: ListenerSettings) -> str:
    """What Records call it."""
    return listener.place.name


class Callers:
    """What tells who calls, of each listener. Iterating gives all who are described on this machine, whom tokens name
    left out: each with the name of its listener."""

    def __init__(self, settings: Settings) -> None:
        files = {listener.identity.key_file for listener in settings.listeners}
        self._files = {path: KeyFile(path) for path in files if path}
        self._listeners = settings.listeners
        self._prefixes = tuple(each.prefix for listener in settings.listeners for each in listener.identity.jwt)
        self._issuers: list[Issuers] = []

    def of(self, listener: ListenerSettings) -> Identify:
        """How this listener knows its callers."""
        settings = listener.identity
        issuers, delegation = Issuers(settings.jwt), Issuers(settings.delegation)
        self._issuers += [issuers, delegation]
        file = self._files.get(settings.key_file) if settings.key_file else None
        keys: tuple[Keys, ...] = (settings.keys, file) if file else (settings.keys,)
        return Identity(settings, keys, issuers, delegation, self._prefixes)

    def __iter__(self) -> Iterator[tuple[str, Principal]]:
        for listener in self._listeners:
            settings, name = listener.identity, name_of(listener)
            yield from ((name, one) for one in settings.configured())
            if settings.key_file:
                yield from ((name, one) for one in self._files[settings.key_file].principals())

    def watches(self) -> list[Coroutine[Any, Any, None]]:
        """What has to run as long as the sidecar does."""
        return [keys.watch() for issuers in self._issuers for _, keys in issuers.sets]

    def notes(self) -> dict[str, str]:
        """What could not be read lately, and why."""
        sets = [each for issuers in self._issuers for each in issuers.sets]
        troubles = {f"keys of {settings.issuer}": keys.trouble for settings, keys in sets}
        troubles |= {f"keys in {path.name}": file.trouble for path, file in self._files.items()}
        return {name: said for name, said in troubles.items() if said}
