"""Where the admin token comes from, and what of it stays."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from proxy.admin_token import TokenError, token_hash

TOKEN = "k7-Wq2." * 4


def test_only_the_hash_stays(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    wanted = hashlib.sha256(TOKEN.encode()).digest()
    assert token_hash("env:ADMIN", {"ADMIN": f" {TOKEN}"}) == wanted
    assert token_hash(f"file:{tmp_path}/token", {}) == wanted
    assert token_hash("", {}) == b""


@pytest.mark.parametrize(
    "value", ["", "short", "x" * 15, "x" * 513, "with a space in it, long", "tab\tin the middle of", "é" * 20]
)
def test_what_is_no_token_is_an_error_that_does_not_show_it(value: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(value, "utf-8")
    for spec, environ in (("env:ADMIN", {"ADMIN": value}), (f"file:{tmp_path}/token", dict[str, str]())):
        with pytest.raises(TokenError) as caught:
            token_hash(spec, environ)
        assert spec in str(caught.value)
        assert not value or value not in str(caught.value)


def test_a_token_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TokenError, match="env:ADMIN is missing"):
        token_hash("env:ADMIN", {})
    with pytest.raises(TokenError, match="No such file"):
        token_hash(f"file:{tmp_path}/none", {})
    with pytest.raises(TokenError, match="Is a directory"):
        token_hash(f"file:{tmp_path}", {})
