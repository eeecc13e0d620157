"""Networks like those of a compose file, from the kernel's own namespaces: a switch each, which the host is not on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.deploy.machine import run

PREFIX = "twtest-"


@contextmanager
def networks(members: Mapping[str, list[str]]) -> Iterator[dict[tuple[str, str], str]]:
    """Networks and their members in; the address of each member in each of its networks out, by (member, network).

    No member has a route out of its networks.
    """
    hosts = sorted({host for each in members.values() for host in each})
    try:
        for name in (*hosts, *members):
            run("ip", "netns", "add", PREFIX + name)
            inside(name, "ip", "link", "set", "lo", "up")
        yield {key: address for number, net in enumerate(members) for key, address in _join(number, net, members[net])}
    finally:
        for name in (*hosts, *members):
            run("ip", "netns", "delete", PREFIX + name, check=False)


def inside(name: str, *words: str, check: bool = True) -> str:
    """Run a command where a member, or a network's switch, is."""
    return run("ip", "netns", "exec", PREFIX + name, *words, check=check).stdout


def _join(number: int, network: str, hosts: list[str]) -> Iterator[tuple[tuple[str, str], str]]:
    inside(network, "ip", "link", "add", "switch", "type", "bridge")
    inside(network, "ip", "link", "set", "switch", "up")
    for place, host in enumerate(hosts):
        port, card, address = f"port{place}", f"net{number}", f"10.77.{number}.{place + 2}"
        inside(network, "ip", "link", "add", port, "type", "veth", "peer", "name", card, "netns", PREFIX + host)
        inside(network, "ip", "link", "set", port, "master", "switch", "up")
        inside(host, "ip", "address", "add", f"{address}/24", "dev", card)
        inside(host, "ip", "link", "set", card, "up")
        yield (host, network), address
