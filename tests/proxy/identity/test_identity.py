"""Who is calling: a credential that fails is never an empty principal (S23)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import time

import pytest

from proxy.errors import Refusal
from proxy.identity import identity
from proxy.identity.identity import Identify, Identity, digest, new_key, static
from proxy.identity.settings import IdentitySettings, JwtSettings
from proxy.identity.tokens import Issuers
from proxy.model import Certificate, Hail
from rules.facts import Principal
from tests.issuer import AUDIENCE, ISSUER, jwks, public, rsa_key, token

ANN, BOB = Principal("ann", frozenset({"support"})), Principal("bob")


def of(settings: IdentitySettings) -> Identity:
    return Identity(settings, (settings.keys,), Issuers(settings.jwt), Issuers(settings.delegation))


def who(identify: Identify, **carried: object) -> Principal:
    return asyncio.run(identify(Hail("rest", "", **carried)))  # type: ignore[arg-type, return-value]


def nobody(identify: Identify, **carried: object) -> Refusal:
    with pytest.raises(Refusal) as refused:
        who(identify, **carried)
    assert refused.value.code == "unauthenticated"
    return refused.value


def test_static_is_everyone() -> None:
    assert who(static(ANN), key="whatever") is ANN


def test_a_key_is_its_principal_and_no_other() -> None:
    ann, bob = new_key(), new_key()
    identify = of(IdentitySettings(keys={digest(ann): ANN, digest(bob): BOB}))
    assert who(identify, key=ann) is ANN
    assert who(identify, key=bob) is BOB
    for wrong in (None, "", ann[:-1], ann + "x", ann.upper(), digest(ann), "Bearer " + ann):
        refused = nobody(identify, key=wrong)
        assert ann not in repr(refused) + refused.detail


def test_keys_may_stand_in_several_places() -> None:
    ann, bob = new_key(), new_key()
    places = ({digest(ann): ANN}, {digest(bob): BOB})
    identify = Identity(IdentitySettings(), places, Issuers(()), Issuers(()))
    assert (who(identify, key=ann), who(identify, key=bob)) == (ANN, BOB)


CERTIFICATE = Certificate("CN=support,O=Example", ("spiffe://example.org/agents/support/eu",), "d" * 64)

TWO = CERTIFICATE._replace(uris=(*CERTIFICATE.uris, "urn:two"))


@pytest.mark.parametrize(
    ("settings", "id"),
    [
        (IdentitySettings(subjects={CERTIFICATE.subject: ANN}), "ann"),
        (IdentitySettings(digests={CERTIFICATE.digest: ANN}), "ann"),
        (IdentitySettings(uris={CERTIFICATE.uris[0]: ANN}), "ann"),
        (IdentitySettings(uris={CERTIFICATE.uris[0]: Principal("")}), CERTIFICATE.uris[0]),
        (IdentitySettings(uris={"spiffe://example.org/*": Principal("")}), CERTIFICATE.uris[0]),
        (IdentitySettings(uris={"spiffe://example.org/*": BOB, "spiffe://example.org/agents/*": ANN}), "ann"),
        (IdentitySettings(subjects={"CN=support": ANN}), None),
        (IdentitySettings(subjects={"cn=support,o=example": ANN}), None),
        (IdentitySettings(uris={"spiffe://example.org/agents/support": ANN}), None),
        (IdentitySettings(uris={"spiffe://example.org/agents/supp/*": ANN}), None),
        (IdentitySettings(uris={"spiffe://example.or/*": ANN}), None),
        (IdentitySettings(digests={"e" * 64: ANN}), None),
        (IdentitySettings(uris={TWO.uris[0]: ANN, TWO.uris[1]: BOB}), None),
        (IdentitySettings(uris={TWO.uris[0]: ANN, TWO.uris[1]: ANN}), "ann"),
    ],
)
def test_a_certificate_names_its_principal(settings: IdentitySettings, id: str | None) -> None:
    if id is None:
        nobody(of(settings), certificate=TWO)
    else:
        assert who(of(settings), certificate=TWO).id == id
    nobody(of(settings))


def test_the_user_at_the_other_end_of_a_socket() -> None:
    identify = of(IdentitySettings(peers={1000: ANN, 0: BOB}))
    assert (who(identify, uid=1000), who(identify, uid=0)) == (ANN, BOB)
    nobody(identify, uid=1001)
    nobody(identify)


def test_what_is_carried_has_to_be_right_whatever_else_is_known_of_the_caller() -> None:
    """A wrong key is no reason to fall back to a certificate, and a second credential is none to choose."""
    key = new_key()
    identify = of(IdentitySettings(keys={digest(key): BOB}, peers={1000: ANN}, subjects={CERTIFICATE.subject: ANN}))
    assert who(identify, key=key, uid=1000, certificate=CERTIFICATE) is BOB
    for wrong in ("", new_key()):
        nobody(identify, key=wrong, uid=1000, certificate=CERTIFICATE)
    nobody(identify, bearer="a.b.c", uid=1000, certificate=CERTIFICATE)
    nobody(identify, uid=1000, certificate=CERTIFICATE._replace(subject="CN=other"))
    assert who(of(IdentitySettings(peers={1000: ANN})), uid=1000, certificate=CERTIFICATE) is ANN
    nobody(identify, key=key, bearer="a.b.c")
    nobody(identify, key=key, delegation="a.b.c")
    nobody(identify, key=key, delegation="")


def test_the_answer_says_what_the_listener_takes(tmp_path: Path) -> None:
    key = of(IdentitySettings(keys={"d": ANN}))
    assert nobody(key).headers == (("WWW-Authenticate", 'Toolwall-Key realm="toolwall"'),)
    both = of(IdentitySettings(keys={"d": ANN}, jwt=(issuer(tmp_path),)))
    assert [value.partition(" ")[0] for _, value in nobody(both).headers] == ["Bearer", "Toolwall-Key"]


def issuer(folder: Path) -> JwtSettings:
    (folder / "jwks.json").write_bytes(jwks(public(rsa_key("one"), "one")))
    return JwtSettings(ISSUER, (AUDIENCE,), f"file:{folder / 'jwks.json'}", leeway_s=0)


def test_a_token_that_was_good_ends_when_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    identify = of(IdentitySettings(jwt=(issuer(tmp_path),)))
    made, end = token(), time() + 301

    async def play() -> None:
        first = await identify(Hail("rest", "", bearer=made))
        assert await identify(Hail("rest", "", bearer=made)) is first
        monkeypatch.setattr(identity, "time", lambda: end)
        assert identify._proved.get(made) is None

    asyncio.run(play())


def test_tokens_that_are_remembered_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "MOST_KEPT", 3)
    identify = of(IdentitySettings(jwt=(issuer(tmp_path),)))

    async def play() -> None:
        for each in range(5):
            await identify(Hail("rest", "", bearer=token(sub=f"s{each}")))
        assert len(identify._proved._found) == 3
        assert made not in repr(identify._proved._found)

    made = token(sub="s4")
    asyncio.run(play())


def test_names_that_hold_a_slash_make_no_other_chain(tmp_path: Path) -> None:
    identify = of(IdentitySettings(jwt=(issuer(tmp_path),)))
    ids = {
        who(identify, bearer=token(**said)).id
        for said in (
            {"sub": "a/b"},
            {"sub": "a", "act": {"sub": "b"}},
            {"sub": "a%2Fb"},
            {"sub": "a", "act": {"sub": "b", "act": {"sub": "c"}}},
            {"sub": "a", "act": {"sub": "c/b"}},
        )
    }
    assert len(ids) == 5


def test_keys_are_long_and_never_the_same() -> None:
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(len(key) >= 43 for key in keys)


def test_nothing_shows_a_key() -> None:
    key = new_key()
    assert key not in repr(Hail("rest", "", key=key, reason=key, bearer=key, delegation=key))
