"""Vault: what rules name out of it, kept good while they do, and ended with the call, the run or the sidecar."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from time import monotonic
from types import MappingProxyType
from typing import Any, Final

from proxy.credentials.secret import VALUE, CredentialError, Secret, Tell
from proxy.vault.fault import GARBLED, STALLED, Fault
from proxy.vault.held import Grant, Held, Means
from proxy.vault.leases import Lease, Leases
from proxy.vault.login import Login
from proxy.vault.place import Place, parse
from proxy.vault.session import Session
from proxy.vault.wire import Mount, Wire
from proxy.vault.workers import Workers
from proxy.vault_settings import VaultSettings
from rules.credentials import Per

REVOKING_S: Final = 3.0
"""How long a stop waits for leases to be revoked, and then for the token."""
SIGNING_OFF_S: Final = 1.0
MOST_FIELDS: Final = 64

_Owner = tuple[str, ...]


class Vaults:
    """One Vault. `begin` has to be called within the event loop; sources may be made before, and from other threads.

    `tell` hears of every value before it is used, the sidecar's own token included.
    """

    def __init__(self, settings: VaultSettings, tell: Tell) -> None:
        self._settings = settings
        self._workers, self._wire = Workers(), Wire(settings)
        login = Login(settings.auth, self._wire)
        session = self._session = Session(self._wire, login, self._workers, tell, self._new_token)
        self._leases = Leases(self._revoke, tell, settings.most_leases)
        self._means = Means(settings, self._fetch, self._renew, lambda: session.logins, self._leases, tell)
        self._mounts: dict[str, Mount] = {}
        self._shared: dict[Place, Held] = {}
        self._owned: dict[_Owner, dict[Place, Held]] = {}
        self._users: Counter[Place] = Counter()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._early: list[tuple[Place, Per]] = []
        self._warming: set[asyncio.Task[None]] = set()
        self._mounting: dict[str, asyncio.Task[Mount]] = {}
        self._closed = False

    def source(self, spec: str, per: Per = "shared") -> VaultSource:
        """A source of what the spec names, which is fetched beforehand. With `per` call or run each gets a credential
        of its own where Vault makes such. Raises CredentialError for a spec that cannot be.
        """
        place = parse(spec)
        source = VaultSource(self, place, per)
        with self._lock:
            self._users[place] += 1
            if self._loop is None:
                self._early.append((place, per))
        weakref.finalize(source, self._left, place).atexit = False
        self._soon(self._warm, place, per)
        return source

    def begin(self) -> None:
        """Sign in, and fetch what the sources made so far name."""
        with self._lock:
            self._loop = asyncio.get_running_loop()
        self._session.begin()
        for place, per in self._early:
            self._warm(place, per)
        self._early.clear()

    def age(self) -> float:
        """Seconds since Vault last confirmed the value that it did not confirm for longest."""
        return max((held.age_s for held in self._all()), default=0.0)

    def leases(self) -> int:
        """Leases that are held, or not yet revoked."""
        return self._leases.count

    def trouble(self) -> str:
        """What somebody should look at; empty where nothing is wrong."""
        if self._session.trouble is not None:
            return str(self._session.trouble)
        return next((held.trouble for held in self._all() if held.trouble), self._leases.trouble)

    async def call_ended(self, call: str) -> None:
        """Revoke what was made for this call, in the background."""
        self._end(("call", call))

    async def run_ended(self, principal: str, run: str) -> None:
        """The same for a run of a principal."""
        self._end(("run", principal, run))

    def revoke(self, place: Place, secret: Secret) -> None:
        """End the lease of a secret of that place at once; who needs another gets one. Raises CredentialError."""
        mine = [each[place] for each in (self._shared, *self._owned.values()) if place in each]
        if not any(held.revoke(secret) for held in mine):
            raise CredentialError(f"{place}: it has no lease of ours that could be ended: change it in Vault")

    async def close(self) -> None:
        """Revoke everything, for a few seconds at most."""
        self._closed = True
        for held in self._all():
            held.end()
        rounds = [*self._warming, *self._mounting.values(), *self._means.rounds]
        ends = monotonic() + REVOKING_S
        if rounds:
            _, late = await asyncio.wait(rounds, timeout=REVOKING_S / 2)
            for task in late:
                task.cancel()
        await self._leases.close(ends - monotonic())
        await self._session.close(SIGNING_OFF_S)
        self._workers.close()
        self._wire.close()

    async def get(self, place: Place, per: Per, owner: _Owner) -> Secret:
        """The secret at a place for whom it is made. Raises CredentialError."""
        if per == "shared":
            return await self._common(place).get(self._settings.timeout_s)
        ends = monotonic() + self._settings.timeout_s
        if (await self._mount_within(place.path, self._settings.timeout_s)).static:
            return await self._common(place).get(ends - monotonic())
        return await self._of(owner, place, lasting=per == "run", within_s=ends - monotonic())

    def _common(self, place: Place) -> Held:
        if self._closed:
            raise CredentialError("the sidecar stops")
        held = self._shared.get(place)
        if held is None:
            held = self._shared[place] = Held(place, self._means)
        return held

    async def _of(self, owner: _Owner, place: Place, *, lasting: bool, within_s: float) -> Secret:
        if self._closed:
            raise CredentialError("the sidecar stops")
        if owner not in self._owned and len(self._owned) >= self._settings.most_leases:
            raise CredentialError("Vault's leases: as many calls and runs have some as may have (`most_leases`)")
        mine = self._owned.setdefault(owner, {})
        if place not in mine:
            mine[place] = Held(place, self._means, lasting=lasting)
        try:
            return await mine[place].get(within_s)
        except BaseException:
            if not lasting:  # nobody will use what may still come
                self._end(owner)
            raise

    def _all(self) -> list[Held]:
        return [*self._shared.values(), *(held for mine in self._owned.values() for held in mine.values())]

    def _new_token(self) -> None:
        for held in self._all():
            held.look_soon()

    def _end(self, owner: _Owner) -> None:
        for held in self._owned.pop(owner, {}).values():
            held.end()

    def _soon(self, what: Any, *args: Any) -> None:
        """Do it within the event loop, if that runs; before, `begin` is not there yet, and after it nobody cares."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(what, *args)

    def _left(self, place: Place) -> None:
        """A source is gone. This may be in the middle of anything, wherever garbage is collected: no lock is taken."""
        self._soon(self._release, place)

    def _release(self, place: Place) -> None:
        """With the last source of a place goes what is held for all."""
        with self._lock:
            self._users[place] -= 1
            if self._users[place] > 0:
                return
            del self._users[place]
        if (held := self._shared.pop(place, None)) is not None:
            held.end()

    def _warm(self, place: Place, per: Per) -> None:
        if not self._closed:
            task = asyncio.create_task(self._warmed(place, per))
            self._warming.add(task)
            task.add_done_callback(self._warming.discard)

    async def _warmed(self, place: Place, per: Per) -> None:
        """What is made for each call or run cannot be fetched before there is one; what it takes to do so can."""
        if per != "shared":
            try:
                if not (await self._mount(place.path)).static:
                    return
            except CredentialError:
                return
        if not self._closed and self._users[place] > 0:
            self._common(place).begin()

    async def _mount_within(self, path: str, within_s: float) -> Mount:
        if (known := self._mounts.get(path)) is not None:
            return known
        if (task := self._mounting.get(path)) is None:
            task = self._mounting[path] = asyncio.create_task(self._mount(path))
            task.add_done_callback(partial(self._mounted, path))
        await asyncio.wait([task], timeout=within_s)
        if not task.done() or task.cancelled():
            raise Fault(path, why=STALLED)
        return task.result()

    def _mounted(self, path: str, task: asyncio.Task[Mount]) -> None:
        del self._mounting[path]
        if not task.cancelled():
            task.exception()  # where nobody waits for it any more

    async def _mount(self, path: str) -> Mount:
        if (known := self._mounts.get(path)) is None:
            known = self._mounts[path] = await self._session.ask(lambda token: self._wire.mount(token, path))
        return known

    async def _fetch(self, place: Place) -> Grant:
        mount = await self._mount(place.path)
        try:
            return await (self._value(place, mount) if mount.static else self._made(place))
        except Fault as fault:
            if fault.status == 404:
                self._mounts.pop(place.path, None)  # the engine may be another by now
            raise

    async def _value(self, place: Place, mount: Mount) -> Grant:
        asked, below = monotonic(), place.path.removeprefix(f"{mount.path}/")
        if mount.version == 2:
            ask = partial(self._wire.kv, mount=mount.path, path=below, version=place.version)
            fields = await self._session.ask(ask)
        else:
            fields = (await self._session.ask(lambda token: self._wire.read(token, place.path)))["data"]
        return Grant(_wanted(place, fields), None, asked, self._settings.every_s)

    async def _made(self, place: Place) -> Grant:
        """A credential of an engine that makes them. Some give no lease, such as a static role of a database: then it
        says in how many seconds there is another."""
        self._leases.take()
        lease: Lease | None = None
        try:
            asked, login = monotonic(), self._session.logins
            reply = await self._session.ask(lambda token: self._wire.read(token, place.path))
            lease = _lease(reply, asked, max(login, 1))
            turn = reply["data"].get("ttl")
            every_s = self._settings.every_s
            if lease is None and isinstance(turn, int) and turn > 0:
                every_s = min(every_s, turn + 1.0)
            return Grant(_wanted(place, reply["data"]), lease, asked, every_s)
        except CredentialError:
            if lease is not None:
                self._leases.end(lease, None)
            raise
        finally:
            if lease is None:
                self._leases.give_back()

    async def _renew(self, lease: Lease) -> float:
        return await self._session.ask(partial(self._wire.renew, lease=lease.id, increment_s=int(lease.length_s)))

    async def _revoke(self, lease: str) -> None:
        await self._session.ask(lambda token: self._wire.revoke(token, lease))


