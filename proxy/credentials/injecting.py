"""Injection: the secrets of each backend with where they come from, for the rules in force."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from time import monotonic
from typing import Any, Final, Protocol

from proxy.credentials.living import Living
from proxy.credentials.secret import CredentialError, Revocable, Secret, Source
from proxy.credentials.sending import put
from proxy.credentials.sigv4 import missing, signed
from proxy.credentials.sources import Environment, File
from proxy.credentials.tokens import Subject, Tokens
from proxy.model import Call, Outgoing
from proxy.record import Record
from proxy.telemetry import attributes as names
from proxy.telemetry.metrics import Family
from rules.credentials import Injected, Origin, Per
from rules.source import LoadProblem
from rules.tools import Backend

_log = logging.getLogger("toolwall")

LOOK_S: Final = 1.0
"""Between two looks at the files. What changed is taken up once two looks agree on it."""

CLOSE_S: Final = 2.0
LEAKS: Final = Family(
    "toolwall.credential.leaks", "Credentials of the sidecar's in answers, taken out.", "1", (names.BACKEND,)
)


class Vault(Protocol):
    """Gives the sources of secrets in Vault, and ends what was made for a call or a run."""

    def source(self, spec: str, per: Per = "shared") -> Source: ...

    async def call_ended(self, call: str) -> None: ...

    async def run_ended(self, principal: str, run: str) -> None: ...

    def trouble(self) -> str: ...


class Kept(Source, Protocol):
    """A source that the sidecar itself keeps. `trouble` says why what it has is not the newest."""

    @property
    def trouble(self) -> str: ...

    def look(self) -> None:
        """See whether something changed. In a thread."""

    def close(self) -> None:
        """It is named no more."""


Ended = Callable[[Record], None]


class Injection:
    """One secret of one backend."""

    def __init__(self, backend: Backend, spec: Injected, source: Source | Tokens, living: Living, ended: Ended) -> None:
        self._name = backend.name
        self.ended = ended if spec.origin.per == "call" else None
        """Told the Record of each call that was sent the secret, where it has one of its own."""

        self._url = backend.url
        self._spec, self._source, self._living = spec, source, living

    def __repr__(self) -> str:
        return f"Injection({self._name}, {self._spec.origin})"

    async def put(self, call: Call, outgoing: Outgoing, subject: Subject | None = None) -> tuple[Outgoing, Secret]:
        """The request with the secret in it, and the secret; `subject` is the caller's own token. Raises
        CredentialError where there is none, or none for this host.
        """
        if self._url.host not in self._spec.hosts:
            raise CredentialError("the secret is declared for other hosts")
        secret = await self._secret(call, subject)
        if secret.until is not None and secret.until <= monotonic():
            raise CredentialError("the secret has run out")
        signs = self._spec.sent.way == "sigv4"
        made = signed(self._spec.sent, secret, outgoing, self._url) if signs else put(self._spec.sent, secret, outgoing)
        self._living.sent(secret, self._name)
        return made, secret

    async def _secret(self, call: Call, subject: Subject | None) -> Secret:
        if isinstance(self._source, Tokens):
            return await self._source.get(subject, call.principal.id)
        return await self._source.get(call.id, call.principal.id, call.run.id)

    def refused(self, subject: Subject | None, secret: Secret) -> None:
        """The backend did not take what it was sent (401)."""
        if isinstance(self._source, Tokens):
            self._source.doubt(subject, secret)


Injections = Mapping[str, tuple[Injection, ...]]


class Injecting:
    """Makes the injections of a set of rules, and keeps the sources that they share."""

    def __init__(self, living: Living, environ: Mapping[str, str] = os.environ, vault: Vault | None = None) -> None:
        self.living = living
        self._environ, self._vault = environ, vault
        self._kept: dict[Origin, Kept] = {}
        self._tokens: dict[Injected, Tokens] = {}
        self._revokes: dict[str, list[Revocable]] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self.leaks: Counter[str] = Counter()
        """How often an answer held the credential of a backend, by its name."""

    def check(self, backends: Iterable[Backend]) -> Iterator[LoadProblem]:
        """What keeps the sidecar from sending what these want. In any thread; nothing is kept of it."""
        for spec in (spec for backend in backends for spec in backend.injects):
            try:
                if spec.sent.way == "sigv4" and (why := missing()):
                    raise CredentialError(why)
                if spec.origin not in self._kept and not (spec.origin.scheme == "vault" and self._vault):
                    self._opened(spec.origin, _nobody)
            except CredentialError as why:
                yield LoadProblem(spec.file, spec.line, 1, "credential", str(why), "nothing is sent without it")

    def follow(self, backends: Mapping[str, Backend]) -> Injections:
        """The injections of the rules in force. What they name no more is let go."""
        wanted = {spec.origin for backend in backends.values() for spec in backend.injects}
        for origin in [origin for origin in self._kept if origin not in wanted]:
            self._kept.pop(origin).close()
        specs = {spec for backend in backends.values() for spec in backend.injects}
        for spec in [spec for spec in self._tokens if spec not in specs]:
            self._tokens.pop(spec).end()
        self._revokes = {}
        return {name: tuple(self._injections(each)) for name, each in backends.items() if each.injects}

    def _injections(self, backend: Backend) -> Iterator[Injection]:
        for spec in backend.injects:
            source = self._source(spec.origin) if spec.sent.endpoint is None else self._tokens_of(spec)
            if spec.revokes and isinstance(source, Revocable):
                self._revokes.setdefault(backend.name, []).append(source)
            yield Injection(backend, spec, source, self.living, self._call_ended)

    def _call_ended(self, record: Record) -> None:
        if self._vault is not None:
            self._aside(self._vault.call_ended(record.call))

    def run_ended(self, principal: str, run: str) -> None:
        """A run is over, and with it what was made for it. In the event loop."""
        if self._vault is not None:
            self._aside(self._vault.run_ended(principal, run))

    def _aside(self, work: Coroutine[Any, Any, None]) -> None:
        self._under_way.add(task := asyncio.create_task(work))
        task.add_done_callback(self._under_way.discard)

    def alarm(self, tags: set[str], record: Record) -> None:
        """An answer held secrets with these tags, which were taken out. In the event loop."""
        for of, secret in self.living.leaked(tags):
            self.leaks[of] += 1
            record.leaked = tuple(sorted({*record.leaked, of}))
            _log.warning("call %s: an answer of %s held the credential of %s", record.call, record.tool, of)
            for source in self._revokes.get(of, ()):
                self._aside(_revoked(source, secret, of))

    def _tokens_of(self, spec: Injected) -> Tokens:
        if spec not in self._tokens:
            self._tokens[spec] = Tokens(spec.sent, self._source(spec.origin), self.living.tell)
        return self._tokens[spec]

    def _source(self, origin: Origin) -> Source:
        if origin.scheme == "vault" and self._vault is not None:
            try:
                return self._vault.source(str(origin), origin.per)
            except CredentialError as why:
                return _Gone(str(why))
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
        said = [each.trouble for each in self._kept.values()] + [each.trouble for each in self._tokens.values()]
        return "; ".join(filter(None, [*said, self._vault.trouble() if self._vault else ""]))

    async def close(self) -> None:
        """Let go of all."""
        for tokens in self._tokens.values():
            self._aside(tokens.close())
        self.follow({})
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=CLOSE_S)

    async def watch(self) -> None:
        """Look after the files, and after what is known, until cancelled."""
        await asyncio.gather(self.living.watch(), self._looking())

    async def _looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            if files := [each for each in self._kept.values() if isinstance(each, File)]:
                await asyncio.to_thread(_look, files)


async def _revoked(source: Revocable, secret: Secret, of: str) -> None:
    try:
        await source.revoke(secret)
        _log.warning("the credential of %s that an answer held was revoked", of)
    except CredentialError as why:
        _log.error("the credential of %s that an answer held was not revoked: %s", of, why)


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
