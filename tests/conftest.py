"""What all tests share: how garbage is collected while they run, that a machine may be busy, and how often properties
are tried that say nothing else."""

from __future__ import annotations

import gc

from hypothesis import HealthCheck, settings

from tests.counts import examples

gc.disable()
settings.register_profile("house", max_examples=examples(100), suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


def pytest_collection_finish() -> None:
    """Nothing of the many thousand collected tests goes before the end, so no search for garbage looks at it again."""
    gc.freeze()
    gc.enable()
