"""JWTs signed with ES256, for tests that sign in with one."""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def pem_of(key: ec.EllipticCurvePrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def signed(key: ec.EllipticCurvePrivateKey, claims: dict[str, Any]) -> str:
    text = b".".join(_packed(json.dumps(each).encode()) for each in ({"alg": "ES256", "typ": "JWT"}, claims))
    r, s = utils.decode_dss_signature(key.sign(text, ec.ECDSA(SHA256())))
    return (text + b"." + _packed(r.to_bytes(32) + s.to_bytes(32))).decode()


def parts_of(jwt: str) -> tuple[bytes, bytes, dict[str, Any]]:
    """What was signed, the signature, and the claims."""
    head, claims, signature = jwt.encode().split(b".")
    return head + b"." + claims, _unpacked(signature), json.loads(_unpacked(claims))


def _packed(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _unpacked(data: bytes) -> bytes:
    return base64.urlsafe_b64decode(data + b"=" * (-len(data) % 4))
