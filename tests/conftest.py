"""What all tests share: how garbage is collected while they run, and that a machine may be busy."""

from __future__ import annotations

import gc

from hypothesis import HealthCheck, settings

gc.disable()
settings.register_profile("house", suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


def pytest_collection_finish() -> None:
    """Nothing of the many thousand collected tests goes before the end, so no search for garbage looks at it again."""
    gc.freeze()
    gc.enable()
