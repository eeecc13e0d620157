"""The listeners of a sidecar: what keeps one from being opened, and what is told of them."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from proxy.admin import Admits, admin_server
from proxy.listeners import CannotListen, Listeners
from proxy.listening_settings import Place, TlsSettings
from proxy.telemetry.telemetry import Telemetry, TelemetrySettings
from tests.certificates import DAY, Authority

AUTHORITY = Authority.new()


async def refused(place: Place, tls: TlsSettings | None = None) -> str:
    async with AsyncExitStack() as stack:
        with pytest.raises(CannotListen) as caught:
            await Listeners(stack).open("listener", admin_server({}, Admits()), place, tls)
    return str(caught.value)


def test_why_one_cannot_be_opened(tmp_path: Path) -> None:
    async def play() -> None:
        tls = TlsSettings(tmp_path / "none.pem", tmp_path / "none.key")
        said = await refused(Place("127.0.0.1"), tls)
        why = f"{tmp_path}/none.pem cannot be read: No such file or directory."
        assert said == f"The listener 127.0.0.1:0 cannot speak TLS: {why}"
        (tmp_path / "s").write_text("")
        said = await refused(Place(path=str(tmp_path / "s")))
        assert said.startswith(f"The listener cannot bind unix:{tmp_path}/s: something else is at that path. ")
        said = await refused(Place(path=str(tmp_path / "none" / "s")))
        assert said.startswith(f"The listener cannot bind unix:{tmp_path}/none/s: its folder is not there. ")

    asyncio.run(play())


def test_what_is_noted_and_counted(tmp_path: Path) -> None:
    async def play() -> str:
        telemetry = Telemetry.open(TelemetrySettings())
        pair = AUTHORITY.server(begins=-2 * DAY, ends=DAY / 10).write(tmp_path)
        async with AsyncExitStack() as stack:
            listeners = Listeners(stack)
            address = await listeners.open(
                "listener", admin_server({}, Admits()), Place("127.0.0.1"), TlsSettings(*pair)
            )
            listeners.show(telemetry)
            ((name, note),) = listeners.notes().items()
            assert (name, note[:20]) == ("listener 127.0.0.1:0", "its certificate ends")
            with pytest.raises(ssl.SSLError):  # the client does not know the authority
                await asyncio.open_connection(*address.rsplit(":", 1), ssl=ssl.create_default_context())
            await asyncio.sleep(0.05)
        found = telemetry.prometheus().decode()
        telemetry.close()
        return found

    assert 'toolwall_tls_refused_total{toolwall_door="127.0.0.1:0"} 1.0' in asyncio.run(play())
