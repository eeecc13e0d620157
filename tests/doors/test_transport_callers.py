"""Callers whom the transport knows: by a certificate that TLS verified, or by the user at a socket's other end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509 import UniformResourceIdentifier

from tests.certificates import CLIENT, Authority
from tests.wire import Wall, perform, wall

TOOLS = "  get: {call: 'GET /things/{id}', args: {id: {type: integer}}}"
AUTHORITY, CLIENTS = Authority.new(), Authority.new("Clients")
TLS = ", tls: {certificate: own.pem, key: own.key, client_ca: clients.pem, client: %s}"
SPIFFE = "spiffe://example.org/agents/bot"
WHO = {
    "certificates": [
        {"uri": "spiffe://example.org/agents/*", "roles": ["agent"]},
        {"subject": "CN=billing", "id": "billing-bot", "roles": ["billing"]},
    ]
}


def named(uri: str) -> list[UniformResourceIdentifier]:
    return [UniformResourceIdentifier(uri)]


@pytest.mark.parametrize(
    ("common_name", "uris", "id"),
    [
        ("whoever", named(SPIFFE), SPIFFE),
        ("billing", [], "billing-bot"),
        ("bot", [], None),
        ("billing-bot", [], None),
        ("CN=billing", [], None),
        ("billing,O=Evil", [], None),
        ("x", named("spiffe://example.org/agents"), None),
        ("x", named("spiffe://example.org.evil/agents/bot"), None),
        ("x", named("SPIFFE://example.org/agents/bot"), None),
        ("x", [*named(SPIFFE), *named("spiffe://example.org/agents/other")], None),
        ("x", [*named(SPIFFE), *named("https://example.org/about")], SPIFFE),
    ],
)
def test_a_certificate_is_its_caller(
    tmp_path: Path, common_name: str, uris: Sequence[UniformResourceIdentifier], id: str | None
) -> None:
    async def play() -> None:
        AUTHORITY.server().write(tmp_path)
        (tmp_path / "clients.pem").write_bytes(CLIENTS.own.pem)
        async with wall(tmp_path, TOOLS, listener=TLS % "required", identity=json.dumps(WHO)) as w:
            w.tls = AUTHORITY.client(tmp_path, CLIENTS.sign(common_name, CLIENT, uris))
            told = await w.tell("GET", "/crm/things/7", headers=[("X-Client-Cert", "CN=billing")])
            assert told.reply.status == (200 if id else 401)
            assert (told.record.get("principal"), len(told.reached)) == (id, int(bool(id)))

    perform(play())


def test_without_a_certificate_nobody_is_let_in_by_a_header_that_names_one(tmp_path: Path) -> None:
    async def play() -> None:
        AUTHORITY.server().write(tmp_path)
        (tmp_path / "clients.pem").write_bytes(CLIENTS.own.pem)
        async with wall(tmp_path, TOOLS, listener=TLS % "optional", identity=json.dumps(WHO)) as w:
            w.tls = AUTHORITY.client(tmp_path)
            for header in ("X-Client-Cert", "X-Forwarded-Client-Cert", "X-SSL-Client-S-DN", "SSL-Client-Cert"):
                told = await w.tell("GET", "/crm/things/7", headers=[(header, "CN=billing")])
                assert (told.reply.status, told.reached) == (401, [])

    perform(play())


def peers(*uids: int) -> str:
    return json.dumps({"peers": [{"uid": uid, "id": f"user-{uid}"} for uid in uids]})


def test_the_user_at_the_other_end_is_the_caller(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, listener="", bind="unix:door", identity=peers(os.getuid())) as w:
            told = await w.tell("GET", "/crm/things/7", headers=[("X-Remote-User", "root")])
            assert (told.reply.status, told.record["principal"]) == (200, f"user-{os.getuid()}")

    perform(play())


ASK = """
import os, socket, sys
os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
with socket.socket(socket.AF_UNIX) as s:
    s.connect(sys.argv[1])
    s.sendall(b"GET /crm/things/7 HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n")
    print(s.makefile("rb").readline().split()[1].decode())
"""


OTHER = 4321 if os.getuid() == 0 else os.getuid()  # only root may become somebody else


@pytest.mark.parametrize(("known", "status"), [(OTHER, "200"), (OTHER + 1, "401")])
def test_another_user_is_another_caller_and_who_is_not_named_is_nobody(tmp_path: Path, known: int, status: str) -> None:
    async def play() -> None:
        folder = Path("/tmp") / f"toolwall-peers-{os.getpid()}-{known}"
        folder.mkdir(mode=0o755)
        bind = f"unix:{folder / 'door'}"
        try:
            async with wall(tmp_path, TOOLS, listener=", mode: '0666'", bind=bind, identity=peers(known)) as w:
                said = await asked(w, folder / "door", OTHER)
                assert said == status
                (record,) = w.news()
                assert record.get("principal") == (f"user-{known}" if status == "200" else None)
        finally:
            (folder / "door").unlink(missing_ok=True)
            folder.rmdir()

    perform(play())


async def asked(w: Wall, path: Path, uid: int) -> str:
    import asyncio

    command: list[Any] = [sys.executable, "-c", ASK, str(path), str(uid)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
    return done.stdout.strip()
