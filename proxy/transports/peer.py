"""The other end of a connection: its address, the user behind a Unix socket, the certificate that TLS verified."""

from __future__ import annotations

import asyncio
import socket
import struct
from hashlib import sha256

from cryptography.x509 import SubjectAlternativeName, UniformResourceIdentifier, load_der_x509_certificate

from proxy.model import Certificate, Peer
from proxy.transports.tls import Context

_CREDENTIALS = struct.Struct("3i")
"""Process, user and group, as the kernel noted them when the peer connected (unix(7), SO_PEERCRED)."""


def peer_of(transport: asyncio.BaseTransport) -> Peer | None:
    """What is known of the other end; None where that cannot be told. OpenSSL takes certificates that break the rules
    of their encoding, and their reader has many ways to say so."""
    try:
        return _peer(transport)
    except Exception:
        return None


def _peer(transport: asyncio.BaseTransport) -> Peer:
    own = transport.get_extra_info("socket")
    if own is not None and own.family == socket.AF_UNIX:
        return Peer(uid=_uid(own), certificate=_verified(transport))
    name = transport.get_extra_info("peername")
    return Peer(name[0] if isinstance(name, tuple) else "", certificate=_verified(transport))


def _uid(own: socket.socket) -> int:
    _, uid, _ = _CREDENTIALS.unpack(own.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return int(uid)


def _verified(transport: asyncio.BaseTransport) -> Certificate | None:
    tls = transport.get_extra_info("ssl_object")
    # Only what was verified is given in this form; a handshake with a certificate that is not fails.
    given = tls.getpeercert(binary_form=True) if tls is not None else None
    if not given:
        return None
    context = transport.get_extra_info("sslcontext")
    found = certificate(given)
    return found._replace(trusted=context.trusted) if isinstance(context, Context) else found


def certificate(der: bytes) -> Certificate:
    """What is read from a certificate. Raises ValueError, or what else its reader raises."""
    read = load_der_x509_certificate(der)
    names = [each.value for each in read.extensions if isinstance(each.value, SubjectAlternativeName)]
    uris = tuple(uri for each in names for uri in each.get_values_for_type(UniformResourceIdentifier))
    until = read.not_valid_after_utc.timestamp()
    return Certificate(read.subject.rfc4514_string(), uris, sha256(der).hexdigest(), until)
