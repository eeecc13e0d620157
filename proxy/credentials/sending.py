"""Secrets put on the wire: where the API wants them, and in nobody else's place. No I/O."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Final
from urllib.parse import quote

from proxy.credentials.secret import VALUE, CredentialError, Secret
from proxy.model import Outgoing
from proxy.protocols import target
from rules.credentials import Sent

# RFC 9110, 5.5: what a header's value may hold, in ASCII alone; RFC 6265, 4.1.1: a cookie's.
_HEADER: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_COOKIE: Final = re.compile(r"[!#-+\--:<-\[\]-~]+")


def put(sent: Sent, secret: Secret, outgoing: Outgoing) -> Outgoing:
    """The request with the secret in it, and nothing else in its place. Raises CredentialError, without a value."""
    if sent.way == "query":
        return _in_query(outgoing, sent.name, secret.field(VALUE))
    if sent.way == "cookie":
        return _in_cookie(outgoing, sent.name, secret.field(VALUE))
    if sent.way == "header":
        return in_header(outgoing, sent.name, f"{sent.prefix}{secret.field(VALUE)}")
    value = f"Basic {_basic(sent.name, secret)}" if sent.way == "basic" else f"Bearer {secret.field(VALUE)}"
    return in_header(outgoing, "authorization", value)


def in_header(outgoing: Outgoing, name: str, value: str) -> Outgoing:
    """The request with this header, once. Raises CredentialError for a value that no header can have."""
    if not _HEADER.fullmatch(value):
        raise CredentialError("the secret holds characters that no header can have")
    kept = (pair for pair in outgoing.headers if pair[0] != name)
    return outgoing._replace(headers=((name, value), *kept))


def _basic(user: str, secret: Secret) -> str:
    """RFC 7617. A plain secret is the password of the named user, or `user:password`."""
    if not user and VALUE not in secret.fields:
        user, password = secret.field("username"), secret.field("password")
    elif user:
        password = secret.fields.get("password") or secret.field(VALUE)
    else:
        user, colon, password = secret.field(VALUE).partition(":")
        if not colon:
            raise CredentialError("the secret is no user:password, and no user is named")
    if ":" in user:
        raise CredentialError("the user's name holds a colon")
    return b64encode(f"{user}:{password}".encode()).decode()


def _in_query(outgoing: Outgoing, name: str, value: str) -> Outgoing:
    path, _, query = outgoing.target.partition("?")
    parts = [*filter(None, [target.without(query, {name})]), f"{quote(name, safe='')}={quote(value, safe='')}"]
    return outgoing._replace(target=f"{path}?{'&'.join(parts)}")


def _in_cookie(outgoing: Outgoing, name: str, value: str) -> Outgoing:
    if not _COOKIE.fullmatch(value):
        raise CredentialError("the secret holds characters that no cookie can have")
    jars = [crumbs for header, crumbs in outgoing.headers if header == "cookie"]
    crumbs = [crumb for jar in jars for crumb in jar.split("; ") if crumb.partition("=")[0] != name]
    return in_header(outgoing, "cookie", "; ".join([*crumbs, f"{name}={value}"]))
