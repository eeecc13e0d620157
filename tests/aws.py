"""Signature Version 4 as a service of AWS checks it: from the bytes that came, by its published steps alone."""

from __future__ import annotations

import hashlib
import hmac
import re

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def encoded(data: bytes, spared: bytes = b"") -> str:
    """UriEncode: every byte but the unreserved ones as %XX, in capitals."""
    return "".join(chr(byte) if byte in _UNRESERVED or byte in spared else f"%{byte:02X}" for byte in data)


def decoded(text: str, plus: bool) -> bytes:
    """What a piece of a URL means; `plus` is a space in a query, and to S3 in a path too."""
    data = text.replace("+", " ").encode() if plus else text.encode()
    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), data)


def canonical_path(path: str, service: str) -> str:
    """Of S3 the key, encoded once; of all others what came, encoded again."""
    return encoded(decoded(path, plus=True) if service == "s3" else path.encode(), b"/")


def canonical_query(query: str) -> str:
    """Names and values, encoded and then in order. A name alone has an empty value."""
    pairs = [part.partition("=")[::2] for part in query.split("&") if part]
    known = sorted((encoded(decoded(name, True)), encoded(decoded(value, True))) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in known)


def canonical_headers(lines: list[str], names: list[str]) -> str:
    """Of each name all values, with single spaces."""
    found: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(":")
        found.setdefault(name.lower(), []).append(" ".join(value.split()))
    return "".join(f"{name}:{','.join(found[name])}\n" for name in names)


def signatures(request: bytes, secret: str, region: str, service: str) -> tuple[str, str]:
    """The signature that the service computes, and the one that the request has."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    said = dict(part.strip().split("=", 1) for part in headers["authorization"].partition(" ")[2].split(","))
    names, digest = said["SignedHeaders"].split(";"), hashlib.sha256(body).hexdigest()
    must = {name for name in headers if name.startswith("x-amz-")} | {"host", "x-amz-date"}
    assert names == sorted(names)
    assert must <= set(names)
    assert headers.get("x-amz-content-sha256", digest) == digest
    path, _, query = target.partition("?")
    parts = [method, canonical_path(path, service), canonical_query(query), canonical_headers(lines, names)]
    canonical = "\n".join([*parts, said["SignedHeaders"], digest])
    scope = said["Credential"].partition("/")[2]
    assert scope == f"{headers['x-amz-date'][:8]}/{region}/{service}/aws4_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, hashed])
    key = b"AWS4" + secret.encode()
    for part in (*scope.split("/"), text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex(), said["Signature"]
