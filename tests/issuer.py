"""An issuer of tokens for tests: keys made at run time, a JWKS server on a port of its own, and every wrong token."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import cache
from time import time
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

ISSUER, AUDIENCE = "https://login.example", "toolwall"
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """A key of this name, the same each time within a process."""
    return rsa.generate_private_key(65537, bits)


@cache
def ec_key(name: str) -> ec.EllipticCurvePrivateKey:
    """The same on the curve P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def public(key: Key, kid: str | None, **more: Any) -> dict[str, Any]:
    """The public half as a JWK."""
    made = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    named = {"kid": kid} if kid is not None else {}
    return {**made.to_jwk(key.public_key(), as_dict=True), **named, **more}  # type: ignore[attr-defined]


def jwks(*keys: Mapping[str, Any]) -> bytes:
    """A key set."""
    return json.dumps({"keys": list(keys)}).encode()


def claims(**more: Any) -> dict[str, Any]:
    """What a good token says; a value of None takes a claim away."""
    now = int(time())
    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "iat": now, "exp": now + 300, "roles": ["reader"], **more}
    return {name: value for name, value in said.items() if value is not None}


def token(key: Key | None = None, kid: str | None = "one", algorithm: str = "RS256", **said: Any) -> str:
    """A token signed by this key."""
    headers = {"kid": kid} if kid is not None else {}
    return jwt.encode(claims(**said), key or rsa_key("one"), algorithm=algorithm, headers=headers)


def forged(header: Mapping[str, Any], said: Mapping[str, Any], signature: bytes = b"") -> str:
    """A token that no library would make."""
    return ".".join(_b64(part) for part in (json.dumps(header).encode(), json.dumps(said).encode(), signature))


def signed(header: Mapping[str, Any] | bytes, said: Mapping[str, Any] | bytes) -> str:
    """The same, with the signature of the right key."""
    parts = (part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, said))
    bare = ".".join(map(_b64, parts))
    return f"{bare}.{_b64(rsa_key('one').sign(bare.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def twice(said: Mapping[str, Any], name: str, value: str) -> bytes:
    """JSON in which a name stands twice."""
    return json.dumps(said).encode()[:-1] + f', "{name}": "{value}"}}'.encode()


def confused() -> str:
    """HS256 with the public key as its secret (CVE-2015-9235)."""
    pem = (
        rsa_key("one")
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    bare = forged({"alg": "HS256", "typ": "JWT", "kid": "one"}, claims()).rsplit(".", 1)[0]
    return f"{bare}.{_b64(hmac.digest(pem, bare.encode(), hashlib.sha256))}"


def wrong_tokens() -> dict[str, str]:
    """Every way in which a token is not good, by name."""
    good = token()
    head, body, signature = good.split(".")
    now = int(time())
    nobody = {"alg": "none", "typ": "JWT"}
    return {
        "garbage": "a.b.c",
        "empty": "",
        "no token": "opaque-0123456789",
        "expired": token(exp=now - 31),
        "not yet": token(nbf=now + 60),
        "from the future": token(iat=now + 60),
        "wrong audience": token(aud="another"),
        "no audience": token(aud=None),
        "wrong issuer": token(iss="https://evil.example"),
        "no issuer": token(iss=None),
        "issuer with a slash": token(iss=ISSUER + "/"),
        "no end": token(exp=None),
        "an end without end": forged({"alg": "RS256", "kid": "one"}, {**claims(), "exp": 1e999}, b"x"),
        "no subject": token(sub=None),
        "empty subject": token(sub=""),
        "a subject in two lines": token(sub="ann\nroot"),
        "alg none": forged(nobody, claims()),
        "alg None": forged({"alg": "None"}, claims()),
        "alg none with kid": forged({**nobody, "kid": "one"}, claims(), b"x"),
        "HS for RS": confused(),
        "other RSA algorithm": token(algorithm="RS512"),
        "EC for RSA": token(ec_key("evil"), algorithm="ES256"),
        "another's key": token(rsa_key("evil")),
        "unknown kid": token(rsa_key("evil"), kid="two"),
        "cut": good[:-8],
        "body of another": ".".join((head, _b64(json.dumps(claims(sub="root")).encode()), signature)),
        "no signature": f"{head}.{body}.",
        "its own key": jwt.encode(
            claims(), rsa_key("evil"), algorithm="RS256", headers={"jwk": public(rsa_key("evil"), "one"), "kid": "one"}
        ),
        "critical header": jwt.encode(
            claims(), rsa_key("one"), algorithm="RS256", headers={"kid": "one", "crit": ["b64"], "b64": True}
        ),
        "kid as a path": token(kid="../../../../dev/null"),
        "deep": forged({"alg": "RS256", "kid": "one"}, {}).replace("e30", _b64(b"[" * 3000)),
        "two subjects": signed({"alg": "RS256", "kid": "one"}, twice(claims(), "sub", "root")),
        "two algorithms": signed(twice({"alg": "RS256", "kid": "one"}, "alg", "RS256"), claims()),
        "roles that are none": token(roles={"reader": True}),
        "actors that are none": token(act="agent"),
        "a user that is no name": token(email={"sub": "ann"}),
        "too many actors": token(act={"sub": "a", "act": {"sub": "b", "act": {"sub": "c", "act": {"sub": "d"}}}}),
    }


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class JwksServer:
    """Answers GET with `body` and `status`, after `delay` seconds; `asked` counts."""

    def __init__(self, body: bytes) -> None:
        self.body, self.status, self.delay, self.asked, self.url = body, "200 OK", 0.0, 0, ""
        self.extra, self.over = "", asyncio.Event()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        head = f"HTTP/1.1 {self.status}\r\nContent-Length: {len(self.body)}\r\n{self.extra}Connection: close\r\n\r\n"
        with suppress(TimeoutError, OSError):
            await asyncio.wait_for(self.over.wait(), self.delay)
        writer.write(head.encode() + self.body)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


@asynccontextmanager
async def serving(body: bytes) -> AsyncIterator[JwksServer]:
    """A key set on a port of its own."""
    place = JwksServer(body)
    server = await asyncio.start_server(place.answer, "127.0.0.1", 0)
    place.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks.json"
    try:
        yield place
    finally:
        place.over.set()
        server.close()
        await asyncio.sleep(0.01)
        await server.wait_closed()
