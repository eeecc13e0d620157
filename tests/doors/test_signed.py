"""Signatures of AWS as the service would check them: from the bytes that reached the backend, by another program."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.aws import signatures
from tests.wire import ALONE, OK, Wall, answering, perform, reply, wall

TOOLS = """
  find: {call: GET /things, args: {q: {type: string, optional: true}, a: {type: string, optional: true}}}
  one: {call: "GET /things/{id}", args: {id: {type: string}}}
  send: {call: POST /things, args: {q: {type: string}}, effect: write}
"""
KEY_ID, SECRET, SESSION = "AKI" + "AZ7Q3NOTAREALKEY", "kestrel/" + "9Xw4pQ7tLm2z+", "osprey-" + "3Vb8nK1sRd6y"


@pytest.mark.parametrize("service", ["execute-api", "s3"])
@pytest.mark.parametrize("session", [True, False])
def test_the_service_would_take_it(tmp_path: Path, service: str, session: bool) -> None:
    async def play(w: Wall) -> None:
        for method, path, body in (
            ("GET", "/crm/things", b""),
            ("GET", "/crm/things?q=a%20b&a=%2Fc~", b""),
            ("GET", "/crm/things?q=a+b&a=:,@", b""),
            ("GET", "/crm/things?q=", b""),
            ("GET", "/crm/things/a+b:c@d", b""),
            ("GET", "/crm/things/a%20b~c", b""),
            ("POST", "/crm/things", b'{"q": "a"}'),
        ):
            theirs = [("Authorization", "AWS4-HMAC-SHA256 theirs"), ("X-Amz-Date", "theirs"), ("X-Amz-Tag", "theirs")]
            told = await w.tell(method, path, body, headers=theirs)
            assert told.reply.status == 200, told.reply.body
            [request] = told.reached
            meant, found = signatures(request, SECRET, "eu-central-1", service)
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


def test_what_else_is_put_in_is_signed_and_each_attempt_is(tmp_path: Path) -> None:
    async def play() -> None:
        for name, value in (("id", KEY_ID), ("key", SECRET), ("other", "merlin-7Hd2fJ5gXc4t")):
            (tmp_path / name).write_text(value)
        keys = f"{{access_key: {tmp_path}/id, secret_key: {tmp_path}/key}}"
        both = (
            f"- {{file: {keys}, send: {{sigv4: {{region: eu-central-1, service: execute-api}}}}}}\n"
            f"  - {{file: {tmp_path}/other, send: {{query: api key}}}}"
        )
        async with wall(tmp_path, TOOLS, backend_keys=f"credential:\n  {both}\nbreaker: off") as w:
            answers = [reply(status="503 Busy"), OK]

            async def in_turn(_: bytes) -> bytes:
                return answers.pop(0)

            w.backend.answer = in_turn
            told = await w.tell("GET", "/crm/things?q=a")
            assert (told.reply.status, len(told.reached)) == (200, 2)
            for request in told.reached:
                assert b"/things?q=a&api%20key=merlin-7Hd2fJ5gXc4t HTTP/1.1" in request
                meant, found = signatures(request, SECRET, "eu-central-1", "execute-api")
                assert meant == found

    perform(play())


def test_a_session_token_that_comes_back_is_taken_out_everywhere(tmp_path: Path, logs: list[str]) -> None:
    """A service that refuses a signature says back what it has read, session token and all."""

    async def play() -> None:
        fields = {"access_key": KEY_ID, "secret_key": SECRET, "session_token": SESSION}
        for name, value in fields.items():
            (tmp_path / name).write_text(value)
        files = ", ".join(f"{name}: {tmp_path}/{name}" for name in fields)
        send = "{sigv4: {region: eu-central-1, service: s3}}"
        config = "ledger: {arguments: redacted}"
        keys = f"credential: {{file: {{{files}}}, send: {send}}}\n{ALONE}"
        async with wall(tmp_path, TOOLS, backend_keys=keys, config=config) as w:
            said = f"<CanonicalRequest>GET&#10;x-amz-security-token:{SESSION}&#10;</CanonicalRequest>"
            w.backend.answer = answering(reply(said.encode(), status="403 Forbidden", kind="application/xml"))
            told = await w.tell("GET", "/crm/things")
            assert (told.reply.status, told.record["leaked"]) == (403, ["crm"])
            assert b"KNOWN_SECRET" in told.reply.body
            seen = told.reply.raw + w.ledger() + w.sidecar.telemetry.prometheus() + "".join(logs).encode()
            for value in (SESSION, SECRET):
                assert value.encode() not in seen

    perform(play())


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
