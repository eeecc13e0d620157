"""The list of what is revoked: read whole or not at all, changed by one at a time, bounded."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from proxy.stops import revoked
from proxy.stops.halts import Mark
from proxy.stops.revoked import RevokedError, allow, read, revoke

AT = "2026-01-01T00:00:00Z"


def test_what_is_revoked_is_read_again(tmp_path: Path) -> None:
    assert read(tmp_path) == ()
    assert revoke(tmp_path, Mark("ann", ""), AT)
    assert revoke(tmp_path, Mark("", "r1"), AT)
    assert not revoke(tmp_path, Mark("", "r1"), AT)
    assert [(each.mark, each.at) for each in read(tmp_path)] == [(Mark("ann", ""), AT), (Mark("", "r1"), AT)]
    assert stat.S_IMODE((tmp_path / revoked.NAME).stat().st_mode) == 0o600


def test_only_what_is_meant_is_allowed_again(tmp_path: Path) -> None:
    for mark in (Mark("ann", ""), Mark("ann", "r1"), Mark("bob", "r1"), Mark("ann", "r2")):
        revoke(tmp_path, mark, AT)
    assert allow(tmp_path, Mark("", "r9")) == ()
    assert allow(tmp_path, Mark("bob", "")) == ()
    assert allow(tmp_path, Mark("", "r1")) == (Mark("ann", "r1"), Mark("bob", "r1"))
    assert allow(tmp_path, Mark("ann", "")) == (Mark("ann", ""),)
    assert [each.mark for each in read(tmp_path)] == [Mark("ann", "r2")]


@pytest.mark.parametrize("text", [b"", b"\xff", b"{}", b"[]", b'{"revoked": 7}', b'{"revoked": [{"run": ""}]}',
    b'{"revoked": [{"run": "a", "runs": 1}]}', b'{"revoked": [{"run": "a", "unnamed": 1}]}', b'{"revoked": ["a"]}',
    b'{"revoked": [{"run": "' + b"x" * 2000 + b'"}]}'])  # fmt: skip
def test_what_cannot_be_read_is_an_error_and_stays(tmp_path: Path, text: bytes) -> None:
    (tmp_path / revoked.NAME).write_bytes(text)
    with pytest.raises(RevokedError, match="mend it"):
        read(tmp_path)
    with pytest.raises(RevokedError):
        revoke(tmp_path, Mark("", "r1"), AT)
    assert (tmp_path / revoked.NAME).read_bytes() == text


def test_it_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revoked, "MOST_MARKS", 2)
    for run in ("a", "b"):
        revoke(tmp_path, Mark("", run), AT)
    with pytest.raises(RevokedError, match="no more fit in"):
        revoke(tmp_path, Mark("", "c"), AT)
    monkeypatch.setattr(revoked, "MOST_BYTES", 5)
    with pytest.raises(RevokedError):
        read(tmp_path)


def test_of_two_at_once_none_is_lost(tmp_path: Path) -> None:
    threads = [threading.Thread(target=revoke, args=(tmp_path, Mark("", f"r{n}"), AT)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {each.mark.run for each in read(tmp_path)} == {f"r{n}" for n in range(10)}
