"""Who is calling. A listener may know callers in several ways; a credential that fails is never an empty principal."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import replace
from functools import partial
from time import time
from typing import Final, Protocol
from urllib.parse import quote

from proxy.errors import Refusal
from proxy.identity import tokens
from proxy.identity.jwks import NotRead
from proxy.identity.settings import IdentitySettings
from proxy.identity.tokens import BadToken, Issuers, Proof
from proxy.model import DELEGATES, Certificate, Hail
from rules.facts import MOST_ID, ON_BEHALF, Link, Principal

Make = Callable[[Proof, tuple[Link, ...]], Principal]
Identify = Callable[[Hail], Awaitable[Principal]]
"""Gives the principal of a request, or raises Refusal `unauthenticated`."""

MOST_KEPT: Final = 10_000
"""Tokens that are remembered as good until they end; the one that was used longest ago is checked anew."""

_KEY_BYTES = 32
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+")
"""What an id is made of. None of a caller that acts for nobody has a space: see ON_BEHALF."""


class Keys(Protocol):
    """API keys by the SHA-256 of each, in hex."""

    def get(self, digest: str, /) -> Principal | None: ...


def static(principal: Principal) -> Identify:
    """Everyone who reaches the listener is this principal: for a sidecar on loopback that serves one agent."""

    async def identify(hail: Hail) -> Principal:
        return principal

    return identify


class Identity:
    """The ways in which one listener knows its callers, tried by what a request carries.

    A key or a token counts before a certificate, and that before the user id at the other end of a socket. What is
    carried has to be right: nobody is somebody else because a credential was wrong, or because there was a second one.
    Keys are 256 random bits, so a plain hash cannot be guessed back, and looking up a hash tells nothing by its time.
    What begins with one of `prefixes` is named by tokens alone, at whatever listener.
    """

    def __init__(
        self,
        settings: IdentitySettings,
        keys: Iterable[Keys],
        issuers: Issuers,
        delegation: Issuers,
        prefixes: tuple[str, ...] = (),
    ) -> None:
        self._settings = settings
        self._keys = tuple(keys)
        self._issuers, self._delegation = issuers, delegation
        self._prefixes = prefixes
        self._proved = _Kept(issuers)
        self._delegated = _Kept(delegation)

    async def __call__(self, hail: Hail) -> Principal:
        found = await self._caller(hail)
        if hail.delegation is not None:
            found = await self._on_behalf(found, hail.delegation)
        if len(found.id) > MOST_ID:
            raise self._no("The names that make up its caller are too long together.", "Get shorter ones.")
        return found

    async def _caller(self, hail: Hail) -> Principal:
        if self._settings.static:
            if hail.key is not None:
                raise self._no("It carries a key, and this listener asks for none.", "Send none.")
            return self._settings.static
        if hail.key is not None and hail.bearer is not None:
            raise self._no("It carries two credentials, a key and a token.", "Send the one that is meant.")
        if hail.key is not None:
            return self._by_key(hail.key)
        if hail.bearer is not None:
            return await self._by_token(hail.bearer)
        if hail.certificate and self._settings.certificates:
            return self._by_certificate(hail.certificate)
        if hail.uid is not None and hail.uid in self._settings.peers:
            return self._settings.peers[hail.uid]
        raise self._no("It carries no credential that this listener knows.", "Send the one that the operator issued.")

    def _by_key(self, key: str) -> Principal:
        name = digest(key)
        found = next((known for keys in self._keys if (known := keys.get(name))), None) if key else None
        # Whom a token names nobody may be by a key: a key file is read later than what forbids that in toolwall.yaml.
        if found is None or found.id.startswith(self._prefixes):
            raise self._no(
                "The header `Toolwall-Key` holds no valid key.",
                "Send a key that the operator of this sidecar has issued.",
            )
        return found

    async def _by_token(self, token: str) -> Principal:
        found = self._proved.get(name := _hash(token))
        if found is None:
            found, until = await self._read(self._issuers, token, "Authorization", _principal_of)
            self._proved.put(name, found, until)
        return found

    async def _read(self, issuers: Issuers, token: str, header: str, make: Make) -> tuple[Principal, float]:
        """Whom a token makes of its bearer, and until when."""
        try:
            proof = await issuers.prove(token)
            return make(proof, tokens.chain(proof)), proof.until
        except BadToken as bad:
            detail = f"The token in `{header}` is not good: {bad}."
            raise self._no(detail, "Get a new token, and send it.") from None
        except NotRead:
            raise Refusal(
                "internal",
                "The token cannot be checked now: the keys of its issuer were not read yet.",
                note="no keys of the token's issuer could be read since the start: see /readyz",
            ) from None

    def _by_certificate(self, certificate: Certificate) -> Principal:
        settings = self._settings
        if not certificate.holds(time()):  # a stream that lasts asks again who its caller is
            raise self._no("Its certificate does not count any more.", "Connect again, with one that does.")
        found = settings.digests.get(certificate.digest) or settings.subjects.get(certificate.subject)
        if found:
            return found
        named = {one for uri in certificate.uris if (one := self._of_uri(uri))}
        if len(named) != 1:
            what = "several whom" if named else "nobody whom"
            raise self._no(
                f"Its certificate names {what} this listener knows.", "Use the one that the operator issued."
            )
        return named.pop()

    def _of_uri(self, uri: str) -> Principal | None:
        known = self._settings.uris.get(uri) or self._below(uri)
        if not known or not _VISIBLE.fullmatch(uri):
            return None
        return known if known.id else replace(known, id=uri)

    def _below(self, uri: str) -> Principal | None:
        """What `scheme://host/a/*` says of a URI; the longest such name counts."""
        while "/" in uri:
            uri = uri.rpartition("/")[0]
            if found := self._settings.uris.get(uri + "/*"):
                return found
        return None

    async def _on_behalf(self, caller: Principal, token: str) -> Principal:
        """The caller, for the user that a token names. The token has to be made out to this very caller."""
        name = caller, _hash(token)  # all of the caller: what it may is not the same with each of its credentials
        found = self._delegated.get(name)
        if found is None:
            make = partial(_delegated, caller)
            found, until = await self._read(self._delegation, token, "Toolwall-Delegation", make)
            self._delegated.put(name, found, until)
        return found

    def _no(self, detail: str, suggestion: str) -> Refusal:
        settings = self._settings
        key = settings.keys or settings.key_file
        asks = [
            *(['Bearer realm="toolwall"'] if settings.jwt else ()),
            *(['Toolwall-Key realm="toolwall"'] if key else ()),
        ]
        return Refusal(
            "unauthenticated", detail, suggestion=suggestion, headers=tuple(("WWW-Authenticate", each) for each in asks)
        )


class _Kept:
    """Whom a token makes of a caller, until it ends or the keys change."""

    def __init__(self, issuers: Issuers) -> None:
        self._issuers = issuers
        self._generation = 0
        self._found: OrderedDict[Hashable, tuple[Principal, float]] = OrderedDict()

    def get(self, name: Hashable) -> Principal | None:
        self._look_at_keys()
        found = self._found.get(name)
        if found is None:
            return None
        if found[1] <= time():
            del self._found[name]
            return None
        self._found.move_to_end(name)
        return found[0]

    def put(self, name: Hashable, principal: Principal, until: float) -> None:
        self._look_at_keys()
        self._found[name] = principal, until
        if len(self._found) > MOST_KEPT:
            self._found.popitem(last=False)

    def _look_at_keys(self) -> None:
        if self._generation != (now := self._issuers.generation):
            self._found.clear()
            self._generation = now


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _principal_of(proof: Proof, links: tuple[Link, ...]) -> Principal:
    """The caller that a token names; where agents act for its subject, all of them make one id."""
    settings, alone = proof.settings, len(links) == 1
    subject = links[0]
    return Principal(
        id=settings.prefix + _path(links),
        roles=subject.roles or frozenset(),
        agent=tokens.name_in(proof, settings.agent) if alone else links[-1].id,
        user=tokens.name_in(proof, settings.user) if alone else subject.id,
        method="jwt",
        chain=() if alone else links,
        claims=_claims(proof),
    )


def _delegated(caller: Principal, proof: Proof, links: tuple[Link, ...]) -> Principal:
    """RFC 8693: the token names the caller as who acts now (`act`), or as who may (`may_act`). Raises BadToken."""
    if caller.chain:
        raise BadToken("the caller's own token delegates already")
    own = Link(caller.id, caller.roles)
    may = proof.claims.get("may_act")
    named = links[-1].id if len(links) > 1 else may.get("sub") if isinstance(may, dict) else None
    if not isinstance(named, str) or not named or named not in (caller.id, caller.agent):
        raise BadToken("it is not made out to this caller")
    before = links[:-1] if len(links) > 1 else links
    return replace(
        caller,
        id=f"{caller.id}{ON_BEHALF}{proof.settings.prefix}{_path(before)}",
        agent=caller.agent or caller.id,
        user=before[0].id,
        method=f"{caller.method}{DELEGATES}",
        chain=(*before, own),
        claims=_claims(proof),
    )


def _path(links: Iterable[Link]) -> str:
    """Names in one: no two chains have the same."""
    return "/".join(quote(link.id, safe="@:+,=") for link in links)


def _claims(proof: Proof) -> dict[str, object]:
    return {name: value for name in proof.settings.claims if (value := tokens.claim(proof.claims, name)) is not None}


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
