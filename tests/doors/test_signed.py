"""Signatures of AWS as the service would check them: from the bytes that reached the backend, by another program."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.wire import ALONE, Wall, perform, wall

TOOLS = """
  find: {call: GET /things, args: {q: {type: string, optional: true}, a: {type: string, optional: true}}}
  one: {call: "GET /things/{id}", args: {id: {type: string}}}
  send: {call: POST /things, args: {q: {type: string}}, effect: write}
"""
KEY_ID, SECRET, SESSION = "AKI" + "AZ7Q3NOTAREALKEY", "kestrel/" + "9Xw4pQ7tLm2z+", "osprey-" + "3Vb8nK1sRd6y"


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signature_of(request: bytes, secret: str, region: str, service: str) -> tuple[str, str]:
    """The signature that the service computes, and the one that the request has."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    said = dict(part.strip().split("=", 1) for part in headers["authorization"].partition(" ")[2].split(","))
    path, _, query = target.partition("?")
    names = said["SignedHeaders"].split(";")
    assert {"host", "x-amz-date"} <= set(names)
    pairs = sorted(tuple(part.partition("=")[::2]) for part in query.split("&") if part)
    canonical = "\n".join(
        [
            method,
            path if service == "s3" else quote(path, safe="/~"),
            "&".join(f"{name}={value}" for name, value in pairs),
            *(f"{name}:{headers[name]}" for name in names),
            "",
            said["SignedHeaders"],
            sha(body),
        ]
    )
    scope = said["Credential"].partition("/")[2]
    assert scope == f"{headers['x-amz-date'][:8]}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, sha(canonical.encode())])
    key = b"AWS4" + secret.encode()
    for part in scope.split("/"):
        key = mac(key, part)
    return mac(key, text).hex(), said["Signature"]


@pytest.mark.parametrize("service", ["execute-api", "s3"])
@pytest.mark.parametrize("session", [True, False])
def test_the_service_would_take_it(tmp_path: Path, service: str, session: bool) -> None:
    async def play(w: Wall) -> None:
        for method, path, body in (
            ("GET", "/crm/things", b""),
            ("GET", "/crm/things?q=a%20b&a=%2Fc~", b""),
            ("GET", "/crm/things/a%20b~c", b""),
            ("POST", "/crm/things", b'{"q": "a"}'),
        ):
            theirs = [("Authorization", "AWS4-HMAC-SHA256 theirs"), ("X-Amz-Date", "theirs"), ("X-Amz-Tag", "theirs")]
            told = await w.tell(method, path, body, headers=theirs)
            assert told.reply.status == 200, told.reply.body
            [request] = told.reached
            meant, found = signature_of(request, SECRET, "eu-central-1", service)
            assert meant == found
            assert f"Credential={KEY_ID}/".encode() in request
            assert (f"\r\nx-amz-security-token: {SESSION}\r\n".encode() in request) is session
            assert b"theirs" not in request
            assert SECRET.encode() not in request + told.reply.raw + w.ledger()

    async def whole() -> None:
        fields = {"access_key": KEY_ID, "secret_key": SECRET} | ({"session_token": SESSION} if session else {})
        for name, value in fields.items():
            (tmp_path / name).write_text(value)
        files = ", ".join(f"{name}: {tmp_path}/{name}" for name in fields)
        send = f"{{sigv4: {{region: eu-central-1, service: {service}}}}}"
        async with wall(tmp_path, TOOLS, backend_keys=f"credential: {{file: {{{files}}}, send: {send}}}\n{ALONE}") as w:
            await play(w)

    perform(whole())


def test_without_a_key_nothing_is_signed_and_nothing_sent(tmp_path: Path) -> None:
    async def play() -> None:
        (tmp_path / "key").write_text(SECRET)
        send = "{sigv4: {region: eu-central-1, service: s3}}"
        keys = f"credential: {{file: {tmp_path}/key, send: {send}}}\n{ALONE}"
        async with wall(tmp_path, TOOLS, backend_keys=keys) as w:
            told = await w.tell("GET", "/crm/things")
            assert (told.reached, told.reply.json["executed"]) == ([], "no")
            assert told.record["notes"][-1] == "credential: the secret has no field `access_key`"

    perform(play())
