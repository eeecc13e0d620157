"""Where what the operator adds may lie, and that its keys are not shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.presidio.settings import BadPlace, PresidioSettings, read_presidio, resolved


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    raw = {"registry": "a.yaml", "code": "b", "model": "c", "time": "300ms", "memory": "1GiB"}
    read = read_presidio(raw | {"operators": {"x": {"operator": "hash", "with": {"salt": "file:s", "n": 1}}}}, tmp_path)
    assert (read.registry, read.code, read.model) == tuple(str(tmp_path / name) for name in ("a.yaml", "b", "c"))
    assert (read.text_s, read.memory) == (0.3, 1 << 30)
    assert read.operators == {"x": {"operator": "hash", "with": {"salt": f"file:{tmp_path / 's'}", "n": 1}}}


def test_parameters_come_from_the_environment_and_files_and_are_not_shown(tmp_path: Path) -> None:
    (tmp_path / "salt").write_text("salt of sixteen bytes\n")
    params = {"key": "env:KEY", "salt": f"file:{tmp_path / 'salt'}", "n": 1, "plain": "text"}
    settings = PresidioSettings(operators={"x": {"operator": "hash", "with": params}})
    made = resolved(settings, tmp_path / "rules", {"KEY": "very secret"})
    assert made.operators["x"]["with"] == {
        "key": "very secret",
        "salt": "salt of sixteen bytes",
        "n": 1,
        "plain": "text",
    }
    assert "secret" not in repr(made)
    assert "sixteen" not in repr(made)


@pytest.mark.parametrize("value", ["env:NO_SUCH", "env:EMPTY", "file:/nowhere/at/all", "file:binary", "file:large"])
def test_a_parameter_that_is_not_there_is_refused(value: str, tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "large").write_bytes(b"a" * (1 << 17))
    settings = read_presidio({"operators": {"x": {"operator": "hash", "with": {"salt": value}}}}, tmp_path)
    with pytest.raises(BadPlace, match="for the operator x"):
        resolved(settings, tmp_path / "rules", {"EMPTY": ""})


@pytest.mark.parametrize("place", ["rules", "rules/code", ".", "link"])
def test_code_may_not_lie_where_authors_of_rules_write(place: str, tmp_path: Path) -> None:
    (tmp_path / "rules" / "code").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "rules" / "code")
    with pytest.raises(BadPlace, match="whose authors"):
        resolved(PresidioSettings(code=str(tmp_path / place)), tmp_path / "rules", {})
    with pytest.raises(BadPlace, match="whose authors"):
        resolved(PresidioSettings(registry=str(tmp_path / "rules" / "code" / "a.yaml")), tmp_path / "rules", {})


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadPlace, match="is no folder"):
        resolved(PresidioSettings(code=str(tmp_path / "no")), tmp_path / "rules", {})
    with pytest.raises(BadPlace, match=r"meta\.json"):
        resolved(PresidioSettings(model=str(tmp_path)), tmp_path / "rules", {})
