"""JSON Web Tokens (RFC 7519): whether one is good, what it claims, and who acts for whom (RFC 8693, `act`)."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from proxy.errors import Refusal
from proxy.identity.jwks import KeySet
from proxy.identity.settings import JwtSettings
from proxy.pointers import NOTHING, at
from proxy.protocols import strictjson
from rules.facts import Link

if TYPE_CHECKING:  # where no token is ever read, the tenth of a second that the import takes is not spent
    import jwt

MOST_TOKEN: Final = 8 * 1024
MOST_NAME: Final = 256
MOST_DEPTH: Final = 32
_REQUIRED: Final = ["exp", "iss", "aud", "sub"]
_SAYS: Final = {
    "ExpiredSignatureError": "it has expired",
    "ImmatureSignatureError": "it is not valid yet",
    "InvalidIssuedAtError": "it is not valid yet",
    "InvalidAudienceError": "it is meant for another audience",
    "InvalidSignatureError": "its signature is wrong",
    "MissingRequiredClaimError": "it lacks one of the claims exp, iss, aud and sub",
}


class BadToken(Exception):
    """A token that proves nothing. The text says why, and repeats nothing of it."""


class Proof(NamedTuple):
    """What a good token says: its issuer's settings, its claims, and until when it counts, in seconds of time()."""

    settings: JwtSettings
    claims: Mapping[str, Any]
    until: float


class Issuers:
    """Checks the tokens of some issuers, each with its own keys, audiences and algorithms."""

    def __init__(self, issuers: Sequence[JwtSettings]) -> None:
        self.sets = [(settings, KeySet(settings)) for settings in issuers]
        self._by_name = {settings.issuer: (settings, keys) for settings, keys in self.sets}

    @property
    def generation(self) -> int:
        """Grows when some keys change: what was proved by the old ones has to be proved anew."""
        return sum(keys.generation for _, keys in self.sets)

    async def prove(self, token: str) -> Proof:
        """Raises BadToken, and NotRead where the issuer's keys were never read."""
        header, claimed = _unproved(token)
        issuer = claimed.get("iss")
        settings, keys = self._by_name.get(issuer, (None, None)) if isinstance(issuer, str) else (None, None)
        if settings is None or keys is None:
            raise BadToken("its issuer is not one that counts here")
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in settings.algorithms:
            raise BadToken("its algorithm is not one that counts here")
        if "crit" in header or not isinstance(kid, str | None):
            raise BadToken("its header asks for what is not understood here")
        key = await keys.find(kid, algorithm)
        if key is None:
            raise BadToken("its key is not one of the issuer's")
        return _proved(token, settings, key)


def _unproved(token: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The header and the claims, of which nothing is believed but which keys to try. What two readers could take for
    two things, as where a name stands twice, is no token."""
    if len(token) > MOST_TOKEN:
        raise BadToken(f"it is longer than {MOST_TOKEN} characters")
    try:
        header, claims, _ = (part + "=" * (-len(part) % 4) for part in token.split("."))
        read = [strictjson.parse(urlsafe_b64decode(part), MOST_DEPTH) for part in (header, claims)]
    except (Refusal, ValueError):
        read = []
    if not read or not all(isinstance(part, dict) for part in read):
        raise BadToken("it is no JSON Web Token")
    return read[0], read[1]


def _proved(token: str, settings: JwtSettings, key: jwt.PyJWK) -> Proof:
    import jwt

    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            audience=settings.audience,
            issuer=settings.issuer,
            leeway=settings.leeway_s,
            options={"require": _REQUIRED},
        )
        return Proof(settings, claims, float(claims["exp"]) + settings.leeway_s)
    except (jwt.PyJWTError, ValueError, OverflowError, TypeError) as error:
        raise BadToken(_SAYS.get(type(error).__name__, "it does not hold")) from None


def chain(proof: Proof) -> tuple[Link, ...]:
    """From the subject of a token to who holds it now, each acting for the one before: one link where nobody was
    delegated. Raises BadToken."""
    own = Link(_subject(proof.claims), roles(proof))
    return (own, *reversed([Link(name, proof.settings.actors.get(name)) for name in _actors(proof)]))


def _actors(proof: Proof) -> Iterator[str]:
    """Who acts now, then who did before (RFC 8693, 4.1)."""
    act, left = proof.claims.get("act"), proof.settings.most_chain - 1
    while act is not None:
        if not isinstance(act, dict):
            raise BadToken("its `act` is no object")
        if not left:
            raise BadToken(f"more than {proof.settings.most_chain} act for each other in it")
        yield _subject(act)
        act, left = act.get("act"), left - 1


def _subject(claims: Mapping[str, Any]) -> str:
    return _name(claims.get("sub"), "subject")


def _name(value: object, what: str) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MOST_NAME or not value.isprintable():
        raise BadToken(f"its {what} is no name of 1 to {MOST_NAME} printable characters")
    return value


def roles(proof: Proof) -> frozenset[str]:
    """The roles of a token's subject. Raises BadToken where the claim holds something else."""
    settings = proof.settings
    said = claim(proof.claims, settings.roles)
    words = said.split() if isinstance(said, str) else [] if said is None else said
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise BadToken("its roles are no list of words")
    if settings.role_map is None:
        return frozenset(words)
    return frozenset(role for word in words for role in settings.role_map.get(word, ()))


def name_in(proof: Proof, path: str) -> str:
    """The name in a claim that settings speak of; empty for none. Raises BadToken for what is no name."""
    value = claim(proof.claims, path) if path else None
    return "" if value is None else _name(value, "user or agent")


def claim(claims: Mapping[str, Any], path: str) -> Any:
    """The value of a claim, by its name or by a JSON pointer (RFC 6901) to it; None where there is none."""
    if not path.startswith("/"):
        return claims.get(path)
    return None if (value := at(claims, path)) is NOTHING else value
