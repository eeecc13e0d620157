"""Where in Vault a credential lies, as rules say it: `vault:secret/crm?version=3#token`."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from proxy.credentials.secret import CredentialError

_SEGMENT: Final = r"(?!\.{1,2}(?:/|\?|#|$))[A-Za-z0-9_.~@+-]{1,128}"
_VERSION_AND_FIELD: Final = r"(?:\?version=([1-9][0-9]{0,8}))?(?:#([A-Za-z0-9_.-]{1,128}))?"
_SPEC: Final = re.compile(rf"vault:({_SEGMENT}(?:/{_SEGMENT}){{1,15}}){_VERSION_AND_FIELD}")


class Place(NamedTuple):
    """A path of Vault as its command line knows it, mount included; a `version` of a KV secret, 0 for the newest; and
    the `field` that is wanted, empty for all.
    """

    path: str
    version: int = 0
    field: str = ""

    def __str__(self) -> str:
        version = f"?version={self.version}" if self.version else ""
        return f"vault:{self.path}{version}" + (f"#{self.field}" if self.field else "")


def parse(spec: str) -> Place:
    """Raises CredentialError for what is no such place."""
    if not (found := _SPEC.fullmatch(spec)):
        raise CredentialError("a place in Vault is written vault:MOUNT/PATH, with ?version=N and #FIELD where wanted")
    path, version, field = found.groups()
    return Place(path, int(version or 0), field or "")
