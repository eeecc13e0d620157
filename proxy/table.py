"""The one encrypted table of this sidecar, with all that lies in it."""

from __future__ import annotations

import os
from pathlib import Path

from proxy import deeds, keepsakes, pseudonyms
from proxy.state import STORE, load_key, state_folder
from proxy.store import FILE, Store


def open_table(state: Path, key: str) -> Store:
    """Open it, or make it, and its key with it. Raises StoreError, StateError."""
    folder = state_folder(state)
    own = load_key(key, folder, os.environ, make=True).derive(STORE)
    bounds = {pseudonyms.PURPOSE: pseudonyms.BOUNDS, deeds.PURPOSE: deeds.BOUNDS, **keepsakes.BOUNDS}
    return Store(folder / FILE, own, bounds)
