"""Where the sidecar listens, how it speaks TLS there, and what the admin listener asks for."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from proxy.identity.settings import IdentitySettings
from rules.shape import Choice, Form, Key, Many, Text
from rules.source import LoadProblem, Node
from rules.urls import parse_url

MOST_PORT: Final = 65_535

MOST_PATH: Final = 107
"""Bytes of a Unix socket's path that the kernel takes (unix(7): 108 with the zero at its end)."""

_UNIX: Final = "unix:"
BIND: Final = r"^(unix:[^\x00]*[^\x00/]|(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5})$"
_Bind: Final = Text(BIND, "HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080, or unix:PATH")
NAME: Final = r"^([a-z0-9._-]+|\[[0-9a-f:.]+\])$"
NAME_LIKE: Final = "a host name in lower case, without a port"
NAMES: Final = Many(Text(NAME, NAME_LIKE))
_OWNER: Final = "0600"
_ALL: Final = "0666"
SECRET: Final = Text(r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$", "env:NAME or file:PATH")

TLS: Final = Form(
    {
        "certificate": Key(Text(), "PEM file of the certificate and those between it and its root.", required=True),
        "key": Key(Text(), "PEM file of its key, which is not encrypted.", required=True),
        "client_ca": Key(Text(), "PEM file of the authorities whose client certificates are taken, and no others."),
        "client": Key(Choice(("required", "optional")), "Whether a client has to have one of them. required"),
    }
)
_TLS: Final = Key(TLS, "Speaks HTTPS here. Paths are relative to this file; changed files are read anew.")
_MODE: Final = Key(
    Choice((_OWNER, "0660", _ALL)), 'Who may open a Unix socket: "0600" its owner, "0660" its group, "0666" all. "0600"'
)
LISTENING: Final = {
    "bind": Key(_Bind, "Address and port, or the path of a Unix socket, that agents call.", required=True),
    "mode": _MODE,
    "tls": _TLS,
}
"""The keys of a listener that say where and how it listens."""

ADMIN: Final = Form(
    {
        "bind": Key(_Bind, "Where health, readiness and metrics are asked for.", required=True),
        "mode": _MODE,
        "tls": _TLS,
        "names": Key(NAMES, "Further Host names that callers may use."),
        "token": Key(
            SECRET,
            "What `Authorization: Bearer` has to hold for all but /healthz. Off loopback, this or client certificates "
            "are needed. A path is relative to this file.",
        ),
    }
)


class Place(NamedTuple):
    """Where a listener is: a host (an IPv6 address without brackets) and a port, or a Unix socket and its mode."""

    host: str = ""
    port: int = 0
    path: str = ""
    mode: int = 0o600

    @property
    def name(self) -> str:
        """What Records and messages call it."""
        return f"{_UNIX}{self.path}" if self.path else f"{self.host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it."""
        return bool(self.path) or is_loopback(self.host)

    @property
    def names(self) -> frozenset[str]:
        """The Host values, without port, by which it is called if nothing else is said. Whoever calls by a Unix socket
        names no host of its own accord: clients say localhost."""
        if self.path:
            return frozenset({"localhost"})
        own = {"localhost", "127.0.0.1", "[::1]"} if self.is_local else set[str]()
        return frozenset({*own, f"[{self.host}]" if ":" in self.host else self.host})


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """The TLS of one listener. Without `client_ca` no client is asked for a certificate."""

    certificate: Path
    key: Path
    client_ca: Path | None = None
    client: Literal["required", "optional"] = "required"


@dataclass(frozen=True, slots=True)
class AdminSettings:
    """The admin listener. `token` says where its token is (`env:NAME`, `file:PATH`), empty without one."""

    place: Place
    tls: TlsSettings | None = None
    names: frozenset[str] = frozenset()
    token: str = ""


def read_admin(node: Node | None, folder: Path, taken: set[str], problems: list[LoadProblem]) -> AdminSettings:
    """The admin listener of a checked file. `taken` are the names of the places before."""
    if node is None:
        return AdminSettings(Place("127.0.0.1", 9464))
    raw = node.plain()
    place, tls = read_place(node, folder, taken, problems), read_tls(node, folder, problems)
    if tls and tls.client_ca and tls.client == "optional":
        hint = "say `client: required`, or leave `client_ca` out"
        problems.append(node.key_problem("tls", "asks for client certificates that nothing here looks at", hint))
    if not (place.is_local or raw.get("token") or (tls and tls.client_ca)):
        hint = "add `token: env:NAME`, or `tls` with `client_ca`"
        problems.append(node.key_problem("bind", "is not loopback, and anybody could read metrics there", hint))
    return AdminSettings(place, tls, frozenset(raw.get("names", ())), located(raw.get("token", ""), folder))


def read_place(node: Node, folder: Path, taken: set[str], problems: list[LoadProblem]) -> Place:
    """Where a listener is. `taken` are the names of the places before."""
    bind = node.value["bind"].value
    mode = node.get("mode")
    if bind.startswith(_UNIX):
        place = _socket(node, folder / bind.removeprefix(_UNIX), int(mode.value if mode else _OWNER, 8), problems)
    else:
        place = _address(node, bind, problems)
        if mode:
            problems.append(node.key_problem("mode", "is for a Unix socket only", "leave it out"))
    if (place.path or place.port) and place.name in taken:
        problems.append(node.key_problem("bind", "is the address of another listener of this file"))
    taken.add(place.name)
    return place


def _socket(node: Node, path: Path, mode: int, problems: list[LoadProblem]) -> Place:
    if len(os.fsencode(path)) > MOST_PATH:
        problems.append(node.key_problem("bind", f"is a path of more than {MOST_PATH} bytes, too long for a socket"))
    return Place(path=str(path), mode=mode)


def _address(node: Node, bind: str, problems: list[LoadProblem]) -> Place:
    host, _, digits = bind.rpartition(":")
    host, port = host.strip("[]").lower(), int(digits)
    if port > MOST_PORT:
        problems.append(node.key_problem("bind", f"has a port above {MOST_PORT}"))
    if ":" in host and not _is_ipv6(host):
        problems.append(node.key_problem("bind", "holds no IPv6 address between its brackets"))
    return Place(host, port)


def check_closed(node: Node, place: Place) -> Iterator[LoadProblem]:
    """What is wrong with a listener on which everybody is let in."""
    if not place.is_local:
        hint = "use identity: {api_keys: ...}"
        yield node.key_problem("bind", "is not loopback, and `static` would let anybody in", hint)
    if place.mode == int(_ALL, 8):
        hint = "use identity: {api_keys: ...}, or another mode"
        yield node.key_problem("mode", "opens the socket to all, and `static` would let anybody in", hint)


def check_means(node: Node, place: Place, tls: TlsSettings | None, identity: IdentitySettings) -> Iterator[LoadProblem]:
    """What is wrong with a listener that is to know callers by what never comes by it."""
    if identity.certificates and not (tls and tls.client_ca):
        hint = "add `tls` with `client_ca`"
        yield node.key_problem("identity", "names certificates, and clients are asked for none", hint)
    if identity.peers and not place.path:
        hint = "use bind: unix:PATH"
        yield node.key_problem("identity", "names peers, and only a Unix socket tells users", hint)


def read_tls(node: Node, folder: Path, problems: list[LoadProblem]) -> TlsSettings | None:
    """The TLS of a listener, or None."""
    found = node.get("tls")
    if found is None:
        return None
    raw: Mapping[str, Any] = found.plain()
    if "client" in raw and "client_ca" not in raw:
        hint = "add `client_ca`"
        problems.append(found.key_problem("client", "needs to know whose certificates are taken", hint))
    ca = folder / raw["client_ca"] if "client_ca" in raw else None
    return TlsSettings(folder / raw["certificate"], folder / raw["key"], ca, raw.get("client", "required"))


def located(spec: str, folder: Path) -> str:
    """A source of a secret; a path in it is relative to the folder."""
    scheme, _, path = spec.partition(":")
    return f"{scheme}:{folder / path}" if scheme in ("file", "lines") else spec


def read_external(node: Node, names: Collection[str], problems: list[LoadProblem]) -> dict[str, tuple[str, str]]:
    """By which URL clients see a listener, for a Host or under the empty name for all: its origin, and what stands
    before the paths there. `names` are its Hosts."""
    found = node.get("external_url")
    if found is None:
        return {}
    if isinstance(found.value, str):
        if node.get("hosts"):
            hint = "say it for each: external_url: {HOST: URL}"
            problems.append(node.key_problem("external_url", "is one for all, and `hosts` tell by the Host", hint))
        return {"": _external(found, problems)}
    strange = [name for name, _ in found.items() if name not in names]
    hint = "add it to `names` or `hosts`"
    problems += [found.key_problem(name, "is no Host of this listener", hint) for name in strange]
    return {name: _external(each, problems) for name, each in found.items()}


def _external(node: Node, problems: list[LoadProblem]) -> tuple[str, str]:
    """A URL as it is written down, but for a slash at its end."""
    said: str = node.value.rstrip("/")
    try:
        parse_url(said)
        if '"' in said or not (said.isascii() and said.isprintable()):
            raise ValueError("must be ASCII, without quotes")
    except ValueError as error:
        problems.append(node.problem(str(error)))
    scheme, between, rest = said.partition("://")
    authority, slash, path = rest.partition("/")
    return scheme + between + authority, slash + path


def _is_ipv6(host: str) -> bool:
    try:
        return bool(IPv6Address(host))
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens on `host`."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
