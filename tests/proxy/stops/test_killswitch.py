"""The kill switch as a file: there, not there, and not to be told."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.stops.killswitch import KillSwitch, turn_off, turn_on


def test_it_is_on_while_its_file_is_there(tmp_path: Path) -> None:
    path = tmp_path / "stop"
    switch = KillSwitch(path)
    assert switch.look() == ""
    switch.on("me")
    assert "is there" in switch.look()
    assert "is there" in KillSwitch(path).look()
    switch.off()
    assert switch.look() == KillSwitch(path).look() == ""
    assert not turn_off(path)


@pytest.mark.parametrize("kind", ["empty", "folder", "dangling"])
def test_whatever_lies_there_counts(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "stop"
    if kind == "empty":
        path.touch()
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "nowhere")
    switch = KillSwitch(path)
    assert switch.look()
    switch.off()
    assert bool(switch.look()) == (kind == "folder")  # what cannot be taken away stays on


def test_what_cannot_be_looked_at_is_on(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot" in KillSwitch(tmp_path / "file" / "stop").look()
    assert "cannot" in KillSwitch(tmp_path / "gone" / "stop").look()
    assert "cannot" in KillSwitch(tmp_path / ("x" * 300)).look()


def test_it_is_on_also_where_the_file_cannot_be_written(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path / "gone" / "stop")
    switch.on("me")
    (tmp_path / "gone").mkdir()
    assert "a restart forgets it" in switch.look()
    switch.off()
    assert switch.look() == ""


def test_what_is_on_already_keeps_who_turned_it_on(tmp_path: Path) -> None:
    turn_on(tmp_path / "stop", "ann")
    turn_on(tmp_path / "stop", "bob")
    assert "ann" in (tmp_path / "stop").read_text()
