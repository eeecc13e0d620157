"""Where a backend is, as its author writes it: a URL, and the networks that it may lie in."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Literal
from urllib.parse import SplitResult, urlsplit

from rules.template import parse

_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_ADDRESS_LIKE: Final = re.compile(r"(0x[0-9a-f]*|[0-9]+)")

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Url:
    """Where a backend is. `host` is lower-case, an IPv6 address stands without brackets; `path` is empty or
    begins with `/` and never ends with one, unless it is an endpoint. There is no user, query or fragment. A server
    that is started (`stdio`) is nowhere.
    """

    scheme: Literal["http", "https", "stdio"]
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The value of the Host header (RFC 9110, 7.2): the port only where it is not the scheme's own."""
        if self.is_started:
            return ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == {"http": 80, "https": 443}[self.scheme] else f"{host}:{self.port}"

    @property
    def is_started(self) -> bool:
        """Whether its server is started, and spoken to by its standard input and output."""
        return self.scheme == "stdio"

    def __str__(self) -> str:
        return "stdio:" if self.is_started else f"{self.scheme}://{self.authority}{self.path}"


STARTED: Final = Url("stdio", "", 0, "")


def parse_url(text: str) -> Url:
    """A backend's address. Raises ValueError with what is wrong, for the author."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"is not a URL: {error}") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError("must begin with http:// or https://")
    if re.search(r"[\s\\]", text) or "@" in parts.netloc or "?" in text or "#" in text:
        raise ValueError("must be http(s)://host[:port][/path], without a user, query or fragment")
    path = parts.path.rstrip("/")
    if path:
        _check_base(path)
    default = 443 if parts.scheme == "https" else 80
    return Url(parts.scheme, _host(parts), default if port is None else port, path)  # type: ignore[arg-type]


def parse_endpoint(text: str) -> Url:
    """The address of an MCP server, below which there is nothing: a slash at its end counts. `stdio:` is that of one
    that is started. Raises ValueError."""
    if text == str(STARTED):
        return STARTED
    url, path = parse_url(text), urlsplit(text).path
    if path.endswith("//"):
        raise ValueError("must not end with several slashes")
    return replace(url, path=path) if url.path else url


def _check_base(path: str) -> None:
    if any(segment.names for segment in parse(path)):
        raise ValueError("must not hold {parameters}")


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").lower().rstrip(".")
    if ":" in host and "%" not in host:
        return str(IPv6Address(host))
    labels = host.split(".")
    if not all(_LABEL.fullmatch(label) for label in labels) or len(host) > 253:
        raise ValueError("has no host name of letters, digits, - and dots")
    if _ADDRESS_LIKE.fullmatch(labels[-1]):
        return str(IPv4Address(host))
    return host


def parse_network(text: str) -> Network:
    """A network or an address. Raises ValueError with what is wrong, for the author."""
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        wide = ip_network(text, strict=False)
    except ValueError:
        raise ValueError("is not a network such as 10.0.0.0/8 or an address") from None
    raise ValueError(f"has bits beyond its prefix: write {wide} or {ip_address(text.split('/')[0])}")
