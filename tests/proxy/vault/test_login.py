"""Signing in to Vault."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.vault.fault import Fault
from proxy.vault.login import MOST_PROOF, Login, Token, known_token, lent_token, read_proof
from proxy.vault.wire import Wire
from proxy.vault_settings import AuthSettings
from tests.vault.jwts import new_key, pem_of, signed
from tests.vault.standin import Answer
from tests.vault.world import World, imitated


@pytest.fixture
def there(tmp_path: Path) -> Iterator[World]:
    with imitated(tmp_path) as one:
        yield one


def signed_in(there: World, auth: AuthSettings) -> Token:
    wire = Wire(there.settings(auth))
    try:
        return Login(auth, wire)()
    finally:
        wire.close()


def test_a_token_of_somebody_else_is_not_ours_to_end(there: World) -> None:
    token = signed_in(there, AuthSettings("token", there.file("token", there.token(ttl="100s"))))
    assert (token.own, token.renewable, token.length_s) == (False, True, 100)
    assert 98 <= token.left_s <= 100
    assert token.value not in repr(token)


def test_the_service_account_of_a_pod(there: World) -> None:
    key = new_key()
    there.api("sys/auth/kubernetes", type="kubernetes")
    there.api("auth/kubernetes/config", jwt_validation_pubkeys=[pem_of(key)])
    there.api("auth/kubernetes/role/sidecar", bound_audiences=["vault"], token_ttl="30m")
    proof = there.file("jwt", signed(key, {"aud": "vault"}))
    token = signed_in(there, AuthSettings("kubernetes", proof, "sidecar", "kubernetes"))
    assert (token.own, token.length_s) == (True, 1800)


def test_a_wrapping_token_that_was_used_is_said_to_be_and_not_sent_again(there: World) -> None:
    plain = there.approle()
    proof = there.file("wrapped", wrapping := there.wrapped_secret_id(plain.mount))
    there.admin.sys.unwrap(wrapping)  # by somebody else, with the same token
    auth = AuthSettings("approle", proof, plain.role, plain.mount, wrapped=True)
    wire = Wire(there.settings(auth))
    login = Login(auth, wire)
    for _ in range(3):
        with pytest.raises(Fault, match="was unwrapped before, or has expired"):
            login()
    assert there.standin is not None
    assert len(there.standin.asked("sys/wrapping/unwrap")) == 2
    there.file("wrapped", there.wrapped_secret_id(plain.mount))  # the operator puts another there
    assert login().own
    assert login().own  # with what was unwrapped
    assert len(there.standin.asked("sys/wrapping/unwrap")) == 3
    wire.close()


def test_a_vault_that_is_sealed_uses_up_no_wrapping_token(there: World) -> None:
    plain = there.approle()
    auth = AuthSettings("approle", there.file("w", there.wrapped_secret_id(plain.mount)), plain.role, plain.mount, True)
    wire = Wire(there.settings(auth))
    login = Login(auth, wire)
    assert there.standin is not None
    there.standin.upset = lambda method, path: Answer(503, "Vault is sealed")
    with pytest.raises(Fault, match="sealed"):
        login()
    there.standin.upset = None
    assert login().own
    wire.close()


def test_what_proves_who_we_are_is_read_or_said_to_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIVEN", " in the environment\n")
    monkeypatch.setenv("EMPTY", "")
    (tmp_path / "given").write_text("in a file\n")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "large").write_bytes(b"a" * (MOST_PROOF + 1))
    (tmp_path / "binary").write_bytes(b"\xff\xfe secret")
    (tmp_path / "lines").write_text("secret\nsecret")
    assert read_proof("env:GIVEN") == "in the environment"
    assert read_proof(f"file:{tmp_path / 'given'}") == "in a file"
    bad = ["env:EMPTY", "env:NOT_SET", *(f"file:{tmp_path / name}" for name in ("none", "empty", "large"))]
    for spec in bad:
        with pytest.raises(Fault, match=f"{spec.partition(':')[2]}, with which to sign in"):
            read_proof(spec)
    for name in ("binary", "lines"):
        with pytest.raises(Fault, match="is no line of ASCII") as caught:
            read_proof(f"file:{tmp_path / name}")
        assert "secret" not in str(caught.value).replace(str(tmp_path), "")


@pytest.mark.parametrize(
    "auth", [{}, {"client_token": "", "lease_duration": 1}, {"client_token": "s.x", "lease_duration": "1h"}]
)
def test_an_answer_without_a_token_is_none(auth: dict[str, object]) -> None:
    with pytest.raises(Fault, match="cannot be read"):
        lent_token(auth)
    with pytest.raises(Fault, match="cannot be read"):
        known_token("s.x", auth)
