"""The one table: who lies in it, and that neither it nor its key is there before it is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy import pseudonyms
from proxy.effects import deeds
from proxy.state import StateError, load_key
from proxy.table import open_table


def test_it_is_made_with_its_key_and_has_room_for_each_use(tmp_path: Path) -> None:
    table = open_table(tmp_path / "state", lambda: load_key("", tmp_path / "state", {}, make=True))
    assert [table.room(purpose) for purpose in (deeds.PURPOSE, pseudonyms.PURPOSE)] == [1.0, 1.0]
    assert (tmp_path / "state" / "state.key").stat().st_mode & 0o777 == 0o600
    table.close()


def test_a_key_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StateError):
        open_table(tmp_path / "state", lambda: load_key("env:NO_SUCH_KEY", tmp_path / "state", {}))
