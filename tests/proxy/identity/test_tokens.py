"""Tokens: what proves something, what it says of roles and names, and who acts for whom."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proxy.identity.settings import JwtSettings
from proxy.identity.tokens import BadToken, Issuers, Proof, chain, claim, name_in, roles
from rules.facts import Link
from tests.issuer import AUDIENCE, ISSUER, jwks, public, rsa_key, token, wrong_tokens

PLAIN = JwtSettings(ISSUER, (AUDIENCE,), "file:nowhere")


def proof(settings: JwtSettings = PLAIN, **said: Any) -> Proof:
    return Proof(settings, {"sub": "ann", **said}, 0.0)


@pytest.fixture
def issuers(tmp_path: Path) -> Issuers:
    """One issuer whose keys are in a file."""
    (tmp_path / "jwks.json").write_bytes(jwks(public(rsa_key("one"), "one")))
    return Issuers([replace(PLAIN, keys=f"file:{tmp_path / 'jwks.json'}")])


async def told(issuers: Issuers, made: str) -> None:
    chain(found := await issuers.prove(made))
    roles(found)
    name_in(found, "email")


def test_no_wrong_token_proves_anything_and_no_error_repeats_it(issuers: Issuers) -> None:
    async def play() -> None:
        for name, made in {**wrong_tokens(), "huge": token(pad="x" * 9000)}.items():
            with pytest.raises(BadToken) as bad:
                await told(issuers, made)
            assert not made or made[:20] not in str(bad.value), name

    asyncio.run(play())


def test_a_good_one_counts_until_its_end_and_the_leeway(issuers: Issuers) -> None:
    found = asyncio.run(issuers.prove(token(exp=2_000_000_000)))
    assert (found.claims["sub"], found.until) == ("ann", 2_000_000_030.0)


@pytest.mark.parametrize(
    ("said", "known"),
    [
        (["a", "b"], {"a", "b"}),
        ("a b", {"a", "b"}),
        ([], set()),
        (None, set()),
        ("", set()),
    ],
)
def test_roles_are_a_list_or_words(said: Any, known: set[str]) -> None:
    assert roles(proof(roles=said)) == known


@pytest.mark.parametrize("said", [7, {"a": 1}, [1], ["a", None], True])
def test_roles_of_another_form_are_no_roles_but_an_error(said: Any) -> None:
    with pytest.raises(BadToken):
        roles(proof(roles=said))


def test_roles_may_be_anywhere_and_mean_others() -> None:
    mapped = replace(PLAIN, roles="/realm_access/roles", role_map={"grp-1": frozenset({"billing", "reader"})})
    assert roles(proof(mapped, realm_access={"roles": ["grp-1", "admin"]}, roles=["root"])) == {"billing", "reader"}
    assert roles(proof(mapped, roles=["grp-1"])) == set()


def test_a_claim_is_named_or_pointed_at() -> None:
    said = {"a": {"b/c": {"~": 1}}, "https://example.org/x": 2, "/a": 3}
    assert claim(said, "/a/b~1c/~0") == 1
    assert claim(said, "https://example.org/x") == 2
    assert claim(said, "/a/nothing/more") is None
    assert claim(said, "nothing") is None


def test_a_name_is_a_short_text() -> None:
    named = replace(PLAIN, user="email")
    assert name_in(proof(named, email="ann@example.org"), "email") == "ann@example.org"
    assert name_in(proof(named), "email") == ""
    for wrong in (7, "", "a\nb", "x" * 257, ["ann"]):
        with pytest.raises(BadToken):
            name_in(proof(named, email=wrong), "email")


def test_a_chain_goes_from_the_subject_to_who_acts_now() -> None:
    known = replace(PLAIN, actors={"now": frozenset({"r"})})
    act = {"sub": "now", "act": {"sub": "before"}}
    assert chain(proof(known, roles=["own"], act=act)) == (
        Link("ann", frozenset({"own"})),
        Link("before", None),
        Link("now", frozenset({"r"})),
    )
    assert chain(proof(known)) == (Link("ann", frozenset()),)


@pytest.mark.parametrize("act", ["now", [], {}, {"sub": 7}, {"sub": ""}, {"sub": "a", "act": "b"}, False, 0])
def test_who_acts_has_to_be_named(act: Any) -> None:
    with pytest.raises(BadToken):
        chain(proof(act=act))


@pytest.mark.parametrize(("most", "depth", "good"), [(1, 0, True), (1, 1, False), (4, 3, True), (4, 4, False)])
def test_a_chain_has_a_longest_length(most: int, depth: int, good: bool) -> None:
    act: Any = None
    for each in range(depth):
        act = {"sub": f"a{each}", **({"act": act} if act else {})}
    made = proof(replace(PLAIN, most_chain=most), **({"act": act} if act else {}))
    if good:
        assert len(chain(made)) == depth + 1
    else:
        with pytest.raises(BadToken):
            chain(made)
