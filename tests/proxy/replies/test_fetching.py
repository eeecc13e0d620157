"""The rest of a shaped reply at the door: piece by piece the whole, for who got the reply and for nobody else."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy.identity.identity import digest
from tests.wire import Reply, Stage, Wall, answering, perform, reply, staged, wall

KEYS = {name: f"twk_key-of-{name}" for name in ("ann", "bob")}
IDENTITY = (
    "{api_keys: ["
    + ", ".join(f"{{id: {name}, roles: [support], sha256: {digest(key)}}}" for name, key in KEYS.items())
    + "]}"
)
TOOLS = """
  some: {call: GET /some, reply: {most: 2, longest: 10, drop: notes}}
  fit: {call: GET /fit, reply: {fit: 2KiB}}
"""
MAIL = "ann@mail.example"
LINK = re.compile(r"GET (/\.toolwall/rest/\S+?)\]?$")
ROWS = [{"id": number, "text": f'{number} é\U0001f600"\n ' * 5 + MAIL, "notes": "canary"} for number in range(7)]
CLEAN = [{"id": row["id"], "text": str(row["text"]).replace(MAIL, "<EMAIL_ADDRESS>")} for row in ROWS]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("fetching"), TOOLS, identity=IDENTITY) as stage:
        yield stage


async def get(w: Wall, path: str, who: str = "ann", run: str = "r1", method: str = "GET") -> Reply:
    return await w.call(method, path, headers=[("Toolwall-Key", KEYS[who]), *([("Toolwall-Run", run)] if run else [])])


async def some(w: Wall, run: str = "r1", body: Any = ROWS) -> Any:
    w.backend.answer = answering(reply(json.dumps(body).encode()))
    return (await get(w, "/crm/some", run=run)).json


def link(said: str) -> str:
    found = LINK.search(said)
    assert found, said
    return found[1]


async def whole(w: Wall, value: Any) -> Any:
    """The value with all that is missing in it fetched."""
    if isinstance(value, dict):
        return {name: await whole(w, each) for name, each in value.items()}
    if isinstance(value, list):
        rest = await pieces(w, link(value[-1])) if value and LINK.search(str(value[-1])) else []
        return [await whole(w, each) for each in (value[:-1] if rest else value)] + rest
    if isinstance(value, str) and (found := re.search(r"\.\.\. \[\d+ more characters?: GET (\S+)\]$", value)):
        return value[: found.start()] + "".join(await pieces(w, found[1]))
    return value


async def pieces(w: Wall, link: str) -> list[Any]:
    found: list[Any] = []
    while link:
        piece = await get(w, link)
        assert piece.status == 200, piece.body
        said = piece.json
        assert len(said.get("items", said.get("text"))) <= (2 if "items" in said else 15)
        found += [said["text"]] if "text" in said else [await whole(w, each) for each in said["items"]]
        assert bool(said["left"]) == ("next" in said)
        link = said.get("next", "").removeprefix("GET ")
    return found


def test_piece_by_piece_it_is_the_cleaned_whole(house: Stage) -> None:
    async def play(w: Wall) -> None:
        assert await whole(w, await some(w)) == CLEAN
        assert len(w.backend.requests) == 1

    house.run(play)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_it_is_only_read(house: Stage, method: str) -> None:
    async def play(w: Wall) -> None:
        answer = await get(w, link((await some(w))[-1]), method=method)
        assert (answer.status, answer.headers["allow"]) == (400, "GET")

    house.run(play)


def test_nobody_else_learns_that_there_is_anything(house: Stage) -> None:
    async def play(w: Wall) -> None:
        handle = link((await some(w))[-1])
        unknown = "/.toolwall/rest/" + "A" * 22 + "-0"
        other_place = re.sub(r"-\d+$", "-3", handle)
        answers = [
            await get(w, unknown),
            await get(w, handle, who="bob"),
            await get(w, handle, run="r2"),
            await get(w, handle, run=""),
            await get(w, other_place),
            await get(w, handle + "x"),
            await get(w, handle[:-3]),
            await get(w, "/.toolwall/rest/"),
            await get(w, "/.toolwall/rest/x/y"),
        ]
        said = {(each.status, json.dumps(each.json | {"call_id": ""}, sort_keys=True)) for each in answers}
        assert len(said) == 1
        assert (answers[0].status, answers[0].json["code"], answers[0].json["retry"]) == (404, "unknown_rest", "never")
        assert "If the call only reads, repeat it" in answers[0].json["suggestion"]
        assert (await get(w, handle)).status == 200

    house.run(play)


def test_who_is_not_known_learns_nothing(house: Stage) -> None:
    async def play(w: Wall) -> None:
        handle = link((await some(w))[-1])
        for key in ([], [("Toolwall-Key", "twk_wrong")]):
            answer = await w.call("GET", handle, headers=[*key, ("Toolwall-Run", "r1")])
            assert (answer.status, answer.json["code"]) == (401, "unauthenticated")

    house.run(play)


@pytest.mark.parametrize("query", ["?from=x", "?from=-1", "?from=1&from=2", "?page=1", "?from=", "?from=" + "9" * 13])
def test_what_cannot_be_asked_for(house: Stage, query: str) -> None:
    async def play(w: Wall) -> None:
        answer = await get(w, link((await some(w))[-1]) + query)
        assert (answer.status, answer.json["code"]) == (400, "bad_request")

    house.run(play)


def test_from_is_any_place_up_to_the_end(house: Stage) -> None:
    async def play(w: Wall) -> None:
        rows = await some(w, body=[list(range(9)), *"abc"])
        assert (await get(w, link(rows[0][-1]) + "?from=0")).json["items"] == [0, 1]
        last = (await get(w, link(rows[0][-1]) + "?from=8")).json
        assert last == {"items": [8], "from": 8, "left": 0}
        for since in (9, 10, 10**11):
            beyond = await get(w, link(rows[0][-1]) + f"?from={since}")
            assert (beyond.status, beyond.json["code"]) == (400, "bad_request")

    house.run(play)


def test_each_piece_has_its_record_and_is_no_step(house: Stage) -> None:
    async def play(w: Wall) -> None:
        handle = link((await some(w, "steps"))[-1])
        call = w.records()[-1]
        w.news()
        await get(w, handle, run="steps")
        await get(w, handle, who="bob", run="steps")
        good, bad = w.news()
        assert (good["principal"], good["run"], good["step"], good["status"]) == ("ann", "steps", 0, 200)
        assert good["notes"] == [f"the rest of what call {call['call']} gave, from place 0"]
        assert (good["decision"], good["shaped"]) == ("allow", {"items": 3, "texts": 2})
        assert (bad["principal"], bad["decision"], bad["code"]) == ("bob", "deny", "unknown_rest")
        await some(w, "steps")
        assert w.news()[-1]["step"] == 2

    house.run(play)


def test_a_piece_fits_as_the_reply_did_or_is_passed_over(house: Stage) -> None:
    async def play(w: Wall) -> None:
        wide = {f"member-{number}": number for number in range(500)}
        rows = [*({"id": number, "text": "x" * 150} for number in range(60)), wide, {"id": "last"}]
        w.backend.answer = answering(reply(json.dumps(rows).encode()))
        answer = await get(w, "/crm/fit")
        assert len(answer.body) <= 2_048
        place, seen = link(answer.json[-1]), len(answer.json) - 1
        while place:
            piece = await get(w, place)
            if piece.status != 200:
                assert (piece.status, piece.json["code"], seen) == (502, "reply_refused", 60)
                place, seen = piece.json["suggestion"].split("GET ")[1].rstrip("`."), seen + 1
                continue
            assert len(piece.body) <= 2_048
            seen += len(piece.json["items"])
            place = piece.json.get("next", "").removeprefix("GET ")
        assert seen == 62

    house.run(play)


def test_what_the_rules_no_longer_say_is_forgotten(tmp_path: Path) -> None:
    async def play() -> None:
        answer = answering(reply(json.dumps(ROWS).encode()))
        async with wall(tmp_path, TOOLS, answer=answer, identity=IDENTITY) as w:
            handle = link((await some(w))[-1])
            assert (await get(w, handle)).status == 200
            backend = tmp_path / "rules" / "crm.yaml"
            backend.write_text(backend.read_text().replace("drop: notes", "drop: [notes, text]"))
            async with asyncio.timeout(10):
                while (await get(w, handle)).status == 200:
                    await asyncio.sleep(0.05)
            assert (await get(w, handle)).json["code"] == "unknown_rest"

    perform(play())


def test_it_expires(tmp_path: Path) -> None:
    async def play() -> None:
        config = "bounds: {rest: 300ms}"
        async with wall(tmp_path, TOOLS, identity=IDENTITY, config=config) as w:
            handle = link((await some(w))[-1])
            assert (await get(w, handle)).status == 200
            await asyncio.sleep(0.35)
            assert (await get(w, handle)).json["code"] == "unknown_rest"

    perform(play())


def test_many_runs_at_once_get_their_own(house: Stage) -> None:
    async def play(w: Wall) -> None:
        async def one(number: int) -> None:
            w.backend.answer = by_path
            rows = (await get(w, "/crm/some?", run=f"run-{number}")).json
            first = await get(w, link(rows[-1]), run=f"run-{number}")
            other = await get(w, link(rows[-1]), run=f"run-{number + 1}")
            assert (first.json["items"], other.status) == (["c"], 404)

        async def by_path(_: bytes) -> bytes:
            await asyncio.sleep(0.01)
            return reply(b'["a", "b", "c"]')

        await asyncio.gather(*(one(number) for number in range(40)))

    house.run(play)
