"""The one encrypted table of this sidecar, with all that lies in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from proxy import pseudonyms
from proxy.effects import deeds, keepsakes
from proxy.state import STORE, StateKey, state_folder
from proxy.store import FILE, Store


def open_table(state: Path, key: Callable[[], StateKey]) -> Store:
    """Open it, or make it. Raises StoreError, StateError."""
    folder, own = state_folder(state), key().derive(STORE)
    bounds = {pseudonyms.PURPOSE: pseudonyms.BOUNDS, deeds.PURPOSE: deeds.BOUNDS, **keepsakes.BOUNDS}
    return Store(folder / FILE, own, bounds)
