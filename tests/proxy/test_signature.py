"""The look of a folder: every way in which people and machines change files is noticed, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from proxy import signature as module
from proxy.signature import TooMany, signature


def configmap(folder: Path, version: str, text: str) -> None:
    """What a kubelet does: a fresh folder, and `..data` renamed to it in one step."""
    data = folder / f"..{version}"
    (data / "schemas").mkdir(parents=True)
    (data / "policy.yaml").write_text(text)
    (data / "schemas" / "order.json").write_text("{}")
    (folder / "..next").symlink_to(data.name)
    os.replace(folder / "..next", folder / "..data")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rules = tmp_path / "rules"
    (rules / "schemas").mkdir(parents=True)
    (rules / "policy.yaml").write_text("rules: []")
    (rules / "schemas" / "order.json").write_text("{}")
    return rules


def replaced(folder: Path) -> None:
    (folder / "policy.new").write_text("rules: []")
    os.replace(folder / "policy.new", folder / "policy.yaml")


def written_with_its_old_time(folder: Path) -> None:
    file = folder / "policy.yaml"
    before = file.stat()
    file.write_text("rules: {}")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def folder_swapped(folder: Path) -> None:
    folder.rename(folder.parent / "old")
    (folder.parent / "new" / "schemas").mkdir(parents=True)
    (folder.parent / "new" / "policy.yaml").write_text("rules: []")
    (folder.parent / "new" / "schemas" / "order.json").write_text("{}")
    (folder.parent / "new").rename(folder)


CHANGES: list[Callable[[Path], object]] = [
    lambda folder: (folder / "policy.yaml").write_text("rules: [1]"),
    lambda folder: (folder / "schemas" / "order.json").write_text("[]"),
    lambda folder: (folder / "schemas" / "deep").mkdir(),
    lambda folder: (folder / "more.yaml").write_text(""),
    lambda folder: (folder / "policy.yaml").unlink(),
    lambda folder: (folder / "policy.yaml").rename(folder / "other.yaml"),
    lambda folder: (folder / "policy.yaml").chmod(0),
    lambda folder: folder.rename(folder.parent / "gone"),
    replaced,
    written_with_its_old_time,
    folder_swapped,
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_noticed(folder: Path, change: Callable[[Path], object]) -> None:
    before = signature(folder)
    change(folder)
    assert signature(folder) != before


def test_what_does_not_matter_is_not(folder: Path) -> None:
    before = signature(folder)
    (folder / "policy.yaml").read_text()
    (folder / ".policy.yaml.swp").write_text("an editor's own")
    (folder / ".git").mkdir()
    (folder / ".git" / "index").write_text("")
    assert signature(folder) == before


def test_the_swap_of_a_configmap(tmp_path: Path) -> None:
    configmap(tmp_path, "1", "rules: []")
    (tmp_path / "policy.yaml").symlink_to("..data/policy.yaml")
    (tmp_path / "schemas").symlink_to("..data/schemas")
    before = signature(tmp_path)
    configmap(tmp_path, "2", "rules: []")
    assert signature(tmp_path) != before


def test_loops_and_dead_ends_have_an_end(folder: Path) -> None:
    (folder / "again").symlink_to(folder)
    (folder / "schemas" / "up").symlink_to("..")
    (folder / "self").symlink_to("self")
    (folder / "nowhere.yaml").symlink_to("nothing")
    before = signature(folder)
    assert signature(folder) == before
    (folder / "nothing").write_text("")
    assert signature(folder) != before


def test_a_name_that_is_no_text(folder: Path) -> None:
    before = signature(folder)
    (folder / os.fsdecode(b"\xff.yaml")).write_text("")
    assert signature(folder) != before


def test_a_folder_that_is_not_there_has_a_look_too(tmp_path: Path) -> None:
    before = signature(tmp_path / "rules")
    assert signature(tmp_path / "rules") == before
    (tmp_path / "rules").mkdir()
    assert signature(tmp_path / "rules") != before


def test_too_many_are_not_watched_in_part(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ENTRIES", 3)
    signature(folder)
    (folder / "one.yaml").write_text("")
    with pytest.raises(TooMany, match="more than 3 files"):
        signature(folder)
