"""A secret shows itself to nobody who only looks at it."""

import traceback

import pytest

from proxy.credentials.secret import CredentialError, Secret


def test_a_secret_hides_its_fields_in_whatever_way_it_is_printed() -> None:
    secret = Secret({"username": "ana-7f3c", "password": "kestrel-9d1e"}, until=12.5)
    for text in (repr(secret), str(secret), f"{secret}", f"{secret!r}", f"{[secret]}"):
        assert "ana-7f3c" not in text
        assert "kestrel-9d1e" not in text


def test_a_plain_secret_has_one_field() -> None:
    assert Secret.plain("kestrel-9d1e").field("value") == "kestrel-9d1e"
    assert Secret.plain("kestrel-9d1e", 3.0).until == 3.0


@pytest.mark.parametrize("fields", [{}, {"token": ""}])
def test_a_field_that_is_missing_or_empty_is_no_credential(fields: dict[str, str]) -> None:
    secret = Secret({**fields, "other": "kestrel-9d1e"})
    with pytest.raises(CredentialError) as caught:
        secret.field("token")
    assert "`token`" in str(caught.value)
    assert "kestrel-9d1e" not in "".join(traceback.format_exception(caught.value))
