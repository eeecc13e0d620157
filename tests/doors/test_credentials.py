"""The caller's own credential passes in the slots that the backend declares: there alone, and seen by nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wire import Stage, Wall, staged

TOOLS = """
  find: {call: GET /things, args: {q: {type: string, optional: true}}}
  send: {call: POST /things, args: {q: {type: string}}, effect: write}
"""
SLOTS = """credential:
  - {send: bearer, from: caller}
  - {send: {header: X-Api-Key}, from: caller}
  - {send: {query: api_key}, from: caller}
  - {send: {cookie: sid}, from: caller}
"""
CANARY = "canary-8Zq2VwX0pLm4"


@pytest.fixture(scope="module")
def slotted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("slots"), TOOLS, backend_keys=SLOTS) as stage:
        yield stage


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    keys = "credential: {send: {header: Authorization}, from: caller}"
    with staged(tmp_path_factory.mktemp("keyed"), TOOLS, backend_keys=keys) as stage:
        yield stage


def test_each_slot_passes_and_is_no_argument(slotted: Stage) -> None:
    async def play(w: Wall) -> None:
        headers = [
            ("Authorization", f"Bearer {CANARY}"),
            ("X-Api-Key", CANARY),
            ("Cookie", f"other=1; sid={CANARY}"),
            ("X-Other", "x"),
        ]
        told = await w.tell("GET", f"/crm/things?q=a&api_key={CANARY}", headers=headers)
        assert told.reply.status == 200, told.reply.body
        [request] = told.reached
        assert request.startswith(f"GET /api/things?q=a&api_key={CANARY} HTTP/1.1\r\n".encode())
        for line in (f"authorization: Bearer {CANARY}", f"x-api-key: {CANARY}", f"cookie: sid={CANARY}"):
            assert f"\r\n{line}\r\n".encode() in request
        assert b"other" not in request.lower()
        plain = await w.tell("GET", "/crm/things?q=a")
        assert plain.record["arguments_hash"] == told.record["arguments_hash"]
        assert CANARY.encode() not in w.ledger()
        assert CANARY not in str(told.record)

    slotted.run(play)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/things?api_key=x&api_key=x", [], 400),
        ("/things?api_key=x&api%5Fkey=x", [], 400),
        ("/things", [("X-Api-Key", "x"), ("x-api-key", "x")], 400),
        ("/things", [("Authorization", "Bearer x"), ("Authorization", "Bearer x")], 400),
        ("/things", [("Cookie", "sid=x; sid=x")], 400),
        ("/things", [("Cookie", "sid=x role=admin")], 400),
        ("/things", [("Cookie", "sid=x\trole=admin")], 400),
        ("/things?api-key=x", [], 422),
        ("/things?sid=x", [], 422),
    ],
)
def test_what_is_given_twice_or_elsewhere_is_refused(
    slotted: Stage, path: str, headers: list[tuple[str, str]], status: int
) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell("GET", f"/crm{path}", headers=headers)
        assert (told.reply.status, told.reached) == (status, [])

    slotted.run(play)


def test_a_refusal_tells_nothing_of_a_credential(slotted: Stage) -> None:
    async def play(w: Wall) -> None:
        headers = [("X-Api-Key", CANARY), ("Authorization", f"Bearer {CANARY}")]
        told = await w.tell("GET", f"/crm/things?api_key={CANARY}&zz=1", headers=headers)
        assert told.reply.status == 422
        assert CANARY.encode() not in told.reply.raw + w.ledger()

    slotted.run(play)


def test_a_slot_of_the_query_is_none_of_the_body(slotted: Stage) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell("POST", "/crm/things", b'{"q":"a","api_key":"x"}')
        assert (told.reply.status, told.reached) == (422, [])
        assert (await w.tell("POST", "/crm/things?api_key=x", b'{"q":"a"}')).reply.status == 200

    slotted.run(play)


@pytest.mark.parametrize("value", ["Basic dTpw", "Digest x", CANARY, "bearer-x y"])
def test_an_authorization_of_another_scheme_ends_here(slotted: Stage, value: str) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell("GET", "/crm/things", headers=[("Authorization", value)])
        assert told.reply.status == 200
        assert b"authorization" not in told.reached[0].lower()

    slotted.run(play)


def test_a_bare_key_in_the_header_authorization(keyed: Stage) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell("GET", "/crm/things", headers=[("Authorization", CANARY), ("X-Api-Key", "x")])
        assert f"\r\nauthorization: {CANARY}\r\n".encode() in told.reached[0]
        assert b"x-api-key" not in told.reached[0]
        assert told.reached[0].lower().count(b"authorization") == 1

    keyed.run(play)


def test_without_slots_only_authorization_passes(tmp_path: Path) -> None:
    with staged(tmp_path, TOOLS) as stage:

        async def play(w: Wall) -> None:
            headers = [("Authorization", "Basic dTpw"), ("X-Api-Key", "x"), ("Cookie", "sid=x")]
            told = await w.tell("GET", "/crm/things", headers=headers)
            assert b"\r\nauthorization: Basic dTpw\r\n" in told.reached[0]
            assert b"x-api-key" not in told.reached[0]
            assert b"cookie" not in told.reached[0]
            assert (await w.tell("GET", "/crm/things?api_key=x")).reply.status == 422

        stage.run(play)
