"""The state folder and its key: made once, kept to itself, and never shown."""

import copy
import os
import pickle
import stat
from pathlib import Path

import pytest

from proxy.state import (
    ARGUMENTS_HASH,
    KEY_FILE,
    KEYED_FILES,
    LEDGER_HEAD,
    StateError,
    StateKey,
    load_key,
    state_folder,
)

DIGITS = "0123456789abcdef" * 4


def test_the_key_is_made_at_first_start_and_found_at_the_next(tmp_path: Path) -> None:
    folder = state_folder(tmp_path / "a" / "state")
    made = load_key("", folder, {}, make=True)
    found = load_key("", folder, {})
    assert made.derive(LEDGER_HEAD) == found.derive(LEDGER_HEAD)
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert os.listdir(folder) == [KEY_FILE]


def test_two_sidecars_have_different_keys(tmp_path: Path) -> None:
    keys = {load_key("", state_folder(tmp_path / name), {}, make=True).derive(LEDGER_HEAD) for name in "ab"}
    assert len(keys) == 2


def test_a_reader_makes_no_key(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="there is none"):
        load_key("", tmp_path, {})
    assert os.listdir(tmp_path) == []


def test_the_key_can_come_from_the_environment_or_a_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(DIGITS + "\n")
    path.chmod(0o440)
    derived = StateKey(bytes.fromhex(DIGITS)).derive("x")
    assert load_key(f"file:{path}", tmp_path, {}).derive("x") == derived
    assert load_key("env:KEY", tmp_path, {"KEY": DIGITS}).derive("x") == derived


@pytest.mark.parametrize("spec", ["env", "env:", "file:", "nonsense", "/a/path", "Env:KEY"])
def test_a_spec_that_is_none_is_refused(tmp_path: Path, spec: str) -> None:
    with pytest.raises(StateError, match="must be env:NAME, file:PATH or vault"):
        load_key(spec, tmp_path, {"KEY": DIGITS})


def test_vault_is_asked_by_whoever_can(tmp_path: Path) -> None:
    derived = StateKey(bytes.fromhex(DIGITS)).derive("x")
    asked: list[str] = []

    def vault(spec: str) -> str:
        asked.append(spec)
        return DIGITS

    assert load_key("vault:secret/toolwall#key", tmp_path, {}, vault=vault).derive("x") == derived
    assert asked == ["vault:secret/toolwall#key"]
    with pytest.raises(StateError, match="must be env:NAME"):
        load_key("vault:secret/toolwall#key", tmp_path, {})


@pytest.mark.parametrize("text", ["", DIGITS[1:], DIGITS + "0", "g" * 64, "à" * 64, DIGITS[:-2] + " 0", "x" * 5000])
def test_what_is_no_key_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    path = tmp_path / KEY_FILE
    path.write_text(text)
    path.chmod(0o600)
    for spec, environ in (("", {}), (f"file:{path}", {}), ("env:KEY", {"KEY": text})):
        with pytest.raises(StateError, match="64 hexadecimal digits") as caught:
            load_key(spec, tmp_path, environ)
        assert not text or text not in str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o602, 0o610])
def test_a_key_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / KEY_FILE
    path.write_text(DIGITS)
    path.chmod(mode)
    with pytest.raises(StateError, match="others may read"):
        load_key("", tmp_path, {})


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660])
def test_a_given_key_file_may_be_read_by_its_group_alone(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secret"
    path.write_text(DIGITS)
    path.chmod(mode)
    with pytest.raises(StateError, match="others may read"):
        load_key(f"file:{path}", tmp_path, {})


def test_a_key_must_be_a_file(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).mkdir(mode=0o700)
    with pytest.raises(StateError, match="no regular file"):
        load_key("", tmp_path, {}, make=True)
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(StateError, match="no regular file"):
        load_key(f"file:{tmp_path / 'pipe'}", tmp_path, {})


def test_a_link_that_leads_nowhere_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).symlink_to(tmp_path / "gone")
    with pytest.raises(StateError, match="there is none"):
        load_key("", tmp_path, {}, make=True)


@pytest.mark.parametrize("kept", KEYED_FILES)
def test_no_new_key_is_made_beside_what_was_written_under_another(tmp_path: Path, kept: str) -> None:
    (tmp_path / kept).write_bytes(b"x")
    with pytest.raises(StateError, match=f"there is no state key .*{kept}"):
        load_key("", tmp_path, {}, make=True)
    assert os.listdir(tmp_path) == [kept]


def test_each_purpose_has_its_own_key_of_32_bytes() -> None:
    key = StateKey(bytes(32))
    derived = {key.derive(purpose) for purpose in (LEDGER_HEAD, ARGUMENTS_HASH, "", "a", "b")}
    assert len(derived) == 5
    assert {len(each) for each in derived} == {32}
    assert key.derive("a") == StateKey(bytes(32)).derive("a") != StateKey(bytes([1] * 32)).derive("a")


def test_the_key_does_not_show_itself() -> None:
    key = StateKey(bytes.fromhex(DIGITS))
    for text in (repr(key), str(key), f"{key}", repr([key]), repr(vars(StateKey))):
        assert DIGITS not in text
        assert repr(bytes.fromhex(DIGITS)) not in text
    assert repr(key) == "StateKey(hidden)"
    with pytest.raises(TypeError):
        pickle.dumps(key)
    with pytest.raises(TypeError):
        copy.copy(key)


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_secret_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(StateError, match="32 bytes"):
        StateKey(bytes(length))


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(StateError, match="a folder inside it"):
        state_folder(folder)
    assert state_folder(folder / "inner").stat().st_mode & 0o777 == 0o700


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(StateError, match="cannot use the state folder"):
        state_folder(tmp_path / "state")
