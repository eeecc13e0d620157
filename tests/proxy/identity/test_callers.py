"""How the listeners know their callers."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from proxy.config import Settings, load_config
from proxy.errors import Refusal
from proxy.identity.callers import Callers, name_of
from proxy.identity.keyfile import add, made
from proxy.model import Hail
from rules.facts import Principal

ISSUER = {"issuer": "https://login.example", "audience": "toolwall", "keys": "file:none.json"}


def settings(folder: Path, *identities: dict[str, Any]) -> Settings:
    binds = [{"bind": f"127.0.0.1:{8080 + at}", "identity": each} for at, each in enumerate(identities)]
    (folder / "toolwall.yaml").write_text(json.dumps({"listeners": binds}))
    return load_config(folder / "toolwall.yaml")


def test_a_listener_with_a_principal_asks_for_nothing(tmp_path: Path) -> None:
    made = settings(tmp_path, {"static": {"id": "bot"}})
    (listener,) = made.listeners
    identify = Callers(made).of(listener)
    assert asyncio.run(identify(Hail("rest", ""))).id == "bot"  # type: ignore[arg-type]
    assert name_of(listener) == "127.0.0.1:8080"


def test_all_whom_the_file_describes_each_with_its_listener(tmp_path: Path) -> None:
    _, key = made(Principal("bob"), 0.0)
    add(tmp_path / "keys.yaml", key, 0.0)
    known = {"api_keys": [{"sha256": "0" * 64, "id": "ann"}], "jwt": [ISSUER], "key_file": "keys.yaml"}
    callers = Callers(settings(tmp_path, {"static": {"id": "bot"}}, known))
    first, second = "127.0.0.1:8080", "127.0.0.1:8081"
    assert [(door, one.id) for door, one in callers] == [(first, "bot"), (second, "ann"), (second, "bob")]


def test_a_key_of_the_file_is_nobody_whom_a_token_names(tmp_path: Path) -> None:
    secret, key = made(Principal("jwt:ann"), 0.0)
    add(tmp_path / "keys.yaml", key, 0.0)
    own = settings(tmp_path, {"jwt": [ISSUER], "key_file": "keys.yaml"})
    with pytest.raises(Refusal):
        asyncio.run(Callers(own).of(own.listeners[0])(Hail("rest", "", key=secret)))  # type: ignore[arg-type]
    own = settings(tmp_path, {"key_file": "keys.yaml"}, {"jwt": [ISSUER]})
    with pytest.raises(Refusal):
        asyncio.run(Callers(own).of(own.listeners[0])(Hail("rest", "", key=secret)))  # type: ignore[arg-type]
    own = settings(tmp_path, {"key_file": "keys.yaml"})
    assert asyncio.run(Callers(own).of(own.listeners[0])(Hail("rest", "", key=secret))).id == "jwt:ann"  # type: ignore[arg-type]


def test_keys_that_cannot_be_read_are_told_of(tmp_path: Path) -> None:
    own = settings(tmp_path, {"jwt": [ISSUER]})
    callers = Callers(own)
    callers.of(own.listeners[0])
    assert list(callers.notes()) == ["keys of https://login.example"]
    watches = callers.watches()
    assert len(watches) == 1
    watches[0].close()
