"""The key file: what is in it, how it is changed, and that whoever reads it never sees half of it."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import threading
import time
from pathlib import Path

import pytest

from proxy import replacing
from proxy.identity import keyfile
from proxy.identity.identity import digest
from proxy.identity.keyfile import KeyFile, KeyFileError, add, keys_in, made, read_line, revoke
from rules.facts import Principal
from tests.wire import Wall, perform, wall

ANN = Principal("ann", frozenset({"support", "billing"}), "bot", "ann@example.org")
BOB = Principal("bob")
NOW = 1_800_000_000.0


def added(path: Path, who: Principal, lasts_s: float | None = None, *, another: bool = False) -> str:
    key, kept = made(who, time.time(), lasts_s)
    add(path, kept, time.time(), another=another)
    return key


def later(file: KeyFile) -> KeyFile:
    """As if the time between two looks were over."""
    file._look_at = 0.0
    return file


def test_a_key_is_its_principal_and_the_file_holds_no_key(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    ann, bob = added(path, ANN), added(path, BOB)
    file = KeyFile(path)
    found = file.get(digest(ann))
    assert found is not None
    assert (found.id, found.roles, found.agent, found.user, found.method) == (
        "ann", ANN.roles, "bot", "ann@example.org", "api_key",
    )  # fmt: skip
    assert file.get(digest(bob)) == Principal("bob", method="api_key")
    assert {who.id for who in file.principals()} == {"ann", "bob"}
    for wrong in ("", ann, digest(ann + "x"), digest(ann).upper(), ann[:10]):
        assert file.get(wrong) is None
    text = path.read_text()
    for key in (ann, bob):
        assert key not in text
        assert key[11:] not in text
        assert key not in repr(file)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert file.trouble == ""
    assert os.listdir(tmp_path) == ["keys.yaml"]


def test_what_is_added_and_revoked_counts_at_the_next_look(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    file = KeyFile(path)
    assert "is not there" in file.trouble
    ann, bob = added(path, ANN), added(path, BOB)
    assert later(file).get(digest(ann)) is not None
    assert file.trouble == ""
    assert [key.principal.id for key in revoke(path, "ann")] == ["ann"]
    assert later(file).get(digest(ann)) is None
    assert file.get(digest(bob)) is not None
    revoke(path, bob[:10])
    assert later(file).get(digest(bob)) is None
    path.unlink()
    assert "is not there" in later(file).trouble


def test_nobody_looks_more_often_than_needed_and_never_later_than_a_second(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    ann = added(path, ANN)
    file = KeyFile(path)
    assert file.get(digest(ann)) is not None
    revoke(path, "ann")
    began = time.monotonic()
    while file.get(digest(ann)) is not None:
        assert time.monotonic() - began < 1.0
        time.sleep(0.01)


def test_a_file_that_is_taken_away_revokes_all(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    ann = added(path, ANN)
    file = KeyFile(path)
    assert file.get(digest(ann)) is not None
    path.unlink()
    assert later(file).get(digest(ann)) is None


def test_a_key_ends_with_its_time(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    key, kept = made(ANN, time.time() - 100, 99)
    add(path, kept, time.time())
    file = KeyFile(path)
    assert file.get(digest(key)) is None
    assert file.principals() == ()
    assert keys_in(path)[0].is_over(time.time())
    again = added(path, ANN, 60)  # what is over is no key that one has
    assert later(file).get(digest(again)) is not None


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("nonsense", "is no key"), ("- nonsense", "is no key"), ("- [1]", "is no key"), ('- {"id": "a"', "is no key"),
        ('{"id": "a"}', "is no key"), ("- {}", "has no id"), ('- {"id": "a"}', "has no sha256"),
        ('- {"id": "a", "id": "b"}', "is no key"), ('- {"id": "a", "rolls": []}', "unknown name 'rolls'"),
        ('- {"id": "two words", "sha256": "SUM"}', "a wrong id"), ('- {"id": "", "sha256": "SUM"}', "a wrong id"),
        ('- {"id": 7, "sha256": "SUM"}', "a wrong id"), ('- {"id": "a", "sha256": "abc"}', "a wrong sha256"),
        ('- {"id": "twk_abcdef", "sha256": "SUM"}', "a wrong id"),
        ('- {"id": "a", "sha256": "SUM", "roles": "x"}', "wrong roles"),
        ('- {"id": "a", "sha256": "SUM", "roles": [""]}', "wrong roles"),
        ('- {"id": "a", "sha256": "SUM", "roles": ["\\ud800"]}', "wrong roles"),
        ('- {"id": "a", "sha256": "SUM", "agent": ""}', "a wrong agent"),
        ('- {"id": "a", "sha256": "SUM", "user": "\\u0000"}', "a wrong user"),
        ('- {"id": "a", "sha256": "SUM", "expires": "2026-13-01T00:00:00Z"}', "time that does not exist"),
        ('- {"id": "a", "sha256": "SUM", "expires": "tomorrow"}', "a wrong expires"),
        ('- {"id": "a", "sha256": "SUM", "expires": null}', "a wrong expires"),
        ("- " + "[" * 100_000, "is no key"),
    ],
)  # fmt: skip
def test_a_file_with_a_wrong_line_leaves_all_as_it_was(tmp_path: Path, line: str, says: str) -> None:
    path = tmp_path / "keys.yaml"
    ann = added(path, ANN)
    file = KeyFile(path)
    with path.open("a") as appended:
        appended.write(line.replace("SUM", "0" * 64) + "\n")
    assert later(file).get(digest(ann)) is not None
    assert says in file.trouble
    assert "line 2" in file.trouble
    before = path.read_bytes()
    for change in (lambda: added(path, BOB), lambda: revoke(path, "ann")):
        with pytest.raises(KeyFileError, match="line 2"):
            change()
    assert path.read_bytes() == before
    path.write_text(path.read_text().splitlines()[0] + "\n# mended\n")
    assert later(file).trouble == ""


def test_lines_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    one, other = (kept for _, kept in (made(ANN, NOW), made(Principal("ann", frozenset({"admin"})), NOW)))
    for lines, says in (
        ((one, one._replace(prefix="", created="")), "a key of ann stands there twice"),
        ((one, other), "describe it in different ways"),
        ((one, one), "line 2 stands there twice"),
    ):
        path.write_text("".join(key.line() + "\n" for key in lines))
        path.chmod(0o600)
        with pytest.raises(KeyFileError, match=says):
            keys_in(path)
        assert KeyFile(path).get(one.digest) is None


def test_a_file_that_others_may_write_or_that_is_none_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    ann = added(path, ANN)
    path.chmod(0o660)
    assert KeyFile(path).get(digest(ann)) is None
    assert "others may write to it" in KeyFile(path).trouble
    assert "cannot be used" in KeyFile(tmp_path).trouble
    os.mkfifo(tmp_path / "pipe")
    assert "no regular file" in KeyFile(tmp_path / "pipe").trouble
    (tmp_path / "bad").write_bytes(b"\xff")
    (tmp_path / "bad").chmod(0o600)
    assert "not UTF-8" in KeyFile(tmp_path / "bad").trouble


def test_a_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keys.yaml"
    monkeypatch.setattr(keyfile, "MOST_KEYS", 2)
    added(path, ANN)
    added(path, BOB)
    with pytest.raises(KeyFileError, match="no more fit in"):
        added(path, Principal("eve"))
    with path.open("a") as appended:
        appended.write(made(Principal("eve"), NOW)[1].line() + "\n")
    assert "more than 2 keys" in KeyFile(path).trouble
    monkeypatch.setattr(keyfile, "MOST_BYTES", 10)
    assert "larger than 10 bytes" in KeyFile(path).trouble


def test_a_principal_gets_a_second_key_on_purpose_only_and_stays_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    first = added(path, ANN)
    with pytest.raises(KeyFileError, match=f"{first[:10]}.*--another"):
        added(path, ANN)
    with pytest.raises(KeyFileError, match="described otherwise"):
        added(path, Principal("ann", frozenset({"admin"})), another=True)
    second = added(path, ANN, another=True)
    file = KeyFile(path)
    assert file.get(digest(first)) == file.get(digest(second))
    assert len(revoke(path, first[:10])) == 1
    assert later(file).get(digest(first)) is None
    assert file.get(digest(second)) is not None


@pytest.mark.parametrize("name", ["eve", "", "twk_", "an", "ann2", "ANN", "*"])
def test_what_nobody_is_called_revokes_nothing(tmp_path: Path, name: str) -> None:
    path = tmp_path / "keys.yaml"
    added(path, ANN)
    before = path.read_bytes()
    with pytest.raises(KeyFileError, match="no key has this id or prefix"):
        revoke(path, name)
    assert path.read_bytes() == before
    with pytest.raises(FileNotFoundError):
        revoke(tmp_path / "none.yaml", "ann")
    assert not (tmp_path / "none.yaml").exists()


def test_comments_stay_and_a_link_is_followed(tmp_path: Path) -> None:
    real, link = tmp_path / "real.yaml", tmp_path / "keys.yaml"
    real.write_text("# whose keys these are\n")
    real.chmod(0o600)
    link.symlink_to(real)
    ann = added(link, ANN)
    assert link.is_symlink()
    assert real.read_text().startswith("# whose keys these are\n- {")
    assert KeyFile(link).get(digest(ann)) is not None


def test_of_keys_added_at_once_none_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    keys: list[str] = []
    threads = [
        threading.Thread(target=lambda at=at: keys.append(added(path, Principal(f"bot-{at}"))))  # type: ignore[misc]
        for at in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    file = KeyFile(path)
    assert len({key for key in keys if file.get(digest(key))}) == 20
    assert os.listdir(tmp_path) == ["keys.yaml"]


def test_who_waits_too_long_for_another_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replacing, "PATIENCE_S", 0.05)
    path = tmp_path / "keys.yaml"
    with keyfile._changing(path), pytest.raises(KeyFileError, match="try again"):
        added(path, ANN)


@pytest.mark.parametrize("text", ["é", "a: b", '"', "{x}", "- x", "\\u0041", "~", "#", "漢字"])
def test_a_line_says_again_what_was_said(text: str) -> None:
    who = Principal("a,b}#:", frozenset({text, "true"}), text, text)
    _, kept = made(who, NOW, 3600)
    assert read_line(kept.line()) == kept
    assert json.loads(kept.line()[2:])["roles"] == sorted(["true", text])


@pytest.mark.parametrize("who", [Principal("two words"), Principal(""), Principal("a", frozenset({""})),
    Principal("a", agent="\n"), Principal("a", user="\ud800"), Principal("twk_x")])  # fmt: skip
def test_what_cannot_be_read_back_is_not_made(who: Principal) -> None:
    with pytest.raises(KeyFileError):
        made(who, NOW)


def test_a_key_comes_and_goes_at_the_door_of_a_sidecar_that_runs(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"

    async def until(w: Wall, key: str, wanted: int) -> None:
        async with asyncio.timeout(1):
            while (await w.call("GET", "/crm/get", headers=[("Toolwall-Key", key)])).status != wanted:
                await asyncio.sleep(0.02)

    async def play() -> None:
        async with wall(tmp_path, "  get: {call: GET /get}\n", identity="{key_file: keys.yaml}") as w:
            assert (await w.call("GET", "/crm/get", headers=[("Toolwall-Key", "twk_x")])).status == 401
            key = added(path, ANN)
            await until(w, key, 200)
            assert w.records()[-1]["principal"] == "ann"
            with path.open("a") as file:
                file.write("nonsense\n")
            await asyncio.sleep(keyfile.LOOK_S + 0.1)
            await until(w, key, 200)
            path.write_text(path.read_text().replace("nonsense\n", ""))
            revoke(path, "ann")
            await until(w, key, 401)
            before = len(w.backend.requests)
            for wrong in (key, key[:-1], "", digest(key)):
                told = await w.tell("GET", "/crm/get", headers=[("Toolwall-Key", wrong)])
                assert (told.reply.status, told.reply.json["code"]) == (401, "unauthenticated")
                assert key.encode() not in told.reply.raw
            assert len(w.backend.requests) == before
            assert key.encode() not in w.ledger()

    perform(play())
