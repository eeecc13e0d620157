"""Injection: the secrets of each backend with where they come from, for the rules in force."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from time import monotonic
from typing import Final, Protocol

from proxy.credentials.living import Living
from proxy.credentials.secret import CredentialError, Secret, Source
from proxy.credentials.sending import put
from proxy.credentials.sources import Environment, File
from proxy.model import Call, Outgoing
from rules.credentials import Injected, Origin
from rules.source import LoadProblem
from rules.tools import Backend

LOOK_S: Final = 1.0
"""Between two looks at the files. What changed is taken up once two looks agree on it."""

Vault = Callable[[str, str], Source]
"""Gives the source of a secret in Vault, by its path and who shares its lease."""


class Kept(Source, Protocol):
    """A source that the sidecar itself keeps. `trouble` says why what it has is not the newest."""

    @property
    def trouble(self) -> str: ...

    def look(self) -> None:
        """See whether something changed. In a thread."""

    def close(self) -> None:
        """It is named no more."""


class Injection:
    """One secret of one backend."""

    def __init__(self, backend: Backend, spec: Injected, source: Source, living: Living) -> None:
        self._host, self._name = backend.url.host, backend.name
        self._spec, self._source, self._living = spec, source, living

    def __repr__(self) -> str:
        return f"Injection({self._name}, {self._spec.origin})"

    async def put(self, call: Call, outgoing: Outgoing) -> Outgoing:
        """The request with the secret in it. Raises CredentialError where there is none, or none for this host."""
        if self._host not in self._spec.hosts:
            raise CredentialError("the secret is declared for other hosts")
        secret = await self._source.get(call.id, call.principal.id, call.run.id)
        if secret.until is not None and secret.until <= monotonic():
            raise CredentialError("the secret has run out")
        made = put(self._spec.sent, secret, outgoing)
        self._living.sent(secret, self._name)
        return made


Injections = Mapping[str, tuple[Injection, ...]]


class Injecting:
    """Makes the injections of a set of rules, and keeps the sources that they share."""

    def __init__(self, living: Living, environ: Mapping[str, str] = os.environ, vault: Vault | None = None) -> None:
        self.living = living
        self._environ, self._vault = environ, vault
        self._kept: dict[Origin, Kept] = {}

    def check(self, backends: Iterable[Backend]) -> Iterator[LoadProblem]:
        """What keeps the sidecar from sending what these want. In any thread; nothing is kept of it."""
        for spec in (spec for backend in backends for spec in backend.injects):
            try:
                if spec.origin not in self._kept:
                    self._opened(spec.origin, _nobody)
            except CredentialError as why:
                yield LoadProblem(spec.file, spec.line, 1, "credential", str(why), "nothing is sent without it")

    def follow(self, backends: Mapping[str, Backend]) -> Injections:
        """The injections of the rules in force. What they name no more is let go."""
        wanted = {spec.origin for backend in backends.values() for spec in backend.injects}
        for origin in [origin for origin in self._kept if origin not in wanted]:
            self._kept.pop(origin).close()
        return {
            name: tuple(Injection(backend, spec, self._source(spec.origin), self.living) for spec in backend.injects)
            for name, backend in backends.items()
            if backend.injects
        }

    def _source(self, origin: Origin) -> Source:
        if origin.scheme == "vault" and self._vault is not None:
            return self._vault(origin.names[0][1], origin.per)
        try:
            if origin not in self._kept:
                self._kept[origin] = self._opened(origin, self.living.tell)
            return self._kept[origin]
        except CredentialError as why:  # it was there when the rules were checked, a moment ago
            return _Gone(str(why))

    def _opened(self, origin: Origin, tell: Callable[[Secret, bool], None]) -> Kept:
        if origin.scheme == "file":
            return File(origin, tell)
        if origin.scheme == "env":
            return Environment(origin, tell, self._environ)
        raise CredentialError(f"{origin} needs the key `vault` in toolwall.yaml")

    @property
    def trouble(self) -> str:
        """Why some secret is not the newest, for readiness; holds no value."""
        return "; ".join(each.trouble for each in self._kept.values() if each.trouble)

    async def watch(self) -> None:
        """Look after the files, and after what is known, until cancelled."""
        await asyncio.gather(self.living.watch(), self._looking())

    async def _looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            if files := [each for each in self._kept.values() if isinstance(each, File)]:
                await asyncio.to_thread(_look, files)


def _look(files: Iterable[File]) -> None:
    for each in files:
        each.look()


def _nobody(secret: Secret, begins: bool) -> None:
    """Told of secrets that are only looked at."""


class _Gone:
    """A source that vanished between two looks: what needs it is refused, until the rules are read again."""

    def __init__(self, why: str) -> None:
        self._why = why

    async def get(self, call: str, principal: str, run: str) -> Secret:
        raise CredentialError(self._why)
