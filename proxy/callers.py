"""How the listeners know their callers: made from toolwall.yaml, with what has to be read again from time to time."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any

from proxy.config import ListenerSettings, Settings
from proxy.identity import Identify, Identity, static
from proxy.tokens import Issuers
from rules.facts import Principal


def name_of(listener: ListenerSettings) -> str:
    """What Records call it."""
    return f"{listener.host}:{listener.port}"


def principals(settings: Settings) -> list[tuple[str, Principal]]:
    """All whom toolwall.yaml itself describes, each with the listener that knows it."""
    return [(name_of(listener), one) for listener in settings.listeners for one in listener.identity.configured()]


class Callers:
    """What tells who calls, of each listener."""

    def __init__(self) -> None:
        self._issuers: list[Issuers] = []

    def of(self, listener: ListenerSettings) -> Identify:
        """How this listener knows its callers."""
        settings = listener.identity
        if settings.static and not settings.delegation:
            return static(settings.static)
        issuers, delegation = Issuers(settings.jwt), Issuers(settings.delegation)
        self._issuers += [issuers, delegation]
        return Identity(settings, (settings.keys,), issuers, delegation)

    def watches(self) -> list[Coroutine[Any, Any, None]]:
        """What has to run as long as the sidecar does."""
        return [keys.watch() for issuers in self._issuers for _, keys in issuers.sets]

    def notes(self) -> Mapping[str, str]:
        """Which issuers' keys could not be read lately, and why."""
        sets = [each for issuers in self._issuers for each in issuers.sets]
        return {f"keys of {settings.issuer}": keys.trouble for settings, keys in sets if keys.trouble}
