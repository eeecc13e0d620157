"""`toolwall keys`: what is shown, what is kept, and what is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from proxy.config import load_config
from proxy.identity.identity import digest
from proxy.identity.keyfile import KeyFile
from tests.proxy.test_cli import toolwall


@pytest.mark.parametrize(
    ("id", "roles"),
    [("ann", []), ("ann", ["support"]), ("7", ["true", "null", "1e3"]),
     ("a,b}#:", ["two words", "a: b", '"', "{x}", "é"]), ("~", ["- x", "\\u0041", "*", "!!str"])],
)  # fmt: skip
def test_a_printed_line_works_where_it_is_put(tmp_path: Path, id: str, roles: list[str]) -> None:
    code, out, err = toolwall("keys", "add", id, *(f"--role={role}" for role in roles), "--file", "-")
    assert code == 0
    (key,) = [line.strip() for line in err.splitlines() if line.strip().startswith("twk_")]
    assert len(key) == len("twk_") + 43
    assert key.encode() not in out
    assert hashlib.sha256(key.encode()).hexdigest().encode() in out
    block = out.decode().rstrip()
    text = f"listeners:\n  - bind: 127.0.0.1:0\n    identity:\n      api_keys:\n        {block}\n"
    (tmp_path / "toolwall.yaml").write_text(text)
    assert load_config(tmp_path / "toolwall.yaml").listeners
    (tmp_path / "keys.yaml").write_text(block + "\n")
    principal = KeyFile(tmp_path / "keys.yaml").get(digest(key))
    assert principal is not None
    assert (principal.id, principal.roles) == (id, frozenset(roles))


def test_a_key_is_shown_once_listed_and_revoked(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    said = ("--role=support", "--agent=helper", "--user=ann@example.org", "--expires=90d", f"--file={path}")
    code, out, err = toolwall("keys", "add", "bot", *said)
    key = out.decode().strip()
    assert code == 0
    assert KeyFile(path).get(digest(key)) is not None
    assert key not in err + path.read_text()
    code, listed, _ = toolwall("keys", "list", f"--file={path}")
    for word in ("bot", "support", "helper", "ann@example.org", f"{key[:10]}...", "T", "Z"):
        assert word in listed.decode()
    assert key not in listed.decode()
    code, out, _ = toolwall("keys", "revoke", f"{key[:10]}...", f"--file={path}")
    assert (code, out.decode()) == (0, f"Revoked: {key[:10]}... of bot.\n")
    assert KeyFile(path).get(digest(key)) is None
    assert toolwall("keys", "list", f"--file={path}")[1] == b"There are no keys.\n"
    code, _, err = toolwall("keys", "revoke", "bot", f"--file={path}")
    assert (code, "no key has this id" in err) == (1, True)


@pytest.mark.parametrize("args", [
    ["two words"], [""], ["twk_abcdef"], ["a", "--role="], ["a", "--expires=soon"], ["a", "--expires=0d"],
    ["a", "--expires=1ms"], ["a", "--expires=999999999d"], ["a", "--agent=\n"], ["a", "--expires=1d", "--file=-"],
])  # fmt: skip
def test_what_is_no_key_is_refused_and_nothing_written(tmp_path: Path, args: list[str]) -> None:
    path = tmp_path / "keys.yaml"
    code, out, err = toolwall("keys", "add", f"--file={path}", *args)
    assert (code, out, path.exists()) == (2, b"", False)
    assert err


def test_a_second_key_has_to_be_meant(tmp_path: Path) -> None:
    file = f"--file={tmp_path / 'keys.yaml'}"
    assert toolwall("keys", "add", "bot", file)[0] == 0
    code, out, err = toolwall("keys", "add", "bot", file)
    assert (code, out) == (2, b"")
    assert "bot has a key already" in err
    assert toolwall("keys", "add", "bot", "--another", file)[0] == 0


def test_the_file_is_that_of_the_configuration(tmp_path: Path) -> None:
    config = tmp_path / "toolwall.yaml"
    said = {"listeners": [{"bind": "127.0.0.1:0", "identity": {"key_file": "keys.yaml"}}]}
    config.write_text(json.dumps(said))
    code, out, _ = toolwall("keys", "add", "bot", "-c", str(config))
    assert code == 0
    assert KeyFile(tmp_path / "keys.yaml").get(digest(out.decode().strip())) is not None
    assert toolwall("keys", "revoke", "bot", "-c", str(config))[0] == 0


@pytest.mark.parametrize("text", ["", "a: [", "listeners: 7", "listeners: [{identity: {static: {id: a}}}]",
    "listeners: [{identity: {key_file: a}}, {identity: {key_file: b}}]"])  # fmt: skip
def test_which_file_is_meant_is_never_guessed(tmp_path: Path, text: str) -> None:
    config = tmp_path / "toolwall.yaml"
    config.write_text(text)
    for command in (["add", "bot"], ["list"], ["revoke", "bot"]):
        code, out, err = toolwall("keys", *command, "-c", str(config))
        assert code in (2, 3)
        assert out == b""
        assert err
    config.unlink()
    assert toolwall("keys", "list", "-c", str(config))[0] == 2


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    code, out, err = toolwall("keys", "add", "bot", f"--file={tmp_path}/none/keys.yaml")
    assert (code, out) == (3, b"")
    assert "No such file" in err


def test_no_two_keys_are_alike() -> None:
    assert len({toolwall("keys", "add", "a", "--file", "-")[1] for _ in range(20)}) == 20
