"""Secrets put into requests. `tests/doors/test_injection.py` looks at the bytes that reach a backend."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping

import pytest

from proxy.credentials.secret import CredentialError, Secret
from proxy.credentials.sending import put
from proxy.model import Outgoing
from rules.credentials import Sent, Way

VALUE = "kestrel-9Xw4pQ7t"
PLAIN = {"value": VALUE}


def request(target: str = "/a?b=c", *headers: tuple[str, str]) -> Outgoing:
    return Outgoing("GET", target, headers, b"")


def basic(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


@pytest.mark.parametrize(
    ("user", "fields", "value"),
    [
        ("", {"username": "ana", "password": "a:b"}, basic("ana", "a:b")),
        ("", {"value": "ana:a:b"}, basic("ana", "a:b")),
        ("ana", PLAIN, basic("ana", VALUE)),
        ("ana", {"username": "bob", "password": VALUE}, basic("ana", VALUE)),
        ("ana", {"value": "pä ss"}, basic("ana", "pä ss")),
    ],
)
def test_basic_takes_a_name_and_a_password(user: str, fields: Mapping[str, str], value: str) -> None:
    assert put(Sent("basic", user), Secret(fields), request()).headers == (("authorization", value),)


@pytest.mark.parametrize(
    ("way", "fields", "why"),
    [
        ("bearer", {"token": VALUE}, "no field `value`"),
        ("basic", {"username": "ana"}, "no field `password`"),
        ("basic", {"username": "a:b", "password": VALUE}, "holds a colon"),
        ("basic", PLAIN, "no user:password"),
        ("bearer", {"value": f"{VALUE} \n"}, "no header can have"),
        ("cookie", {"value": f"{VALUE},x"}, "no cookie can have"),
    ],
)
def test_what_cannot_be_sent_is_said_without_a_value(way: Way, fields: dict[str, str], why: str) -> None:
    with pytest.raises(CredentialError, match=why) as caught:
        put(Sent(way, "sid" if way == "cookie" else ""), Secret(fields), request())
    assert VALUE not in str(caught.value)


def test_nothing_stays_in_the_same_place() -> None:
    came = request("/a?k=theirs&b=c&k", ("authorization", "theirs"), ("cookie", "k=theirs; b=c"), ("x", "y"))
    made = put(Sent("bearer"), Secret(PLAIN), put(Sent("query", "k"), Secret(PLAIN), came))
    made = put(Sent("cookie", "k"), Secret(PLAIN), made)
    assert made.target == f"/a?b=c&k={VALUE}"
    assert dict(made.headers) == {"authorization": f"Bearer {VALUE}", "cookie": f"b=c; k={VALUE}", "x": "y"}
    assert len(made.headers) == 3
    assert VALUE not in repr(made)


def test_a_target_without_a_query_gets_one() -> None:
    for target in ("/a", "/a?"):
        assert put(Sent("query", "a b"), Secret({"value": "c&d"}), request(target)).target == "/a?a%20b=c%26d"
