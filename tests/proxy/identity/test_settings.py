"""What toolwall.yaml may say of callers, and what it may not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from proxy.config import ConfigError, load_config
from proxy.identity.settings import IdentitySettings
from rules.facts import Principal

DIGEST = "0" * 64
ISSUER = {"issuer": "https://login.example", "audience": "toolwall", "keys": "https://login.example/jwks"}


def read(folder: Path, **identity: Any) -> IdentitySettings:
    file = folder / "toolwall.yaml"
    tls = {"certificate": "own.pem", "key": "own.key", "client_ca": "clients.pem"}
    file.write_text(json.dumps({"listeners": [{"bind": "unix:s", "tls": tls, "identity": identity}]}))
    return load_config(file).listeners[0].identity


def test_all_methods_side_by_side(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        api_keys=[{"id": "ann", "sha256": DIGEST}],
        key_file="keys.yaml",
        jwt=[ISSUER, {**ISSUER, "issuer": "https://b.example", "prefix": "b:", "keys": "file:b.json", "leeway": "5s"}],
        certificates=[{"uri": "spiffe://example.org/*"}, {"subject": "CN=x", "id": "x"}, {"sha256": DIGEST, "id": "y"}],
        peers=[{"uid": 0, "id": "root", "roles": ["ops"]}],
        delegation=[ISSUER],
    )
    assert found.key_file == tmp_path / "keys.yaml"
    assert [(one.prefix, one.leeway_s, one.algorithms) for one in found.jwt] == [
        ("jwt:", 30.0, ("RS256", "ES256")),
        ("b:", 5.0, ("RS256", "ES256")),
    ]
    assert found.jwt[1].keys == f"file:{tmp_path / 'b.json'}"
    assert found.peers[0] == Principal("root", frozenset({"ops"}), method="peer")
    assert [one.id for one in found.configured()] == ["ann", "x", "y", "root"]
    assert found.certificates


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "identity"),
    "only delegation": ({"delegation": [ISSUER]}, "says of nobody who it is"),
    "static and more": ({"static": {"id": "a"}, "jwt": [ISSUER]}, "makes jwt useless"),
    "one key twice": ({"api_keys": [{"id": "a", "sha256": DIGEST}, {"id": "b", "sha256": DIGEST}]}, "one key"),
    "one user twice": ({"peers": [{"uid": 1, "id": "a"}, {"uid": 1, "id": "b"}]}, "one user id"),
    "users that are not mapped": ({"peers": [{"uid": 65534, "id": "nobody"}]}, "not mapped"),
    "one certificate twice": ({"certificates": [{"subject": "CN=a", "id": "a"}] * 2}, "one certificate"),
    "a subject without id": ({"certificates": [{"subject": "CN=a"}]}, "without `id`"),
    "two ways to name one": ({"certificates": [{"subject": "CN=a", "uri": "a:b", "id": "a"}]}, "one of"),
    "one prefix twice": ({"jwt": [ISSUER, {**ISSUER, "issuer": "https://b.example"}]}, "subjects of https://b.example"),
    "a prefix of a prefix": (
        {"jwt": [ISSUER, {**ISSUER, "issuer": "https://b.example", "prefix": "jwt:b:"}]},
        "subjects of https://b.example",
    ),
    "one issuer twice": ({"jwt": [ISSUER, {**ISSUER, "prefix": "b:"}]}, "one issuer twice"),
    "a prefix of somebody": (
        {"jwt": [ISSUER], "api_keys": [{"id": "jwt:ann", "sha256": DIGEST}]},
        "names jwt:ann",
    ),
    "a prefix of certificates": (
        {"jwt": [{**ISSUER, "prefix": "spiffe://a/b/"}], "certificates": [{"uri": "spiffe://a/*", "roles": ["r"]}]},
        "names spiffe://a/*",
    ),
    "an empty prefix": ({"jwt": [{**ISSUER, "prefix": ""}]}, "1 to 32"),
    "shared secrets": ({"jwt": [{**ISSUER, "algorithms": ["HS256"]}]}, "RS256"),
    "no algorithm": ({"jwt": [{**ISSUER, "algorithms": ["none"]}]}, "RS256"),
    "no audience": ({"jwt": [{"issuer": "i", "keys": "https://i/j"}]}, "audience"),
    "an empty audience": ({"jwt": [{**ISSUER, "audience": []}]}, "audience"),
    "keys over plain http": ({"jwt": [{**ISSUER, "keys": "http://login.example/jwks"}]}, "plain http"),
    "keys of another scheme": (
        {"jwt": [{**ISSUER, "keys": "ftp://login.example/jwks"}]},
        "https URL without user or file:PATH",
    ),
    "keys at half an address": ({"jwt": [{**ISSUER, "keys": "https://[bad/jwks"}]}, "https URL without user"),
    "keys for which a password is needed": ({"jwt": [{**ISSUER, "keys": "https://u:p@idp/jwks"}]}, "without user"),
    "clocks far apart": ({"jwt": [{**ISSUER, "leeway": "10m"}]}, "leeway"),
    "a misspelt key": ({"jwt": [{**ISSUER, "audiance": "x"}]}, "audience"),
}


@pytest.mark.parametrize(("identity", "says"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_is_said_at_its_place(tmp_path: Path, identity: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as error:
        read(tmp_path, **identity)
    assert says in str(error.value)
    assert str(tmp_path / "toolwall.yaml") + ":1:" in str(error.value)


def test_no_two_listeners_name_one_principal_for_two(tmp_path: Path) -> None:
    def load(*identities: dict[str, Any]) -> None:
        binds = [{"bind": f"127.0.0.1:{8080 + at}", "identity": each} for at, each in enumerate(identities)]
        (tmp_path / "toolwall.yaml").write_text(json.dumps({"listeners": binds}))
        load_config(tmp_path / "toolwall.yaml")

    other = {**ISSUER, "issuer": "https://b.example"}
    for second, says in (({"jwt": [other]}, "subjects of"), ({"static": {"id": "jwt:ann"}}, "names jwt:ann")):
        with pytest.raises(ConfigError, match=says):
            load({"jwt": [ISSUER]}, second)
    bot = {"static": {"id": "bot"}}
    with pytest.raises(ConfigError, match="subjects of"):
        load({**bot, "delegation": [ISSUER]}, {**bot, "delegation": [other]})
    load({**bot, "delegation": [ISSUER]}, {**bot, "delegation": [{**other, "prefix": "b:"}]})
    load({"jwt": [ISSUER]}, {"jwt": [{**ISSUER, "audience": "another"}]}, {"jwt": [{**other, "prefix": "b:"}]})


def test_keys_of_an_issuer_on_this_machine_may_come_over_plain_http(tmp_path: Path) -> None:
    assert read(tmp_path, jwt=[{**ISSUER, "keys": "http://127.0.0.1:9/jwks"}]).jwt[0].keys.startswith("http:")


def test_nothing_shows_the_hashes_of_keys(tmp_path: Path) -> None:
    assert DIGEST not in repr(read(tmp_path, api_keys=[{"id": "a", "sha256": DIGEST}]))
