"""A request that Vault did not grant, in words of our own: those of libraries may hold what was sent."""

from __future__ import annotations

from typing import Final

from proxy.credentials.secret import CredentialError

_WORDS: Final = {
    400: "it refused what it was sent",
    403: "permission was denied",
    404: "there is nothing at that path",
    412: "it is not up to date yet",
    429: "it is asked too much",
    501: "it is not initialized",
    503: "it is sealed, or down for maintenance",
}
STALLED: Final = "it did not answer in time"
UNREACHABLE: Final = "it cannot be reached"
UNTRUSTED: Final = "its certificate is not trusted"
CROWDED: Final = "more is asked of it than it answers"
NOT_VAULT: Final = "something that is not Vault answered"
GARBLED: Final = "its answer cannot be read"


class Fault(CredentialError):
    """`path` is what was asked for, `status` that of the answer, 0 where there was none, `after_s` how long Vault wants
    to be left alone.
    """

    def __init__(self, path: str, status: int = 0, why: str = "", after_s: float = 0.0) -> None:
        said = f" ({status})" if status else ""
        super().__init__(f"Vault at {path}: {why or _words(status)}{said}")
        self.path, self.status, self.why, self.after_s = path, status, why, after_s

    @property
    def meant(self) -> bool:
        """Whether Vault itself said so: not a proxy before it, nor nobody."""
        return self.status > 0 and not self.why

    def anew(self) -> Fault:
        """The same once more: one exception that is raised in two places gathers the traces of both."""
        return Fault(self.path, self.status, self.why, self.after_s)

    @property
    def passing(self) -> bool:
        """Whether the same request may be granted in a moment, and was not carried out."""
        return self.status in (412, 429) or self.status >= 500


def _words(status: int) -> str:
    if 300 <= status < 400:
        return "it points elsewhere, as a standby does: name the address of the active node"
    return _WORDS.get(status, "it failed")
