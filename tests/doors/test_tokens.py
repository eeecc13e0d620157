"""Callers that bring a token: exactly the good ones pass, and none of it reaches a backend."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import time
from typing import Any

import pytest

from tests.issuer import AUDIENCE, ISSUER, ec_key, jwks, public, rsa_key, token, wrong_tokens
from tests.wire import Stage, Told, Wall, perform, staged, wall

TOOLS = """
  get: {says: Read one., call: "GET /things/{id}", args: {id: {type: integer}}}
  put: {says: Write one., call: POST /things, args: {name: {type: string}}, effect: write}
  own: {says: Read own ones., call: "GET /own/{tenant}", args: {tenant: {type: string}}}
  pay: {says: Pay., call: POST /payments, args: {name: {type: string}}, effect: write}
"""
POLICY = """
rules:
  - {id: readers, allow: crm.get, to: {roles: [reader]}}
  - {id: writers, allow: crm.put, to: {roles: [writer]}}
  - {id: own, allow: crm.own, when: 'principal.claims.tenant == args.tenant && principal.chain.size() < 3'}
  - {id: all-may-pay, allow: crm.pay, to: {roles: [payer], whole_chain: true}}
"""
PATHS = ["/crm/things/7", "/crm/nothing", "/", "/.toolwall/tools", "/.toolwall/rest/x"]


def issuer(folder: Path, **more: Any) -> dict[str, Any]:
    (folder / "jwks.json").write_bytes(jwks(public(rsa_key("one"), "one"), public(ec_key("ec"), "ec")))
    return {"issuer": ISSUER, "audience": AUDIENCE, "keys": "file:jwks.json", **more}


def bearer(made: str) -> list[tuple[str, str]]:
    return [("Authorization", f"Bearer {made}")]


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A sidecar that asks for tokens."""
    folder = tmp_path_factory.mktemp("tokens")
    one = issuer(
        folder, user="email", claims=["tenant"], actors={"agent-7": ["payer"], "agent-8": ["reader"]}, most_chain=3
    )
    with staged(folder, TOOLS, policy=POLICY, identity=json.dumps({"jwt": [one]}), listener="") as stage:
        yield stage


def refused(told: Told) -> None:
    assert (told.reply.status, told.reply.json["code"], told.reply.json["executed"]) == (401, "unauthenticated", "no")
    assert 'Bearer realm="toolwall"' in told.reply.headers["www-authenticate"]
    assert told.reached == []
    assert not {"principal", "roles", "tool", "run"} & told.record.keys()


@pytest.mark.parametrize("name", wrong_tokens())
def test_who_brings_no_good_token_is_nobody(tokens: Stage, name: str) -> None:
    made = bearer(wrong_tokens()[name])

    async def play(w: Wall) -> None:
        for path in PATHS:
            refused(told := await w.tell("GET", path, headers=made))
            assert "ann" not in told.reply.json["detail"]

    tokens.run(play)


def others() -> dict[str, list[tuple[str, str]]]:
    """What is no token, by name; made when it is sent, for tokens end."""
    return {
        "nothing": [],
        "basic": [("Authorization", "Basic YW5uOnNlY3JldA==")],
        "no scheme": [("Authorization", token())],
        "another scheme": [("Authorization", f"Token {token()}")],
        "empty": [("Authorization", "")],
        "two in one": [("Authorization", f"Bearer {token()}, Bearer {token()}")],
        "a cookie": [("Cookie", f"access_token={token()}")],
        "a header of proxies": [("Proxy-Authorization", f"Bearer {token()}")],
        "a key": [("Toolwall-Key", "twk_" + "a" * 43)],
        "a key and a token": [("Toolwall-Key", "twk_" + "a" * 43), *bearer(token())],
        "a delegation that nobody reads": [*bearer(token()), ("Toolwall-Delegation", token())],
        "a name": [("X-Forwarded-User", "ann"), ("X-Auth-Request-User", "ann"), ("Toolwall-Principal", "jwt:ann")],
    }


