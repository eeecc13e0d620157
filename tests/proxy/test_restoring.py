"""Between reading a call and judging it; see also tests/doors/test_pseudonyms.py."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from proxy.errors import Refusal
from proxy.model import Call, Outgoing
from proxy.restoring import Restore
from proxy.scanning import INLINE_BYTES, Scans
from redaction import pseudonyms
from redaction.pseudonyms import ANY, Restoring
from rules.facts import Principal, Run
from rules.tools import Catalog
from tests.proxy.test_pseudonyms import keeper


def call(body: bytes) -> Call:
    tool: Any = SimpleNamespace(restore=frozenset({ANY}))
    sent = Outgoing("POST", "/", (), body)
    return Call("id", Run("r", 1), Principal("p"), tool, {"text": body}, (), sent, "", "", "")


def remake(call: Call, restoring: Restoring, _: Catalog) -> Call:
    new = restoring.text(call.outgoing.body.decode()).encode()
    if b"never" in new:
        raise Refusal("bad_request", "It may not be so.")
    return call._replace(arguments={"text": new}, outgoing=call.outgoing._replace(body=new))


class Entry:
    def __init__(self) -> None:
        self.record = SimpleNamespace(notes=[])
        self.told: list[Restoring] = []

    def restored(self, before: Call, after: Call, restoring: Restoring) -> None:
        self.told.append(restoring)


def restored(folder: Path, *bodies: bytes, value: str = "value") -> tuple[list[Any], Entry]:
    async def play() -> list[Any]:
        made, scans = keeper(folder), Scans()
        try:
            known = await made.of("p", "r")
            known.give("A", value)
            known.give("A", "other")
            restore = Restore(made, Catalog(), remake, scans)
            tasks = (restore(call(body), entry) for body in bodies)  # type: ignore[arg-type]
            return await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            scans.close()
            made.close()

    entry = Entry()
    return asyncio.run(play()), entry


def test_a_call_in_which_nothing_stands_for_a_value_is_the_same_call(tmp_path: Path) -> None:
    [same], entry = restored(tmp_path, b"plain <A_9>")
    assert (same.outgoing.body, entry.told) == (b"plain <A_9>", [])


def test_the_entry_is_told_what_was_put_back(tmp_path: Path) -> None:
    [made], entry = restored(tmp_path, b"a <A_1> b <A_1>")
    assert made.outgoing.body == b"a value b value"
    assert [each.counts for each in entry.told] == [{"A": 2}]


def test_a_large_call_is_done_in_a_thread(tmp_path: Path) -> None:
    [made], _ = restored(tmp_path, b"x" * INLINE_BYTES + b" <A_1>")
    assert made.outgoing.body.endswith(b"x value")


def test_a_value_that_cannot_stand_there_is_a_refusal_without_it(tmp_path: Path) -> None:
    [no, same], _ = restored(tmp_path, b"<A_1>", b"never", value="never")
    assert (no.code, no.executed) == ("unsafe_argument", "no")
    assert "never" not in f"{no.detail} {no.suggestion} {no.note} {no.errors}"
    assert same.outgoing.body == b"never"  # it was wrong before, and is judged so


def test_too_many_are_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pseudonyms, "MOST_RESTORED", 1)
    [no], _ = restored(tmp_path, b"<A_1> <A_2>")
    assert no.code == "unsafe_argument"
