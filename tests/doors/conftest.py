"""One wall for all plays of a module, and all that is logged meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.doors import house
from tests.wire import Stage, staged


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The house, open."""
    with staged(tmp_path_factory.mktemp("house"), house.TOOLS, policy=house.POLICY, config=house.CONFIG) as stage:
        yield stage


class Everything(logging.Handler):
    """Every line of every logger, with its traceback."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def logs() -> Iterator[list[str]]:
    handler, root = Everything(), logging.getLogger()
    names = [root, *map(logging.getLogger, logging.root.manager.loggerDict)]
    levels = {logger: logger.level for logger in names}
    for logger in names:
        logger.setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield handler.lines
    root.removeHandler(handler)
    for logger, level in levels.items():
        logger.setLevel(level)
