"""The key `vault` of toolwall.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.vault_settings import POD_TOKEN, VAULT, AuthSettings, VaultSettings, check_vault, read_vault
from rules.shape import check
from rules.source import read


def problems(text: str) -> list[str]:
    node, found = read("toolwall.yaml", text.encode())
    assert node is not None
    found += check(node, VAULT)
    return [str(each) for each in found or check_vault(node)]


def loaded(text: str, folder: Path) -> VaultSettings:
    assert problems(text) == []
    node, _ = read("toolwall.yaml", text.encode())
    assert node is not None
    settings = read_vault(node.plain(), folder)
    assert settings is not None
    return settings


HERE = "address: https://vault.internal:8200\n"


def test_all_of_it(tmp_path: Path) -> None:
    more = "namespace: team/a/\nca: ca.pem\ntimeout: 500ms\nevery: 10s\nmost_age: 2h\ngrace: 1s\nmost_leases: 7\n"
    assert loaded(f"{HERE}{more}auth: {{token: 'file:t'}}", tmp_path) == VaultSettings(
        "https://vault.internal:8200",
        AuthSettings("token", f"file:{tmp_path / 't'}"),
        "team/a",
        str(tmp_path / "ca.pem"),
        0.5,
        10.0,
        7200.0,
        1.0,
        7,
    )
    assert read_vault(None, tmp_path) is None


@pytest.mark.parametrize(
    ("auth", "read_as"),
    [
        ("token: env:T", AuthSettings("token", "env:T")),
        ("approle: {role_id: r, secret_id: env:S}", AuthSettings("approle", "env:S", "r", "approle")),
        (
            "approle: {role_id: r, wrapped_secret_id: 'file:/w', mount: apps/}",
            AuthSettings("approle", "file:/w", "r", "apps", wrapped=True),
        ),
        ("kubernetes: {role: sidecar}", AuthSettings("kubernetes", POD_TOKEN, "sidecar", "kubernetes")),
        ("jwt: {role: r, jwt: 'file:/j', mount: ci}", AuthSettings("jwt", "file:/j", "r", "ci")),
    ],
)
def test_each_way_to_sign_in(auth: str, read_as: AuthSettings, tmp_path: Path) -> None:
    assert loaded(f"{HERE}auth: {{{auth}}}", tmp_path).auth == read_as


@pytest.mark.parametrize("address", ["http://127.0.0.1:8200", "http://localhost:8200", "http://[::1]:8200"])
def test_without_tls_on_this_machine_only(address: str) -> None:
    assert problems(f"address: '{address}'\nauth: {{token: env:T}}") == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("address: http://vault:8200\nauth: {token: env:T}", "toolwall.yaml:1:1: address: is http, and not on this"),
        ("address: http://127.0.0.1.nip.example\nauth: {token: env:T}", "1:1: address: is http"),
        ("address: http://[:::]:8200\nauth: {token: env:T}", "1:1: address: is http"),
        ("address: vault:8200\nauth: {token: env:T}", "1:10: address: must be an http or https URL"),
        ("address: https://u:p@vault\nauth: {token: env:T}", "1:10: address: must be an http or https URL"),
        (HERE, "1:1: lacks the key auth"),
        (HERE + "auth: {token: s.plain}", "2:15: auth.token: must be env:NAME or file:PATH"),
        (HERE + "auth: {token: env:T, jwt: {role: r, jwt: env:J}}", "2:7: auth: needs exactly one of the keys"),
        (HERE + "auth: {aprole: {}}", "auth.aprole: is an unknown key (did you mean approle?)"),
        (HERE + "auth: {approle: {role_id: r}}", "needs exactly one of the keys secret_id, wrapped_secret_id"),
        (HERE + "auth: {approle: {role_id: r, secret_id: env:A, wrapped_secret_id: env:B}}", "needs exactly one of"),
        (HERE + "auth: {jwt: {role: r}}", "auth.jwt: lacks the key jwt"),
        (HERE + "auth: {kubernetes: {role: r, mount: ../x y}}", "auth.kubernetes.mount: must be a name"),
        (HERE + "auth: {token: env:T}\ntimout: 1s", "timout: is an unknown key (did you mean timeout?)"),
        (HERE + "auth: {token: env:T}\nmost_leases: 0", "most_leases: must be a whole number"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(text: str, says: str) -> None:
    assert any(says in each for each in problems(text)), problems(text)


def test_nothing_of_it_is_a_secret_that_could_be_shown(tmp_path: Path) -> None:
    settings = loaded(f"{HERE}auth: {{approle: {{role_id: r, secret_id: env:S}}}}", tmp_path)
    assert "env:S" in repr(settings)
