"""Challenges are read as RFC 9110 has them, or not at all."""

from __future__ import annotations

import pytest

from proxy.protocols.challenges import BadChallenge, challenged, params

OURS = "https://wall.example/.well-known/oauth-protected-resource/crm/mcp"


def moved(value: str, place: str = OURS) -> tuple[list[str], list[str]]:
    told: list[str] = []
    headers = challenged([("Content-Type", "text/plain"), ("WWW-Authenticate", value)], place, told.append)
    assert headers[0] == ("Content-Type", "text/plain")
    return [said for _, said in headers[1:]], told


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("Bearer", []),
        ("Bearer realm=", []),
        ('Bearer realm="x"', [("realm", "x")]),
        ('Bearer realm="x", error=invalid_token', [("realm", "x"), ("error", "invalid_token")]),
        ('Bearer realm = "x" , error\t=\tinvalid_token', [("realm", "x"), ("error", "invalid_token")]),
        ('Bearer realm="x", DPoP algs="ES256 PS256"', [("realm", "x"), ("algs", "ES256 PS256")]),
        ('Negotiate, Bearer realm="a, b=\\"c\\""', [("realm", 'a, b="c"')]),
        ('Negotiate abc/+==, Bearer realm="x"', [("realm", "x")]),
        ('Basic abc=def, realm="x"', [("abc", "def"), ("realm", "x")]),
        (', ,Bearer  realm="",, scope=x ,', [("realm", ""), ("scope", "x")]),
        ('BEARER RESOURCE_Metadata="u"', [("resource_metadata", "u")]),
    ],
)
def test_what_can_be_read(value: str, found: list[tuple[str, str]]) -> None:
    assert [(each.name, each.said) for each in params(value)] == found


@pytest.mark.parametrize(
    "value",
    ["", " ", ",", 'realm="x"', 'Bearer realm="x', 'Bearer realm="x" error=y', 'Bearer realm="x"; error=y', "Bearer =x",
     'Bearer realm="x", REALM="y"', 'Bearer abc==, realm="x"', "Bearer abc=d=", 'Bearer\trealm="x"', "Bé realm=x",
     'Bearer realm="x"y', "Bearer realm==x", "Bearer {}", 'Bearer resource_metadata="a", resource_metadata="b"'],
)  # fmt: skip
def test_what_cannot_is_removed_and_told(value: str) -> None:
    with pytest.raises(BadChallenge):
        params(value)
    assert moved(value) == ([], ["a challenge that cannot be read was removed"])


def test_only_the_place_of_the_metadata_is_another_one() -> None:
    before = 'Bearer error="invalid_token", resource_metadata={}, scope="a b", DPoP algs="ES256", resource_metadata={}'
    for one in ('"https://hub.internal/x"', "token", '"with \\" quote"'):
        assert moved(before.format(one, one)) == ([before.format(f'"{OURS}"', f'"{OURS}"')], [])


def test_what_names_no_place_stays() -> None:
    assert moved('Basic realm="x"') == (['Basic realm="x"'], [])


def test_nobody_is_sent_to_sign_in_where_that_opens_nothing() -> None:
    kept, (told,) = moved('Bearer resource_metadata="x"', place="")
    assert kept == []
    assert "does not reach the server" in told
