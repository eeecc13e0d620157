"""What all tests share: only how Python's garbage is collected while they run."""

from __future__ import annotations

import gc

gc.disable()


def pytest_collection_finish() -> None:
    """Nothing of the many thousand collected tests goes before the end, so no search for garbage looks at it again."""
    gc.freeze()
    gc.enable()
