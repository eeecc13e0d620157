"""Lines that are written once in a while."""

from __future__ import annotations

import logging
import time

import pytest

from proxy.seldom import EVERY_S, Seldom


@pytest.mark.alone
def test_the_first_is_written_at_once_and_the_rest_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    line = Seldom(logging.getLogger("toolwall.test"), logging.ERROR, "%d times: %s")
    for number in range(5):
        line.tell(f"no {number}")
    assert caplog.messages == ["1 times: no 0"]
    time.sleep(EVERY_S)
    line.tell("still not")
    assert caplog.messages[1:] == ["5 times: still not"]
