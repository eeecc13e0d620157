"""Callers that act for somebody, by a token beside their own credential: they stay who they are, and so do others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.stops import revoked
from proxy.stops.halts import Mark
from tests.doors.test_injected_tokens import exchanging, sent
from tests.doors.test_tokens import POLICY, TOOLS, bearer, issuer, refused
from tests.issuer import AUDIENCE, jwks, public, rsa_key, token
from tests.wire import Stage, Wall, perform, staged, wall


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A sidecar whose callers are known by tokens, and say by others for whom they act."""
    folder = tmp_path_factory.mktemp("both")
    who = {"jwt": [issuer(folder)], "delegation": [issuer(folder)]}
    with staged(folder, TOOLS, policy=POLICY, identity=json.dumps(who), listener="") as stage:
        yield stage


def test_a_delegation_gives_a_caller_nothing_that_another_of_its_tokens_had(both: Stage) -> None:
    async def play(w: Wall) -> None:
        delegation = [("Toolwall-Delegation", token(sub="ann", act={"sub": "jwt:bot"}))]
        for roles, status in ((["reader"], 200), ([], 403), (["reader"], 200), (["writer"], 403)):
            told = await w.tell("GET", "/crm/things/7", headers=[*bearer(token(sub="bot", roles=roles)), *delegation])
            assert (told.reply.status, bool(told.reached)) == (status, status == 200), roles
            assert told.record.get("roles", []) == roles

    both.run(play)


def test_who_acts_for_whom_is_told_apart_by_the_id(both: Stage) -> None:
    async def play(w: Wall) -> None:
        acting = token(sub="bot", act={"sub": "planner"})
        for_planner = token(sub="planner", act={"sub": "jwt:bot"})
        one = await w.tell("GET", "/crm/things/7", headers=bearer(acting))
        two = await w.tell(
            "GET", "/crm/things/7", headers=[*bearer(token(sub="bot")), ("Toolwall-Delegation", for_planner)]
        )
        assert (one.reply.status, two.reply.status) == (200, 200)
        assert (one.record["principal"], two.record["principal"]) == ("jwt:bot/planner", "jwt:bot for jwt:planner")
        long = token(sub="\u4e00" * 120)
        refused(await w.tell("GET", "/crm/things/7", headers=bearer(long)))  # an id that no list of ids could hold

    both.run(play)


def test_who_is_revoked_acts_for_nobody_either(tmp_path: Path) -> None:
    who = {"static": {"id": "bot", "roles": ["reader"]}, "delegation": [issuer(tmp_path)]}

    async def play() -> None:
        async with wall(tmp_path, TOOLS, policy=POLICY, identity=json.dumps(who)) as w:
            for_ann = [("Toolwall-Delegation", token(sub="ann", act={"sub": "bot"}))]
            for_bob = [("Toolwall-Delegation", token(sub="bob", act={"sub": "bot"}))]
            for mark, left in ((Mark("bot for jwt:ann", ""), [[], for_bob]), (Mark("bot", ""), [])):
                revoked.revoke(tmp_path / "state", mark, "")
                while mark not in w.sidecar.firewall.halts.marks:
                    await asyncio.sleep(0.02)
                for headers in ([], for_ann, for_bob):
                    told = await w.tell("GET", "/crm/things/7", headers=headers)
                    passed = headers in left
                    assert (told.reply.status, bool(told.reached)) == (200 if passed else 403, passed)

    perform(play())


def test_what_rules_say_of_a_caller_holds_for_whomever_it_acts(tmp_path: Path) -> None:
    who = {"static": {"id": "bot", "roles": ["reader", "writer"]}, "delegation": [issuer(tmp_path)]}
    policy = (
        POLICY
        + """
  - {id: not-this-one, deny: crm.put, to: {principals: [bot]}}
  - {id: this-one, allow: crm.own, to: {principals: [bot]}}
  - {id: not-for-bob, deny: crm.own, to: {principals: [bot for jwt:bob]}}
"""
    )

    async def play() -> None:
        async with wall(tmp_path, TOOLS, policy=policy, identity=json.dumps(who)) as w:
            for user, status in (("", 200), ("ann", 200), ("bob", 403)):
                made = token(sub=user, act={"sub": "bot"})
                headers = [("Toolwall-Delegation", made)] if user else []
                told = await w.tell("POST", "/crm/things", b'{"name": "a"}', headers)
                assert (told.reply.status, told.reached) == (403, [])
                assert (await w.tell("GET", "/crm/own/x", headers=headers)).reply.status == status

    perform(play())


def test_calls_of_a_batch_are_made_with_what_is_exchanged_for_its_caller(tmp_path: Path) -> None:
    delegation = ("Toolwall-Delegation", token(sub="ann", act={"sub": "jwt:bot"}))
    own = [*bearer(token(sub="bot")), ("Content-Type", "application/json")]
    one, call = issuer(tmp_path), {"method": "GET", "path": "/crm/things"}

    async def play() -> None:
        async with exchanging(tmp_path, {"jwt": [one], "delegation": [one]}) as (w, idp):
            for headers in (own, [*own, delegation]):
                alone = await w.tell("GET", "/crm/things", headers=headers)
                before = len(w.backend.requests)
                batch = json.dumps({"calls": [call, call]}).encode()
                reply = await w.call("POST", "/.toolwall/batch", batch, headers)
                assert [each["status"] for each in reply.json["answers"]] == [200, 200]
                made = [sent(each) for each in w.backend.requests[before:]]
                assert made == [sent(alone.reached[0])] * 2
                assert len(made[0]) == 1
            assert len(idp.requests) == 2

    perform(play())


def test_a_user_of_one_issuer_is_nobody_of_another(tmp_path: Path) -> None:
    (tmp_path / "two.json").write_bytes(jwks(public(rsa_key("two"), "two")))
    other = {"issuer": "https://b.example", "audience": AUDIENCE, "keys": "file:two.json", "prefix": "b:"}
    who = {"static": {"id": "bot", "roles": ["reader"]}, "delegation": [issuer(tmp_path), other]}
    said = {"sub": "ann", "act": {"sub": "bot"}}

    async def play() -> None:
        async with wall(tmp_path, TOOLS, policy=POLICY, identity=json.dumps(who)) as w:
            ids = []
            for made in (token(**said), token(rsa_key("two"), "two", iss="https://b.example", **said)):
                told = await w.tell("GET", "/crm/things/7", headers=[("Toolwall-Delegation", made)])
                assert told.reply.status == 200
                ids.append((told.record["principal"], told.record["run"]))
            assert [id for id, _ in ids] == ["bot for jwt:ann", "bot for b:ann"]
            assert ids[0][1] != ids[1][1]

    perform(play())