@pytest.mark.parametrize("name", others())
def test_what_is_no_token_is_nobody(tokens: Stage, name: str) -> None:
    made = others()[name]

    async def play(w: Wall) -> None:
        for path in PATHS:
            refused(await w.tell("GET", path, headers=made))

    tokens.run(play)


def test_a_token_in_the_query_is_no_credential(tokens: Stage) -> None:
    async def play(w: Wall) -> None:
        refused(await w.tell("GET", f"/crm/things/7?access_token={token()}"))

    tokens.run(play)


def test_two_authorizations_are_an_ambiguity(tokens: Stage) -> None:
    async def play(w: Wall) -> None:
        told = await w.tell("GET", "/crm/things/7", headers=bearer(token()) + bearer(token(sub="bob")))
        assert (told.reply.status, told.reached) == (400, [])

    tokens.run(play)


def good() -> dict[str, str]:
    """Every way in which a token is good, by name."""
    return {
        "RS256": token(),
        "ES256": token(ec_key("ec"), "ec", "ES256"),
        "several audiences": token(aud=["other", AUDIENCE]),
        "no kid, and one key that fits": token(kid=None),
        "just expired, within the leeway": token(exp=int(time()) - 1),
        "roles as words": token(roles="reader other"),
    }


@pytest.mark.parametrize("name", good())
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_good_token_is_its_subject_and_goes_no_further(tokens: Stage, name: str, scheme: str) -> None:
    made = good()[name]

    async def play(w: Wall) -> None:
        for _ in range(2):  # the second time it is known
            told = await w.tell("GET", "/crm/things/7", headers=[("AUTHORIZATION", f"{scheme} {made}")])
            assert (told.reply.status, told.record["principal"]) == (200, "jwt:ann")
            assert "reader" in told.record["roles"]
            assert b"authorization" not in told.reached[0].lower()
            assert made.encode() not in told.reached[0]
            assert made[-40:] not in json.dumps(told.record)
        told = await w.tell("POST", "/crm/things", b'{"name": "a"}', headers=bearer(made))
        assert (told.reply.status, told.reached) == (403, [])

    tokens.run(play)


def test_identity_headers_make_nobody_else_of_a_token(tokens: Stage) -> None:
    async def play(w: Wall) -> None:
        for name in ("X-Forwarded-User", "x-forwarded-user", "X-User-Id", "Toolwall-Principal", "From"):
            twins = [(name, "bob"), (name.lower(), "writer"), *bearer(token())]
            told = await w.tell("GET", "/crm/things/7", headers=twins)
            assert (told.reply.status, told.record["principal"], told.record["roles"]) == (200, "jwt:ann", ["reader"])
            assert b"bob" not in told.reached[0]

    tokens.run(play)


def test_claims_are_facts_and_a_missing_one_grants_nothing(tokens: Stage) -> None:
    async def play(w: Wall) -> None:
        for made, tenant, status in (
            (token(tenant="acme"), "acme", 200),
            (token(tenant="acme"), "other", 403),
            (token(), "acme", 403),
            (token(tenant=["acme"]), "acme", 403),
            (token(tenant="acme", act={"sub": "agent-7"}), "acme", 200),
            (token(tenant="acme", act={"sub": "agent-7", "act": {"sub": "agent-8"}}), "acme", 403),
        ):
            told = await w.tell("GET", f"/crm/own/{tenant}", headers=bearer(made))
            assert told.reply.status == status
            assert bool(told.reached) is (status == 200)

    tokens.run(play)


def test_a_chain_is_told_from_the_user_to_who_acts_now(tokens: Stage) -> None:
    async def play(w: Wall) -> None:
        made = token(sub="ann/x", act={"sub": "agent-7", "act": {"sub": "agent-8"}})
        record = (await w.tell("GET", "/crm/things/7", headers=bearer(made))).record
        assert record["chain"] == ["ann/x", "agent-8", "agent-7"]
        assert (record["user"], record["agent"]) == ("ann/x", "agent-7")
        assert record["principal"] == "jwt:ann%2Fx/agent-8/agent-7"

    tokens.run(play)


