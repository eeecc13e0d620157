"""One value out of Vault, for what needs it before all else: signed in for it alone, and signed off again."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from proxy.credentials.secret import VALUE
from proxy.vault.vaults import Vaults
from proxy.vault_settings import VaultSettings


def read_one(settings: VaultSettings, spec: str) -> str:
    """The value at a place such as `vault:secret/toolwall#state_key`, called within an event loop or without one. It
    waits as long as `timeout` says. Raises CredentialError.
    """
    with ThreadPoolExecutor(1) as aside:
        return aside.submit(lambda: asyncio.run(_read(settings, spec))).result()


async def _read(settings: VaultSettings, spec: str) -> str:
    vaults = Vaults(settings, lambda secret, begins: None)  # nothing else is under way whose replies could hold it
    try:
        source = vaults.source(spec)
        vaults.begin()
        return (await source.get("", "", "")).field(VALUE)
    finally:
        await vaults.close()
