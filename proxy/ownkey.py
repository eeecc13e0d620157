"""The key of this sidecar, from wherever its configuration says that it is."""

from __future__ import annotations

import os

from proxy.config import Settings
from proxy.credentials.secret import CredentialError
from proxy.state import StateError, StateKey, load_key, state_folder


def own_key(settings: Settings, *, make: bool = False) -> StateKey:
    """The key. With `make` the state folder and a key in it are made where they are missing. Raises StateError."""

    def from_vault(spec: str) -> str:
        if settings.vault is None:
            raise StateError("the state key in Vault needs the key `vault` in toolwall.yaml")
        if settings.vault.auth.wrapped:  # it opens once, and the sidecar itself has to sign in with it
            raise StateError("the state key cannot be read from Vault with a wrapped secret id, which opens once")
        from proxy.vault.one import read_one

        try:
            return read_one(settings.vault, spec)
        except CredentialError as why:
            raise StateError(f"the state key cannot be read from Vault: {why}") from None

    folder = state_folder(settings.state) if make else settings.state
    return load_key(settings.state_key, folder, os.environ, make=make, vault=from_vault)
