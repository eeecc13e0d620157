"""Signatures of AWS, over what will be sent. `tests/doors/test_signed.py` has them on the wire."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from types import MappingProxyType

import pytest

from proxy.credentials.secret import CredentialError, Secret
from proxy.credentials.sigv4 import missing, signed
from proxy.model import Outgoing
from rules.credentials import Sent
from rules.urls import Url, parse_url
from tests.aws import canonical_query, encoded, signatures

KEY_ID, SECRET, SESSION = "AKI" + "AZ7Q3NOTAREALKEY", "kestrel/" + "9Xw4pQ7tLm2z+", "osprey/" + "3Vb8nK1sRd6y=="
REGION = "eu-central-1"
PLACE = parse_url("https://api.example/base")


def keys(**more: str) -> Secret:
    return Secret(MappingProxyType({"access_key": KEY_ID, "secret_key": SECRET, **more}))


def request(outgoing: Outgoing, url: Url) -> bytes:
    """As `proxy/upstream/upstream.py` writes it."""
    lines = [f"{outgoing.method} {url.path}{outgoing.target} HTTP/1.1", f"host: {url.authority}"]
    lines += [f"{name}: {value}" for name, value in outgoing.headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + outgoing.body


def made(outgoing: Outgoing, service: str = "execute-api", url: Url = PLACE, secret: Secret | None = None) -> Outgoing:
    found = signed(Sent("sigv4", signs=(REGION, service)), secret or keys(), outgoing, url)
    meant, said = signatures(request(found, url), SECRET, REGION, service)
    assert meant == said, found.target
    return found


def test_the_verifier_encodes_as_it_is_published() -> None:
    assert encoded("ü/~ a*'%".encode(), b"/") == "%C3%BC/~%20a%2A%27%25"
    assert canonical_query("b=2&a-b=1&a=%2f&a=+&flag") == "a=%20&a=%2F&a-b=1&b=2&flag="


PATHS = [
    "/", "/things", "/things/", "/a%20b", "/%C3%BC~x", "/a/b.c_d-e", "/arn:aws:x@1,2;3=4", "/(a)!*'$&", "/a%2Cb",
    "/a+b", "/100%25",
]  # fmt: skip
QUERIES = [
    "", "?a=b", "?b=2&a=1", "?a=2&a=1&a=10", "?flag", "?flag=", "?flag&a=", "?q=a+b", "?q=a%20b", "?q=a%2Bb",
    "?x=%c3%bc", "?ids[]=1&ids%5B%5D=0", "?t=12:30,5/6", "?a-b=1&a=2&A=3", "?e=1%3D1&n=~*'()!", "?&a=1&&b=2",
]  # fmt: skip


@pytest.mark.parametrize("service", ["execute-api", "s3"])
@pytest.mark.parametrize("session", [False, True])
def test_whatever_way_a_url_is_written_the_service_computes_the_same(service: str, session: bool) -> None:
    secret = keys(session_token=SESSION) if session else keys()
    for path in PATHS:
        for query in QUERIES:
            found = made(Outgoing("GET", path + query, (), b""), service, secret=secret)
            assert (("x-amz-security-token", SESSION) in found.headers) is session


@pytest.mark.parametrize(
    ("target", "service", "sent"),
    [
        ("/a:b+c?q=d+e&x=f:g&flag", "execute-api", "/a:b+c?q=d%20e&x=f%3Ag&flag"),
        ("/a:b+c?q=%2f", "s3", "/a%3Ab%2Bc?q=%2F"),
        ("/photos%2F2024%2fa.jpg", "s3", "/photos%2F2024%2Fa.jpg"),
        ("/things?", "execute-api", "/things"),
        ("/things?a=1&&b", "execute-api", "/things?a=1&b"),
    ],
)
def test_what_can_be_written_in_two_ways_is_sent_in_one(target: str, service: str, sent: str) -> None:
    assert made(Outgoing("GET", target, (), b""), service).target == sent


@pytest.mark.parametrize(
    "url",
    ["http://a.example", "https://a.example:8443", "http://127.0.0.1:9000/x", "https://[::1]:7000", "https://A.ex"],
)
def test_the_host_is_the_one_that_is_sent(url: str) -> None:
    made(Outgoing("GET", "/x", (), b""), url=parse_url(url))


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("service", ["execute-api", "s3", "aoss"])
def test_the_body_is_signed_whole(method: str, service: str) -> None:
    for body in (b"", b'{"a": 1}', b"\0\xff" * 100_000):
        headers = (("content-type", "application/json"), ("content-md5", "x"))
        made(Outgoing(method, "/x", headers, body), service, parse_url("https://a.example"))


def test_headers_are_signed_as_they_are_sent_and_those_of_a_signature_are_the_sidecars() -> None:
    theirs = [
        (name, "theirs") for name in ("authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256")
    ]
    own = [
        ("x-amz-meta-a", " two  spaces "),
        ("x-amz-tag", "b"),
        ("x-amz-tag", "a"),
        ("accept", "*/*"),
        ("x-amz-u", "ü"),
    ]
    found = made(Outgoing("PUT", "/x", (*theirs, *own), b"a"), "s3")  # type: ignore[arg-type]
    assert "theirs" not in str(found)
    assert [pair for pair in found.headers if pair in own] == own
    assert [name for name, _ in found.headers].count("authorization") == 1


def test_the_time_is_now() -> None:
    found = dict(made(Outgoing("GET", "/x", (), b"")).headers)
    said = datetime.strptime(found["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert abs((datetime.now(UTC) - said).total_seconds()) < 5


def test_another_request_has_another_signature() -> None:
    def authorization(target: str, body: bytes) -> str:
        return dict(made(Outgoing("POST", target, (), body)).headers)["authorization"]

    found = {authorization(target, body) for target in ("/a", "/b", "/a?x=1") for body in (b"", b"a")}
    assert len(found) == 6


@pytest.mark.parametrize("lacks", ["access_key", "secret_key"])
def test_a_key_with_a_part_missing_signs_nothing(lacks: str) -> None:
    fields = {name: value for name, value in keys().fields.items() if name != lacks}
    with pytest.raises(CredentialError, match=f"no field `{lacks}`"):
        made(Outgoing("GET", "/x", (), b""), secret=Secret(MappingProxyType(fields)))


def test_a_session_token_that_no_header_can_have_is_not_sent() -> None:
    with pytest.raises(CredentialError, match="no header can have"):
        made(Outgoing("GET", "/x", (), b""), secret=keys(session_token="a\r\nx: y"))


def test_what_botocore_would_log_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert missing() == ""
    with caplog.at_level(logging.DEBUG):
        made(Outgoing("GET", "/x", (), b""), secret=keys(session_token=SESSION))
    assert SESSION not in caplog.text
    assert "CanonicalRequest" not in caplog.text


def test_without_the_package_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.auth", None)  # so Python says that a module is not there
    assert missing() == "sigv4 needs the package botocore, which is not installed: pip install 'toolwall[aws]'"
