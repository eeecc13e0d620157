"""Signing in to Vault, in a thread: what proves who we are, and the token that Vault gives for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from proxy.vault.fault import GARBLED, Fault
from proxy.vault.wire import Wire
from proxy.vault_settings import AuthSettings

MOST_PROOF: Final = 64 * 1024
"""Bytes of a file that holds a token, a secret id or a JWT."""

USED: Final = "the wrapped secret id was unwrapped before, or has expired: if this sidecar did not, ask who did"


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """A token of ours. `length_s` is how long it was given for, `left_s` how long it lasts from when it was asked for,
    0 for ever. `own` is whether this process got it for itself, and so may end it.
    """

    value: str
    length_s: float
    left_s: float
    renewable: bool
    own: bool

    def __repr__(self) -> str:
        return f"Token(length_s={self.length_s}, renewable={self.renewable}, own={self.own})"


class Login:
    """How this sidecar signs in. A wrapping token is unwrapped once, and what it held is kept for the next login."""

    def __init__(self, settings: AuthSettings, wire: Wire) -> None:
        self._settings, self._wire = settings, wire
        self._unwrapped = ""
        self._spent = b""  # the hash of a wrapping token that holds nothing any more

    def __repr__(self) -> str:
        return f"Login({self._settings.method})"

    def __call__(self) -> Token:
        """A token. Raises Fault."""
        settings = self._settings
        proof = self._unwrapped or read_proof(settings.proof)
        if settings.method == "token":
            return known_token(proof, self._wire.look(proof))
        if settings.wrapped and not self._unwrapped:
            proof = self._unwrapped = self._unwrap(proof)
        ways = {"approle": self._wire.approle, "kubernetes": self._wire.kubernetes, "jwt": self._wire.jwt}
        return lent_token(ways[settings.method](settings.mount, settings.role, proof))

    def _unwrap(self, wrapping: str) -> str:
        """Whoever unwraps second gets nothing: that somebody was first has to be said, and is not tried again."""
        path, digest = "sys/wrapping/unwrap", sha256(wrapping.encode()).digest()
        found = None
        try:
            if digest != self._spent:
                found = self._wire.unwrap(wrapping).get("secret_id")
        except Fault as fault:
            if fault.status != 400 or not fault.meant:
                raise
        if not isinstance(found, str) or not found:
            self._spent = digest
            raise Fault(path, 400, USED)
        return found


def lent_token(auth: Mapping[str, Any]) -> Token:
    """The token of a login or a renewal."""
    value, length = auth.get("client_token"), auth.get("lease_duration")
    if not isinstance(value, str) or not value or not isinstance(length, int):
        raise Fault("auth", why=GARBLED)
    return Token(value, length, length, auth.get("renewable") is True, own=True)


def known_token(value: str, seen: Mapping[str, Any]) -> Token:
    """A token that somebody else keeps, by what Vault says of it."""
    left, length = seen.get("ttl"), seen.get("creation_ttl")
    if not isinstance(left, int) or not isinstance(length, int):
        raise Fault("auth/token/lookup-self", why=GARBLED)
    return Token(value, max(left, length), left, seen.get("renewable") is True, own=False)


def read_proof(spec: str) -> str:
    """What stands in `env:NAME` or `file:PATH`, read now. Raises Fault."""
    scheme, _, name = spec.partition(":")
    if scheme == "env":
        text = os.environ.get(name, "").strip()
        why = f"the environment variable {name}, with which to sign in, is not set, or is empty"
    else:
        text, why = _read(Path(name))
    if not text or not text.isascii() or not text.isprintable():
        raise Fault("auth", why=why if not text else f"{spec}, with which to sign in, is no line of ASCII")
    return text


def _read(path: Path) -> tuple[str, str]:
    """The text of a file, and why there is none."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_PROOF + 1)
    except OSError as error:
        return "", f"{path}, with which to sign in, cannot be read: {error.strerror}"
    if len(data) > MOST_PROOF:
        return "", f"{path}, with which to sign in, is larger than {MOST_PROOF} bytes"
    return data.decode("utf-8", "replace").strip(), f"{path}, with which to sign in, is empty"
