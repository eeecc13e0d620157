"""What is known of the other end of a connection."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate
from cryptography.x509.oid import NameOID

from proxy.model import Certificate, Peer
from proxy.transports.peer import certificate, peer_of


def made(*alternatives: x509.GeneralName) -> bytes:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    parts = [(NameOID.ORGANIZATION_NAME, "Acme, Inc."), (NameOID.COMMON_NAME, "bot")]
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_a_certificate_is_read_as_it_says() -> None:
    uris = [x509.UniformResourceIdentifier(f"spiffe://acme.example/{each}") for each in ("bot", "b")]
    der = made(x509.DNSName("bot.acme.example"), *uris)
    assert certificate(der) == Certificate(
        subject="CN=bot,O=Acme\\, Inc.",  # RFC 4514: the last part first
        uris=("spiffe://acme.example/bot", "spiffe://acme.example/b"),
        digest=sha256(der).hexdigest(),
        until=load_der_x509_certificate(der).not_valid_after_utc.timestamp(),
    )
    assert certificate(made()).uris == ()


def test_what_cannot_be_read_is_no_certificate() -> None:
    der = made()
    for broken in (der[:-1], der + b"\0", b"", b"x"):
        with pytest.raises(ValueError):
            certificate(broken)


class Asking(asyncio.Protocol):
    """Notes who connects."""

    def __init__(self, seen: asyncio.Queue[Peer | None]) -> None:
        self.seen = seen

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.seen.put_nowait(peer_of(transport))
        transport.close()


def test_a_peer_has_an_address_or_a_user(tmp_path: Path) -> None:
    async def play() -> None:
        loop, seen = asyncio.get_running_loop(), asyncio.Queue[Peer | None]()
        servers = [
            await loop.create_server(lambda: Asking(seen), "127.0.0.1", 0),
            await loop.create_unix_server(lambda: Asking(seen), tmp_path / "s"),
        ]
        _, first = await asyncio.open_connection(*servers[0].sockets[0].getsockname())
        assert await seen.get() == Peer("127.0.0.1")
        _, second = await asyncio.open_unix_connection(tmp_path / "s")
        assert await seen.get() == Peer(uid=os.getuid())
        for each in (first, second, *servers):
            each.close()
            await each.wait_closed()

    asyncio.run(play())
