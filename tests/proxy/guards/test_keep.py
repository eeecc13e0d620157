"""What is kept of calls with effects, through the real door: the undo, the letter, and neither without need."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy.effects import keepsakes
from proxy.effects.keepsakes import Keepsakes, Letter, Undoing
from proxy.state import load_key
from proxy.table import open_table
from tests.wire import Answer, Stage, Wall, answering, perform, reply, staged, wall

TOOLS = """
  pay:
    says: Pay.
    call: POST /pay
    args: {order: {type: string}}
    effect: write
    reply: {drop: [id]}
    undo: {tool: cancel, with: {id: reply.id}}
  open:
    says: Open.
    call: POST /open
    args: {order: {type: string}}
    effect: write
    undo: {tool: cancel, with: {id: args.order}}
  chat: {says: Chat., call: POST /chat, args: {order: {type: string}}, effect: write, repeatable: true}
  cancel: {says: Cancel., call: 'DELETE /r/{id}', args: {id: {type: string}}, effect: write}
  get: {says: Read., call: GET /get}
"""
PAID = reply(b'{"id":"r-4711","state":"paid"}')


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("keep"), TOOLS, once=True) as stage:
        yield stage


async def kept(w: Wall, call: str) -> tuple[Undoing | None, Letter | None]:
    """What the table has of a call."""
    store = open_table(w.folder / "state", lambda: load_key("", w.folder / "state", {}))
    table = Keepsakes(lambda: store)
    table.open()
    try:
        return await table.undo_of(call), await table.letter_of(call)
    finally:
        store.close()


async def done(w: Wall, path: str, answer: Answer, **args: Any) -> tuple[Any, Undoing | None, Letter | None]:
    w.backend.answer = answer
    told = await w.tell("POST", f"/crm/{path}", json.dumps(args).encode(), [("Authorization", "Bearer t-4712")])
    found = await kept(w, told.record["call"])
    if told.record["executed"] == "unknown":  # nobody waits for what is kept then
        wanted = (path == "open", True)
        async with asyncio.timeout(5):
            while tuple(each is not None for each in found) != wanted:
                await asyncio.sleep(0.02)
                found = await kept(w, told.record["call"])
    return (told, *found)


def test_the_undo_has_what_the_agent_never_saw_and_its_record_names_it(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        told, undo, letter = await done(w, "pay", answering(PAID), order="a")
        assert told.reply.json == {"state": "paid"}
        assert undo is not None
        assert (undo.tool, undo.arguments, letter) == ("crm.cancel", {"id": "r-4711"}, None)
        assert ("authorization", "Bearer t-4712") in undo.brought.headers
        assert told.record["undo"] == "crm.cancel"
        assert "keep" in told.record["checks"]
        assert b"4711" not in w.ledger()

    desk.run(play)


def test_a_compressed_answer_is_read(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        raw = reply(gzip.compress(b'{"id":"r-5"}'), "Content-Encoding: gzip")
        _, undo, _ = await done(w, "pay", answering(raw), order="gz")
        assert undo is not None
        assert undo.arguments == {"id": "r-5"}

    desk.run(play)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (reply(b'{"id":null}'), "it gives null"),
        (reply(b"paid", kind="text/plain"), "the answer is no JSON"),
        (reply(b'{"id":1,"id":2}'), "no JSON that everybody reads alike"),
        (reply(b"{", kind="application/json"), "no JSON that everybody reads alike"),
        (reply(b"[]"), "asks for what is not there"),
    ],
)
def test_an_answer_that_does_not_tell_is_noted_and_passes_as_it_would(desk: Stage, raw: bytes, why: str) -> None:
    async def play(w: Wall) -> None:
        told, undo, _ = await done(w, "pay", answering(raw), order=raw.decode()[-20:])
        assert undo is None
        assert "undo" not in told.record
        assert any(note.startswith("undo: it is not kept") and why in note for note in told.record["notes"])
        assert told.record["executed"] == "yes"

    desk.run(play)


@pytest.mark.parametrize("status", ["400 Bad", "404 No", "409 No", "429 No"])
def test_of_what_was_not_done_nothing_is_kept(desk: Stage, status: str) -> None:
    async def play(w: Wall) -> None:
        told, undo, letter = await done(w, "pay", answering(reply(b'{"id":"r"}', status=status)), order=status)
        assert (undo, letter, "undo" in told.record) == (None, None, False)

    desk.run(play)


@pytest.mark.parametrize("raw", [None, reply(b"{}", status="500 No")])
@pytest.mark.parametrize("path", ["pay", "chat"])
def test_of_what_nobody_knows_the_call_is_kept(desk: Stage, path: str, raw: bytes | None) -> None:
    async def play(w: Wall) -> None:
        told, undo, letter = await done(w, path, answering(raw), order=f"lost {raw!r}")
        assert (undo, told.record["executed"]) == (None, "unknown")
        assert letter is not None
        assert (letter.tool, letter.same) == (f"crm.{path}", told.record["arguments_hash"])
        assert letter.outgoing.body == told.reached[0].partition(b"\r\n\r\n")[2]
        assert ("authorization", "Bearer t-4712") in letter.outgoing.headers

    desk.run(play)


def test_an_undo_that_needs_no_answer_is_kept_of_what_nobody_knows(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        _, undo, letter = await done(w, "open", answering(None), order="x")
        assert undo is not None
        assert undo.arguments == {"id": "x"}
        assert letter is not None

    desk.run(play)


def test_of_a_read_and_of_a_repeat_nothing_is_kept(desk: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = answering(None)
        read = await w.tell("GET", "/crm/get")
        assert await kept(w, read.record["call"]) == (None, None)
        await done(w, "pay", answering(PAID), order="again")
        told, undo, letter = await done(w, "pay", answering(PAID), order="again")
        assert (told.reached, undo, letter) == ([], None, None)

    desk.run(play)


def test_without_room_for_its_undo_nothing_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, answer=answering(PAID), once=True) as w:
            monkeypatch.setattr(keepsakes, "LEAST_ROOM", 1.1)
            full = await w.tell("POST", "/crm/pay", b'{"order":"a"}')
            assert (full.reply.status, full.reply.json["code"], full.reached) == (429, "limit_reached", [])
            assert full.reply.json["executed"] == "no"
            assert (await w.tell("POST", "/crm/chat", b'{"order":"a"}')).reply.status == 200

    perform(play())
