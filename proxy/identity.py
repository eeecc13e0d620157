"""Who is calling: each listener has one way to tell, and a credential that fails is never an empty principal."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping

from proxy.errors import Refusal
from proxy.model import Hail
from rules.facts import Principal

Identify = Callable[[Hail], Principal]
"""Gives the principal of a request, or raises Refusal `unauthenticated`."""

_KEY_BYTES = 32


def static(principal: Principal) -> Identify:
    """Everyone who reaches the listener is this principal: for a sidecar on loopback that serves one agent."""
    return lambda hail: principal


def api_key(principals: Mapping[str, Principal]) -> Identify:
    """`Toolwall-Key` names the caller. `principals` maps the key's SHA-256 (hex) to its principal.

    Keys are 256 random bits, so a plain hash cannot be guessed back, and looking up a hash tells nothing by its time.
    """

    def identify(hail: Hail) -> Principal:
        principal = principals.get(digest(hail.key)) if hail.key else None
        if principal is None:
            raise Refusal(
                "unauthenticated",
                "The header `Toolwall-Key` is missing or holds no valid key.",
                suggestion="Send a key that the operator of this sidecar has issued.",
                headers=(("WWW-Authenticate", 'Toolwall-Key realm="toolwall"'),),
            )
        return principal

    return identify


class NotKnown(Exception):
    """There is no such principal, or more than one. The text says so."""


def principal_of(known: Iterable[tuple[str, Principal]], id: str, door: str = "") -> Principal:
    """The principal of this id as it is configured today; `known` are all, each with its listener. Where several
    listeners differ on what it is, that of `door` counts. Raises NotKnown.
    """
    found = [(listener, one) for listener, one in known if one.id == id]
    here = {one for listener, one in found if listener == door} or {one for _, one in found}
    if not here:
        raise NotKnown(f"no listener of toolwall.yaml knows the principal {id} any more, so nobody may act for it")
    if len(here) > 1:
        raise NotKnown(f"toolwall.yaml describes the principal {id} in more than one way")
    return here.pop()


def digest(key: str) -> str:
    """The form in which a key is stored: hex of its SHA-256."""
    return hashlib.sha256(key.encode()).hexdigest()


def new_key() -> str:
    """A fresh key. It is shown once and never stored."""
    return "twk_" + secrets.token_urlsafe(_KEY_BYTES)
