"""Tools: what an agent may call, where it leads, and how a wire path finds its tool."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Literal

from rules.schema import Contract

Place = Literal["path", "query", "header", "cookie"]
Effect = Literal["read", "write", "irreversible", "admin"]
Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Url:
    """Where a backend is. `host` is lower-case, an IPv6 address stands without brackets; `path` is empty or
    begins with `/` and never ends with one. There is no user, query or fragment.
    """

    scheme: Literal["http", "https"]
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The value of the Host header (RFC 9110, 7.2): the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == {"http": 80, "https": 443}[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


@dataclass(frozen=True, slots=True)
class Backend:
    """One API behind the sidecar. `addresses` are the networks it may lie in besides the public internet."""

    name: str
    url: Url
    addresses: tuple[Network, ...] = ()
    tools: tuple[str, ...] = ()
    says: str = ""


@dataclass(frozen=True, slots=True)
class Param:
    """An argument that is not in the body. `name` is the argument's name, `wire` its name on the wire.

    `kind` says how the wire's text becomes a JSON value: `string`, `integer`, `number`, `boolean`, or
    `array of KIND` (a query name that is repeated). `encoded_slash` and `matrix` allow `%2f` and `;` in a path value.
    """

    name: str
    wire: str
    place: Place
    kind: str = "string"
    encoded_slash: bool = False
    matrix: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """How an answer is treated: the kinds of findings that are taken out (none: the answer is not scanned), what
    happens when it cannot be checked, and the most bytes (decoded) that are accepted.
    """

    redact: frozenset[str] = frozenset()
    on_error: Literal["refuse", "pass"] = "refuse"
    most_bytes: int = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Tool:
    """One operation of a backend and its contract. `name` is `backend.short`.

    `path` is a template such as `/customers/{customer_id}`, byte for byte as on the wire. `body_wire` maps an
    argument in the JSON body to its name there. With `whole_body` the argument `body` is the body itself.
    `body_open`: names that are not declared are arguments too, and the contract judges them. `hash` names the exact
    contract. `file` and `line` say where it was written.
    """

    name: str
    short: str
    backend: str
    says: str
    method: str
    path: str
    params: tuple[Param, ...]
    body_wire: Mapping[str, str]
    contract: Contract = field(compare=False)
    effect: Effect
    timeout_s: float
    reply: Reply
    hash: str
    whole_body: bool = False
    body_open: bool = False
    file: str = ""
    line: int = 0

    @property
    def body_names(self) -> frozenset[str]:
        """The argument names that lie in the JSON body."""
        return frozenset(self.body_wire)