class VaultSource:
    """A place in Vault, as a source of credentials."""

    def __init__(self, vaults: Vaults, place: Place, per: Per) -> None:
        self._vaults, self._place, self._per = vaults, place, per

    def __repr__(self) -> str:
        return f"VaultSource({self._place}, per={self._per})"

    async def get(self, call: str, principal: str, run: str) -> Secret:
        """See `Source`."""
        owner = ("call", call) if self._per == "call" else ("run", principal, run)
        return await self._vaults.get(self._place, self._per, owner)

    async def revoke(self, secret: Secret) -> None:
        """See `Revocable`."""
        self._vaults.revoke(self._place, secret)


def _lease(reply: Mapping[str, Any], asked: float, login: int) -> Lease | None:
    name, length = reply.get("lease_id"), reply.get("lease_duration")
    if not name:
        return None
    if not isinstance(name, str) or not isinstance(length, int):
        raise Fault("lease", why=GARBLED)
    return Lease(name, length, asked + length if length else float("inf"), reply.get("renewable") is True, login)


def _wanted(place: Place, data: Mapping[str, Any]) -> Mapping[str, str]:
    """The fields of a place that are text or numbers; of one that names a field, that as the plain value."""
    kept = {
        name: str(value)
        for name, value in list(data.items())[:MOST_FIELDS]
        if isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""
    }
    if not place.field:
        return MappingProxyType(kept)
    if place.field not in kept:
        raise CredentialError(f"{place}: the secret has no such field, or it is empty")
    return MappingProxyType({VALUE: kept[place.field]})
