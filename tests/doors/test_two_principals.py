"""Two principals never share a cookie, what a connection was proved to be, an answer, a budget or a run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from tests.wire import Stage, Wall, answering, reply, staged

TOOLS = """
  get: {says: Read one., call: "GET /things/{id}", args: {id: {type: integer}}, cache: {for: 1m}}
  now: {says: Read now., call: "GET /now/{id}", args: {id: {type: integer}}}
  paid: {says: Read for money., call: "GET /paid/{id}", args: {id: {type: integer}}, price: 1 EUR}
"""
POLICY = """
budgets: {each-one: {per: agent, each: day, money: 2 EUR}}
rules:
  - {id: reads, allow: [crm.get, crm.now]}
  - {id: pays, allow: crm.paid, require: {budget: [each-one]}}
"""
KEYS = {name: "twk_" + name * 43 for name in "ab"}
LISTED = ", ".join(
    f"{{id: {name}, agent: {name}, sha256: {hashlib.sha256(key.encode()).hexdigest()}}}" for name, key in KEYS.items()
)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A sidecar of two agents."""
    folder = tmp_path_factory.mktemp("both")
    with staged(folder, TOOLS, policy=POLICY, identity=f"{{api_keys: [{LISTED}]}}", listener="") as stage:
        yield stage


def as_(name: str, *more: tuple[str, str]) -> list[tuple[str, str]]:
    return [("Toolwall-Key", KEYS[name]), *more]


def test_a_cookie_that_a_backend_sets_is_kept_for_nobody(both: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = answering(reply(b"{}", "Set-Cookie: session=of-a; Path=/"))
        await w.tell("GET", "/crm/now/1", headers=as_("a"))
        w.backend.answer = answering(reply())
        for name in "ba":
            told = await w.tell("GET", "/crm/now/2", headers=as_(name))
            assert b"cookie" not in told.reached[0].lower()
            assert b"of-a" not in told.reached[0]

    both.run(play)


@pytest.mark.parametrize(("scheme", "last"), [("NTLM", 61), ("Negotiate", 62), ("negotiate", 63)])
def test_a_connection_that_somebody_may_have_been_proved_on_is_nobody_elses(
    both: Stage, scheme: str, last: int
) -> None:
    async def play(w: Wall) -> None:
        await w.tell("GET", "/crm/now/3", headers=as_("a"))
        before = len(w.backend.seen)
        await w.tell("GET", "/crm/now/4", headers=as_("a"))
        assert len(w.backend.seen) == before  # others are used again
        await w.tell("GET", "/crm/now/5", headers=as_("a", ("Authorization", f"{scheme} TlRMTVNTUAAD")))
        told = await w.tell("GET", f"/crm/now/{last}", headers=as_("b"))
        assert told.reply.status == 200
        assert len(w.backend.seen) == before + 1
        assert f"/now/{last}".encode() not in w.backend.seen[before - 1]

    both.run(play)


def test_an_answer_that_is_kept_is_one_principals(both: Stage) -> None:
    async def play(w: Wall) -> None:
        w.backend.answer = answering(reply(b'{"of":"a"}'))
        assert (await w.tell("GET", "/crm/things/7", headers=as_("a"))).reply.json == {"of": "a"}
        w.backend.answer = answering(reply(b'{"of":"b"}'))
        assert (await w.tell("GET", "/crm/things/7", headers=as_("b"))).reply.json == {"of": "b"}
        told = await w.tell("GET", "/crm/things/7", headers=as_("a"))
        assert (told.reply.json, told.reached) == ({"of": "a"}, [])
        w.backend.answer = answering(reply())

    both.run(play)


def test_what_one_spends_the_other_has_not(both: Stage) -> None:
    async def play(w: Wall) -> None:
        statuses = [(await w.tell("GET", f"/crm/paid/{at}", headers=as_("a"))).reply.status for at in range(3)]
        assert statuses == [200, 200, 429]
        assert (await w.tell("GET", "/crm/paid/9", headers=as_("b"))).reply.status == 200

    both.run(play)


def test_a_run_of_one_name_is_two(both: Stage) -> None:
    async def play(w: Wall) -> None:
        for name in "ab":
            told = await w.tell("GET", "/crm/now/8", headers=as_(name, ("Toolwall-Run", "same")))
            assert (told.record["principal"], told.record["run"], told.record["step"]) == (name, "same", 1)

    both.run(play)