def test_the_rights_of_a_chain_are_those_that_all_have_where_rules_say_so(tokens: Stage) -> None:
    async def play(w: Wall) -> None:
        for roles, act, status in (
            (["payer"], None, 200),
            (["payer"], {"sub": "agent-7"}, 200),
            (["reader"], {"sub": "agent-7"}, 403),
            (["payer"], {"sub": "agent-8"}, 403),
            (["payer"], {"sub": "nobody-knows"}, 403),
            (["payer"], {"sub": "agent-7", "act": {"sub": "agent-8"}}, 403),
        ):
            made = token(roles=roles, act=act)
            told = await w.tell("POST", "/crm/payments", b'{"name": "%d"}' % status, headers=bearer(made))
            assert (told.reply.status, bool(told.reached)) == (status, status == 200)

    tokens.run(play)


def test_two_agents_of_one_user_share_no_run(tokens: Stage) -> None:
    async def play(w: Wall) -> None:
        steps = []
        for act in ({"sub": "agent-7"}, {"sub": "agent-8"}, None):
            made = token(sub="runner", act=act)
            told = await w.tell("GET", "/crm/things/7", headers=[*bearer(made), ("Toolwall-Run", "r1")])
            steps.append((told.record["run"], told.record["step"]))
        assert steps == [("r1", 1)] * 3

    tokens.run(play)


def test_a_key_that_the_issuer_gave_up_ends_what_it_had_signed(tmp_path: Path) -> None:
    one = issuer(tmp_path)

    async def play(w: Wall) -> None:
        assert (await w.tell("GET", "/crm/things/7", headers=bearer(token()))).reply.status == 200
        (tmp_path / "jwks.json").write_bytes(jwks(public(rsa_key("two"), "two")))
        for _ in range(40):
            await asyncio.sleep(0.1)
            told = await w.tell("GET", "/crm/things/7", headers=bearer(token()))
            if told.reply.status == 401:
                break
        refused(told)
        told = await w.tell("GET", "/crm/things/7", headers=bearer(token(rsa_key("two"), "two")))
        assert told.reply.status == 200

    with staged(tmp_path, TOOLS, policy=POLICY, identity=json.dumps({"jwt": [one]}), listener="") as stage:
        stage.run(play)


def test_without_any_key_nothing_is_said_of_a_token(tmp_path: Path) -> None:
    one = issuer(tmp_path)
    (tmp_path / "jwks.json").unlink()

    async def play(w: Wall) -> None:
        told = await w.tell("GET", "/crm/things/7", headers=bearer(token()))
        assert (told.reply.status, told.reply.json["code"], told.reached) == (500, "internal", [])
        refused(await w.tell("GET", "/crm/things/7", headers=bearer(token(iss="https://evil.example"))))

    with staged(tmp_path, TOOLS, policy=POLICY, identity=json.dumps({"jwt": [one]}), listener="") as stage:
        stage.run(play)


DELEGATED: Mapping[str, tuple[dict[str, Any], int]] = {
    "made out by act": ({"sub": "ann", "act": {"sub": "bot"}}, 200),
    "made out by may_act": ({"sub": "ann", "may_act": {"sub": "bot"}}, 200),
    "through another": ({"sub": "ann", "act": {"sub": "bot", "act": {"sub": "planner"}}}, 200),
    "to nobody": ({"sub": "ann"}, 401),
    "to another": ({"sub": "ann", "act": {"sub": "other"}}, 401),
    "to another now": ({"sub": "ann", "act": {"sub": "other", "act": {"sub": "bot"}}}, 401),
    "may to another": ({"sub": "ann", "may_act": {"sub": "other"}}, 401),
    "may, and names nobody": ({"sub": "ann", "may_act": {"sub": ""}}, 401),
    "may, and another does": ({"sub": "ann", "may_act": {"sub": "bot"}, "act": {"sub": "other"}}, 401),
    "expired": ({"sub": "ann", "act": {"sub": "bot"}, "exp": 1}, 401),
    "for another audience": ({"sub": "ann", "act": {"sub": "bot"}, "aud": "other"}, 401),
}


