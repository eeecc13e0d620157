"""Secrets of the environment and of files: read at start, and files again when they change."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from proxy.credentials.living import Living
from proxy.credentials.secret import CredentialError, Source
from proxy.credentials.sources import MOST_BYTES, Environment, File
from rules.credentials import Origin

ONE, TWO = "kestrel-9Xw4pQ7t", "osprey-3Vb8nK1s"


def got(source: Source) -> dict[str, str]:
    return dict(asyncio.run(source.get("call", "bot", "run")).fields)


def origin(**paths: Path) -> Origin:
    return Origin("file", tuple((field, str(path)) for field, path in paths.items()))


def replaced(path: Path, text: str) -> None:
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").rename(path)


def settled(source: File) -> None:
    source.look()
    source.look()


def test_the_environment_is_read_once() -> None:
    known, environ = Living(grace_s=0.0), {"U": "ana", "P": f" {ONE}\n"}
    source = Environment(Origin("env", (("username", "U"), ("password", "P"))), known.tell, environ)
    environ["P"] = TWO
    source.look()
    assert got(source) == {"username": "ana", "password": ONE}
    assert known.sees(ONE.encode())
    source.close()
    known.tend()
    assert not known.sees(ONE.encode())


@pytest.mark.parametrize("environ", [{}, {"P": ""}, {"P": " \n"}])
def test_what_is_not_in_the_environment_is_said_by_its_name(environ: dict[str, str]) -> None:
    with pytest.raises(CredentialError, match=r"^the environment variable P is not set, or is empty$"):
        Environment(Origin("env", (("value", "P"),)), Living().tell, environ)


def test_a_file_is_read_again_when_two_looks_agree_that_it_changed(tmp_path: Path) -> None:
    known, path = Living(grace_s=0.0), tmp_path / "secret"
    path.write_text(f"{ONE}\n")
    source = File(origin(value=path), known.tell)
    assert got(source) == {"value": ONE}
    replaced(path, TWO)
    source.look()
    assert got(source) == {"value": ONE}
    source.look()
    assert got(source) == {"value": TWO}
    assert [known.sees(each.encode()) for each in (ONE, TWO)] == [True, True]
    known.tend()
    assert [known.sees(each.encode()) for each in (ONE, TWO)] == [False, True]


def test_fields_have_files_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "u").write_text("ana")
    (tmp_path / "p").write_text(ONE)
    source = File(origin(username=tmp_path / "u", password=tmp_path / "p"), Living().tell)
    assert got(source) == {"username": "ana", "password": ONE}
    replaced(tmp_path / "p", TWO)
    settled(source)
    assert got(source) == {"username": "ana", "password": TWO}


@pytest.mark.parametrize(
    "broken",
    [
        lambda path: path.write_text(" \n"),
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b"\xff" + TWO.encode()),
        lambda path: path.write_text(TWO * MOST_BYTES),
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: (path.unlink(), os.mkfifo(path)),
    ],
)
def test_a_broken_new_file_keeps_the_old_with_a_note(
    tmp_path: Path, broken: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "secret"
    path.write_text(ONE)
    source = File(origin(value=path), Living().tell)
    broken(path)
    with caplog.at_level(logging.ERROR, "toolwall"):
        for _ in range(3):
            source.look()
    assert got(source) == {"value": ONE}
    assert source.trouble.startswith(f"file:{path} was not read again: ")
    assert len(caplog.messages) == 1
    assert TWO not in source.trouble + caplog.text
    if path.is_dir():
        path.rmdir()
    replaced(path, TWO)
    settled(source)
    assert (got(source), source.trouble) == ({"value": TWO}, "")


@pytest.mark.parametrize("data", [None, b"", b"\n", b"\xff"])
def test_a_file_that_cannot_be_used_at_first_is_an_error(tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "secret"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(CredentialError, match=f"^{path} "):
        File(origin(value=path), Living().tell)


def test_the_same_value_in_a_new_file_is_no_change(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "secret"
    path.write_text(ONE)
    source = File(origin(value=path), Living().tell)
    before = asyncio.run(source.get("", "", ""))
    replaced(path, f"{ONE}\n")
    with caplog.at_level(logging.INFO, "toolwall"):
        settled(source)
    assert asyncio.run(source.get("", "", "")) is before
    assert caplog.messages == []
