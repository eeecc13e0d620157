"""A secret that the sidecar puts on the wire itself, and where such come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol, runtime_checkable

VALUE = "value"
"""The name of the field of a secret that is one plain value."""


class CredentialError(Exception):
    """A credential cannot be had. The text says why, holds no value, and is safe for logs and Records."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Secret:
    """The fields of one secret; a plain one is {"value": ...}. After `until`, in monotonic seconds, it must not be sent
    any more.
    """

    fields: Mapping[str, str]
    until: float | None = None

    @classmethod
    def plain(cls, value: str, until: float | None = None) -> Secret:
        """One value without a name."""
        return cls(MappingProxyType({VALUE: value}), until)

    def __repr__(self) -> str:
        return f"Secret({len(self.fields)} fields)"

    def field(self, name: str) -> str:
        """Raises CredentialError where it has no such field, or an empty one."""
        if not (value := self.fields.get(name)):
            raise CredentialError(f"the secret has no field `{name}`")
        return value


Tell = Callable[[Secret, bool], None]
"""Told (secret, True) before a secret is sent for the first time, and (secret, False) when it has ended; from any
thread.
"""


class Source(Protocol):
    """Where a secret comes from."""

    async def get(self, call: str, principal: str, run: str) -> Secret:
        """The secret for a call, by the call's id. Waits on the network at the very first fetch alone, and no longer
        than its bound. Raises CredentialError.
        """


@runtime_checkable
class Revocable(Protocol):
    """A source whose secrets can be ended before their time."""

    async def revoke(self, secret: Secret) -> None:
        """End it: it was seen where it must not be. The next call gets another. Raises CredentialError."""
