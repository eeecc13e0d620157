"""Where the API is: the server that a document names, and what else it could have been."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from rules.openapi.marks import mapping, sequence
from rules.openapi.references import Document
from rules.urls import parse_url

MOST_OTHERS: Final = 10
"""Other servers that a comment names."""

_VARIABLE: Final = re.compile(r"\{([^{}]+)\}")


@dataclass(slots=True)
class Server:
    """A backend's address. `others` are further ones that the document offers. `is_placeholder`: it names none.
    `addresses` are those of this machine or network that the operator named.
    """

    url: str
    others: list[str] = field(default_factory=list)
    is_placeholder: bool = False
    warnings: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)


def server(document: Document, name: str, given: str = "") -> Server:
    """The address: `given` (the operator's word), else the first of the document's, https before http.

    Raises ValueError where the given one is no address.
    """
    offered = _offered(document.root)
    if given:
        url = parse_url(given)
        others = [one for one in offered if one != given][:MOST_OTHERS]
        return Server(str(url), others, addresses=inside(url.host))
    usable = [one for one in offered if _is_url(one) and not _is_nobodys(parse_url(one).host)]
    usable.sort(key=lambda one: not one.startswith("https://"))
    if usable:
        url = parse_url(usable[0])
        others = [one for one in offered if one != usable[0]][:MOST_OTHERS]
        told = f"{url.host} is not on the public internet, and calls will go there: look whether that is meant"
        return Server(str(url), others, warnings=[told] if inside(url.host) else [])
    path = next((one for one in offered if one.startswith("/") and _is_url(f"https://a{one}")), "")
    told = "it names no server" if not offered else "its server is no address that can be called"
    host = name.replace("_", "-").strip("-")
    warning = f"{told}: write where the API is under `url`, or import again with --url"
    return Server(f"https://{host}.invalid{path.rstrip('/')}", offered[:MOST_OTHERS], True, [warning])


def inside(host: str) -> list[str]:
    """The addresses of a host that is not on the public internet, as far as its name says so."""
    if host == "localhost" or host.endswith(".localhost"):
        return ["127.0.0.1", "::1"]
    try:
        return [] if ip_address(host).is_global else [host]
    except ValueError:
        return []


def _is_nobodys(host: str) -> bool:
    """Whether no API can be meant: a link-local address (where clouds serve credentials), or one that is no host's."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved


def own(value: Any) -> list[str]:
    """The addresses of an operation's or path's own `servers`."""
    return [_filled(mapping(one)) for one in sequence(value)]


def _offered(root: Mapping[str, Any]) -> list[str]:
    """The addresses of a document; one with a password in it is none."""
    found = own(root.get("servers"))
    if isinstance(root.get("host"), str):
        schemes = [str(one) for one in sequence(root.get("schemes"))] or ["https"]
        found += [f"{one}://{root['host']}{root.get('basePath') or ''}" for one in schemes]
    elif isinstance(root.get("basePath"), str):
        found.append(root["basePath"])
    return list(dict.fromkeys(one for one in found if one and "@" not in one))


def _filled(said: Mapping[str, Any]) -> str:
    """A server's address with the defaults of its variables."""
    variables = mapping(said.get("variables"))

    def value(found: re.Match[str]) -> str:
        one = mapping(variables.get(found[1]))
        choice = one.get("default") or next(iter(sequence(one.get("enum"))), None)
        return found[0] if choice is None else str(choice)

    url = said.get("url")
    return _VARIABLE.sub(value, url).strip() if isinstance(url, str) else ""


def _is_url(text: str) -> bool:
    try:
        parse_url(text)
    except ValueError:
        return False
    return urlsplit(text).hostname is not None
