"""Pieces of what was left out, as both ways of asking get them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.protocols.remainder import Wanted
from proxy.replies.pieces import Pieces
from proxy.replies.remainders import ASKED, CALLED, Kept, Owner, Remainders
from proxy.scanning import Scans
from redaction.shaping import Bounds, Part
from tests.wire import wall

ANN = Owner("ann", "r1", "rev")
TEXT = json.dumps([["one", "two", "three"], "0123456789"])


@asynccontextmanager
async def kept(folder: Path) -> AsyncIterator[tuple[Pieces, Entry, str]]:
    async with wall(folder, "  get: {call: GET /x}") as w:
        remainders, scans = Remainders(), Scans()
        handle, _ = remainders.fresh(TEXT.encode(), CALLED)
        at, text = TEXT.index('["one'), TEXT.index("0123")
        parts = {at: Part(at, TEXT.index("]") + 1, 1, True), text: Part(text, text + 10, 4, False)}
        remainders.keep(handle, Kept(ANN, "c1", TEXT, True, Bounds(1, 4), parts))
        yield Pieces(remainders, scans), w.sidecar.firewall.entries.open("test"), handle
        scans.close()


def given(folder: Path, place: int, since: int | None, way: str, owner: Owner = ANN) -> Any:
    folder.mkdir(exist_ok=True)

    async def play() -> Any:
        async with kept(folder) as (pieces, entry, handle):
            said = await pieces.given(entry, Wanted(handle, place, since), owner, way)
            return json.loads(said.replace(handle.encode(), b"H"))

    return asyncio.run(play())


def test_each_way_of_asking_is_told_how_to_go_on_its_own_way(tmp_path: Path) -> None:
    at = TEXT.index('["one')
    said = given(tmp_path, at, None, ASKED)
    assert said == {"items": ["two"], "from": 1, "left": 1, "next": f"GET /.toolwall/rest/H-{at}?from=2"}
    said = given(tmp_path / "b", at, None, CALLED)
    assert said["next"] == f"call toolwall_rest with rest=H-{at} and from=2"


def test_the_last_piece_of_a_text(tmp_path: Path) -> None:
    assert given(tmp_path, TEXT.index("0123"), 8, CALLED) == {"text": "89", "from": 8, "left": 0}


@pytest.mark.parametrize(("place", "owner"), [(5, ANN), (1, ANN._replace(principal="bob")), (1, ANN._replace(run="x"))])
def test_what_is_not_kept_for_the_caller_is_not_there(tmp_path: Path, place: int, owner: Owner) -> None:
    with pytest.raises(Refusal) as caught:
        given(tmp_path, place, None, CALLED, owner)
    assert caught.value.code == "unknown_rest"


@pytest.mark.parametrize(("way", "code"), [(ASKED, "bad_request"), (CALLED, "schema_violation")])
def test_there_is_nothing_behind_the_end(tmp_path: Path, way: str, code: str) -> None:
    with pytest.raises(Refusal) as caught:
        given(tmp_path, TEXT.index("0123"), 99, way)
    assert caught.value.code == code
