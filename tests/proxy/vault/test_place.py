"""How rules name what lies in Vault."""

from __future__ import annotations

import pytest

from proxy.credentials.secret import CredentialError
from proxy.vault.place import Place, parse


@pytest.mark.parametrize(
    ("spec", "place"),
    [
        ("vault:secret/crm#token", Place("secret/crm", 0, "token")),
        ("vault:secret/team-a/crm?version=3#api.token", Place("secret/team-a/crm", 3, "api.token")),
        ("vault:database/creds/read_only", Place("database/creds/read_only")),
        ("vault:secret/..crm/a.b", Place("secret/..crm/a.b")),
    ],
)
def test_a_place_is_read_and_written_the_same(spec: str, place: Place) -> None:
    assert parse(spec) == place
    assert str(place) == spec


@pytest.mark.parametrize(
    "spec",
    [
        "vault:secret",
        "secret/crm",
        "vault:secret/",
        "vault:/secret/crm",
        "vault:secret//crm",
        "vault:secret/../sys/seal",
        "vault:secret/./crm",
        "vault:secret/..?version=1",
        "vault:secret/..#token",
        "vault:secret/..",
        "vault:secret/%2e%2e/crm",
        "vault:secret/crm?version=0",
        "vault:secret/crm?list=true",
        "vault:secret/crm#",
        "vault:secret/crm\n",
        "vault:" + "/".join("a" * 20),
    ],
)
def test_what_is_no_place_is_refused_without_repeating_it(spec: str) -> None:
    with pytest.raises(CredentialError, match="is written vault:MOUNT/PATH") as caught:
        parse(spec)
    assert spec not in str(caught.value)
