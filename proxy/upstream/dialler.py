"""The safe dialler: a backend's name is resolved here, each address is checked, and only checked ones are dialled."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from aiohttp.abc import AbstractResolver, ResolveResult

from rules.tools import Backend
from rules.urls import Network

Address = IPv4Address | IPv6Address

# Names that by their form belong to a private network: single labels (Compose, Kubernetes) and special-use suffixes.
_PRIVATE_SUFFIXES = (
    ".internal", ".local", ".localhost", ".localdomain", ".lan", ".home.arpa", ".intranet", ".private", ".corp",
    ".svc", ".test",
)  # fmt: skip
_PRIVATE = tuple(
    ip_network(net)
    for net in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "::1/128", "fc00::/7")
)
# What tells machines of a cloud their secrets and lies outside link-local, some of it at a public address: never by a
# mere name. AWS over IPv6 (instances, pods), Google over IPv6, Alibaba, Oracle, and the WireServer of Azure.
_METADATA = frozenset(
    map(
        ip_address,
        ("fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "100.100.100.200", "192.0.0.192", "168.63.129.16"),
    )
)
# IPv6 that carries an IPv4 address at its end (RFC 6052): judged by the address it would reach. In the local-use
# prefix 64:ff9b:1::/48 nobody but its network knows where the address lies: it is not dialled unless it is named.
_NAT64 = IPv6Network("64:ff9b::/96")
# All that is given out of IPv6 as global unicast (RFC 4291, 2.4; IANA). Python takes what it does not know for global.
_GIVEN_OUT = IPv6Network("2000::/3")
_MOST_ADDRESSES = 16


class Forbidden(OSError):
    """A name led to an address where the rules do not let this backend be. An OSError, as a failed look-up is."""


class Dialler(AbstractResolver):
    """aiohttp's resolver for one backend. What it returns is what is dialled: nothing resolves a second time."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Checked addresses of `host`. Raises Forbidden if any may not be dialled: one bad answer is an attack."""
        infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        for info in infos:
            if not may_dial(self._backend, ip_address(info[4][0])):
                raise Forbidden(f"{host} resolves to an address where the backend `{self._backend.name}` may not be")
        return [_result(host, info) for info in infos[:_MOST_ADDRESSES]]

    async def close(self) -> None:
        return None


def _result(host: str, info: tuple[int, int, int, str, Sequence[object]]) -> ResolveResult:
    family, _, proto, _, address = info
    return ResolveResult(
        hostname=host,
        host=str(address[0]),
        port=int(str(address[1])),
        family=family,
        proto=proto,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )


def may_dial(backend: Backend, address: Address) -> bool:
    """Whether the rules let this backend lie at `address`.

    The networks in `addresses` always may. Otherwise a public address may; a private or loopback one only under a
    name that is private by its form; link-local, metadata, multicast, reserved and tunnelled ones never.
    """
    address = _reached(address)
    if any(address in network for network in _same_version(backend.addresses, address)):
        return True
    if any(address in network for network in _same_version(_PRIVATE, address)):
        return is_private_name(backend.url.host) and address not in _METADATA
    if address.version == 6 and address not in _GIVEN_OUT:
        return False
    return address.is_global and not address.is_multicast and address not in _METADATA


def is_private_name(host: str) -> bool:
    """Whether a host name can only mean a machine of one's own network."""
    return ("." not in host and ":" not in host) or host.endswith(_PRIVATE_SUFFIXES)


def _reached(address: Address) -> Address:
    """The IPv4 address inside a mapped, 6to4, Teredo or NAT64 form; itself otherwise."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address.teredo is not None:
        return address.teredo[1]
    # Below ::/96 lie only the deprecated IPv4-compatible addresses, and :: and ::1, which stay what they are.
    if int(address) >> 32 == 0 and int(address) > 1:
        return IPv4Address(int(address))
    return address.ipv4_mapped or address.sixtofour or address


def _same_version(networks: Sequence[Network], address: Address) -> list[Network]:
    return [network for network in networks if network.version == address.version]
