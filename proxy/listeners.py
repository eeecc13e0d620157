"""The listeners of a sidecar: they are opened one by one, and what may happen to all of them is looked after here."""

from __future__ import annotations

import asyncio
import errno
from contextlib import AsyncExitStack

from aiohttp import web

from proxy.listening_settings import Place, TlsSettings
from proxy.telemetry import attributes as names
from proxy.telemetry.metrics import Family
from proxy.telemetry.telemetry import Telemetry
from proxy.transports import tls as tls_files
from proxy.transports.listening import listen
from proxy.transports.tls import Tls, TlsError

_REFUSED = Family("toolwall.tls.refused", "TLS handshakes that failed.", "1", (names.DOOR,))


class CannotListen(Exception):
    """A listener cannot be opened. The text says why and what to do."""


class Listeners:
    """Those that are open. They are closed with the stack."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._tls: list[Tls] = []

    async def open(self, which: str, runner: web.ServerRunner, place: Place, settings: TlsSettings | None) -> str:
        """Let a server answer at a place; the address that it listens on. Raises CannotListen."""
        try:
            tls = Tls(place.name, settings) if settings else None
            address = await listen(self._stack, runner, place, tls)
        except TlsError as error:
            raise CannotListen(f"The {which} {place.name} cannot speak TLS: {error}.") from None
        except OSError as error:
            raise CannotListen(_cannot_bind(which, place, error)) from None
        if tls:
            self._tls.append(tls)
        return address

    async def watch(self) -> None:
        """Look at the certificates again and again."""
        while True:
            await asyncio.sleep(tls_files.LOOK_S)
            for each in self._tls:
                await asyncio.to_thread(each.look)

    def notes(self) -> dict[str, str]:
        """What somebody should look at."""
        return {f"listener {each.name}": each.note for each in self._tls if each.note}

    def show(self, telemetry: Telemetry) -> None:
        """Let metrics tell of handshakes that failed."""
        if self._tls:
            telemetry.counter(_REFUSED, lambda: {each.name: each.refused for each in self._tls})


def _cannot_bind(which: str, place: Place, error: OSError) -> str:
    if place.path and error.errno == errno.ENOENT:
        return f"The {which} cannot bind {place.name}: its folder is not there. Make it, or choose another `bind`."
    taken = error.errno == errno.EADDRINUSE
    what = "something else is at that path" if place.path else "another program has that port"
    why = what if taken else error.strerror
    return f"The {which} cannot bind {place.name}: {why}. Choose another `bind`, or stop what is there."
