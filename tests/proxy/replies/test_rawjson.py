"""Answers as JSON that everybody reads alike; tests/proxy/guards/test_keep.py has them through the door."""

from __future__ import annotations

import pytest

from proxy.replies.rawjson import read
from rules.formula import Untold


@pytest.mark.parametrize("raw", [b"", b"{", b'{"a":1,"a":2}', b'{"a":{"b":1,"b":1}}', b"[" * 100_000, b"\xff"])
def test_what_is_no_json_for_everybody(raw: bytes) -> None:
    with pytest.raises(Untold):
        read(raw, "", 1 << 20)


def test_json_is_read_as_it_is() -> None:
    assert read(b'{"a":[1,2.5,null,18446744073709551616]}', "", 1 << 20) == {"a": [1, 2.5, None, 2**64]}
