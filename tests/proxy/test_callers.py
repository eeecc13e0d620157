"""How the listeners know their callers."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from proxy.callers import Callers, name_of, principals
from proxy.config import Settings, load_config
from proxy.model import Hail

ISSUER = {"issuer": "https://login.example", "audience": "toolwall", "keys": "file:none.json"}


def settings(folder: Path, *identities: dict[str, Any]) -> Settings:
    binds = [{"bind": f"127.0.0.1:{8080 + at}", "identity": each} for at, each in enumerate(identities)]
    (folder / "toolwall.yaml").write_text(json.dumps({"listeners": binds}))
    return load_config(folder / "toolwall.yaml")


def test_a_listener_with_a_principal_asks_for_nothing(tmp_path: Path) -> None:
    listener = settings(tmp_path, {"static": {"id": "bot"}}).listeners[0]
    identify = Callers().of(listener)
    assert asyncio.run(identify(Hail("rest", ""))).id == "bot"  # type: ignore[arg-type]
    assert name_of(listener) == "127.0.0.1:8080"


def test_all_whom_the_file_describes_each_with_its_listener(tmp_path: Path) -> None:
    found = principals(
        settings(tmp_path, {"static": {"id": "bot"}}, {"peers": [{"uid": 1, "id": "ann"}], "jwt": [ISSUER]})
    )
    assert [(door, one.id) for door, one in found] == [("127.0.0.1:8080", "bot"), ("127.0.0.1:8081", "ann")]


def test_keys_that_cannot_be_read_are_told_of(tmp_path: Path) -> None:
    callers = Callers()
    callers.of(settings(tmp_path, {"jwt": [ISSUER]}).listeners[0])
    assert list(callers.notes()) == ["keys of https://login.example"]
    watches = callers.watches()
    assert len(watches) == 1
    watches[0].close()
