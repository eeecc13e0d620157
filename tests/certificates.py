"""Certificates for tests of TLS, made anew each time: authorities, servers, clients."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
DAY = timedelta(days=1)
CERTIFICATE = Encoding.PEM


def key_pem(key: ec.EllipticCurvePrivateKey, password: bytes = b"") -> bytes:
    how: KeySerializationEncryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)


@dataclass
class Pair:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    def write(self, folder: Path, name: str = "own") -> tuple[Path, Path]:
        """The two files, `NAME.pem` and `NAME.key`."""
        files = folder / f"{name}.pem", folder / f"{name}.key"
        for file, data in zip(files, (self.pem, key_pem(self.key)), strict=True):
            file.write_bytes(data)
        return files


@dataclass
class Authority:
    """One who signs certificates."""

    own: Pair

    @classmethod
    def new(cls, name: str = "Test CA") -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _builder(subject, subject, key, -DAY, 10 * DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        return cls(Pair(builder.sign(key, hashes.SHA256()), key))

    def sign(
        self,
        common_name: str = "bot",
        use: x509.ObjectIdentifier | None = SERVER,
        names: Sequence[x509.GeneralName] = (),
        begins: timedelta = -DAY,
        ends: timedelta = DAY,
    ) -> Pair:
        """A certificate of an end; its time is from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        builder = _builder(subject, self.own.certificate.subject, key, begins, ends)
        if use is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return Pair(builder.sign(self.own.key, hashes.SHA256()), key)

    def server(self, common_name: str = "toolwall", **how: timedelta) -> Pair:
        """The certificate of a listener on loopback."""
        names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
        return self.sign(common_name, SERVER, names, **how)

    def client(self, folder: Path, pair: Pair | None = None) -> ssl.SSLContext:
        """How a client speaks TLS that trusts this authority, and shows a certificate if it has one."""
        context = ssl.create_default_context(cadata=self.own.pem.decode())
        if pair is not None:
            context.load_cert_chain(*pair.write(folder, "client"))
        return context


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, begins: timedelta, ends: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    number = x509.random_serial_number()
    return x509.CertificateBuilder(issuer, subject, key.public_key(), number, now + begins, now + ends)
