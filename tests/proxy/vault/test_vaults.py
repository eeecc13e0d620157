"""What rules name out of Vault. Most of it, through real sockets: tests/vault."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from proxy.credentials.secret import CredentialError
from proxy.vault.vaults import Vaults
from tests.vault.world import Told, imitated, opened


def test_sources_may_be_made_before_and_in_other_threads(tmp_path: Path) -> None:
    async def play() -> None:
        with imitated(tmp_path) as there:
            there.put("secret", "crm", a="1", b="2")
            vaults = Vaults(there.settings(), Told())
            sources = [vaults.source("vault:secret/crm#a")]
            vaults.begin()
            thread = threading.Thread(target=lambda: sources.append(vaults.source("vault:secret/crm#b")))
            thread.start()
            thread.join()
            assert there.standin is not None
            async with asyncio.timeout(2):
                while [each.method for each in there.standin.asked("secret/data/crm")].count("GET") < 2:
                    await asyncio.sleep(0.005)
            got = [(await source.get("call", "bot", "run")).field("value") for source in sources]
            assert got == ["1", "2"]
            await vaults.close()
            with pytest.raises(CredentialError, match="the sidecar stops"):
                await vaults.source("vault:secret/other").get("call", "bot", "run")

    asyncio.run(play())


def test_what_is_no_place_is_refused_at_once(tmp_path: Path) -> None:
    async def play() -> None:
        with imitated(tmp_path) as there:
            async with opened(there.settings()) as vaults:
                with pytest.raises(CredentialError, match="MOUNT/PATH"):
                    vaults.source("vault:secret/../sys/seal")

    asyncio.run(play())
