"""One wall for all plays of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.doors import house
from tests.wire import Stage, staged


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The house, open."""
    with staged(tmp_path_factory.mktemp("house"), house.TOOLS, policy=house.POLICY, config=house.CONFIG) as stage:
        yield stage