@pytest.fixture(scope="module")
def delegating(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A sidecar of one agent, which says for whom it acts."""
    folder = tmp_path_factory.mktemp("delegating")
    who = {"static": {"id": "bot", "roles": ["reader", "payer"]}, "delegation": [issuer(folder)]}
    with staged(folder, TOOLS, policy=POLICY, identity=json.dumps(who), listener="") as stage:
        yield stage


@pytest.mark.parametrize(("said", "status"), DELEGATED.values(), ids=DELEGATED)
def test_a_delegation_counts_for_whom_it_is_made_out_to(delegating: Stage, said: dict[str, Any], status: int) -> None:
    async def play(w: Wall) -> None:
        made = token(**said)
        told = await w.tell("GET", "/crm/things/7", headers=[("Toolwall-Delegation", made)])
        assert told.reply.status == status
        if status == 401:
            assert (told.reached, told.record.get("principal")) == ([], None)
            return
        assert told.record["principal"].startswith("bot for jwt:ann")
        assert (told.record["user"], told.record["agent"], told.record["chain"][-1]) == ("ann", "bot", "bot")
        assert b"delegation" not in told.reached[0].lower()
        assert made.encode() not in told.reached[0]

    delegating.run(play)


def test_roles_of_a_delegated_call_are_the_agents_and_the_chain_has_both(delegating: Stage) -> None:
    async def play(w: Wall) -> None:
        for roles, status in ((["payer"], 200), (["reader"], 403)):
            made = token(sub="ann", act={"sub": "bot"}, roles=roles)
            headers = [("Toolwall-Delegation", made)]
            told = await w.tell("POST", "/crm/payments", b'{"name": "%d"}' % status, headers=headers)
            assert (told.reply.status, bool(told.reached)) == (status, status == 200)
        told = await w.tell("POST", "/crm/payments", b'{"name": "alone"}')
        assert (told.reply.status, told.record["principal"]) == (200, "bot")

    delegating.run(play)


def batch(*calls: dict[str, Any]) -> bytes:
    return json.dumps({"calls": list(calls)}).encode()


def test_a_batch_is_its_callers_and_none_of_its_calls_is_somebody_elses(tokens: Stage) -> None:
    async def play(w: Wall) -> None:
        path, json_ = "/.toolwall/batch", ("Content-Type", "application/json")
        call = {"method": "GET", "path": "/crm/things/7"}
        reply = await w.call("POST", path, batch(call, call), headers=[json_, *bearer(token())])
        assert [each["status"] for each in reply.json["answers"]] == [200, 200]
        assert {record["principal"] for record in w.news()} == {"jwt:ann"}
        assert all(b"authorization" not in each.lower() for each in w.backend.seen)
        for name in ("Authorization", "Toolwall-Delegation", "Toolwall-Key"):
            inner = {**call, "headers": {name: f"Bearer {token(sub='bob')}"}}
            told = await w.tell("POST", path, batch(inner), headers=[json_, *bearer(token())])
            assert (told.reply.status, told.reached) == (400, [])
        refused(await w.tell("POST", path, batch(call), headers=[json_, *bearer(token(exp=1))]))
        refused(await w.tell("POST", path, batch(call), headers=[json_, ("Toolwall-Delegation", token())]))

    tokens.run(play)


@pytest.mark.parametrize("name", ["Toolwall-Key", "Toolwall-Delegation"])
def test_who_is_let_in_without_a_credential_is_not_with_one_that_nobody_reads(tmp_path: Path, name: str) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, policy=POLICY, identity="{static: {id: bot, roles: [reader]}}") as w:
            assert (await w.tell("GET", "/crm/things/7")).reply.status == 200
            told = await w.tell("GET", "/crm/things/7", headers=[(name, token())])
            assert (told.reply.status, told.reached, told.record.get("principal")) == (401, [], None)

    perform(play())
