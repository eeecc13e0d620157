"""JSON pointers (RFC 6901)."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.pointers import NOTHING, at

DOCUMENT: Any = {"usage": {"cost": 3, "a/b": 4, "m~n": 5}, "list": [{"x": 6}], "": 7}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", DOCUMENT),
        ("/usage/cost", 3),
        ("/usage/a~1b", 4),
        ("/usage/m~0n", 5),
        ("/list/0/x", 6),
        ("/", 7),
        ("/list/1", NOTHING),
        ("/list/-", NOTHING),
        ("/list/99999999999", NOTHING),
        ("/usage/cost/x", NOTHING),
        ("/nothing/here", NOTHING),
    ],
)
def test_what_lies_at_a_pointer(pointer: str, value: Any) -> None:
    assert at(DOCUMENT, pointer) == value
