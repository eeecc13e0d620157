"""How a client of MCP learns where one signs in at a server: the request for its metadata (RFC 9728), and where that is
asked for here. No I/O.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from proxy.model import Call, Hail, Headers, Outgoing
from proxy.protocols import target
from proxy.protocols.head import Door
from proxy.protocols.jsonrpc import Malformed
from proxy.protocols.rest import RestAsk
from rules.facts import Principal, Run
from rules.mcp.plumbing import METADATA
from rules.tools import Catalog, Tool

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"
"""Stands before the path of what the metadata is of."""

PATHS: Final = frozenset({"/mcp", "/mcp/"})
"""Of the endpoint below a backend; both mean the same, for clients lose their credentials when they are redirected."""

_ALLOW: Final = (("Allow", "GET"),)
_PASSED: Final = frozenset({"via", "forwarded"})
"""Nothing else goes on: whoever asks this does so because it has no credential yet."""


class Sought(NamedTuple):
    """The endpoint whose metadata is asked for: its backend, the path under which agents see that, and the endpoint's
    own path at the door."""

    backend: str
    base: str
    path: str


def sought(door: Door, host: str, path: str) -> Sought | None:
    """What a path asks the metadata of; None where it is no such path. Before the endpoint's path may stand what stands
    there outside: a client puts the well-known part before all of it."""
    if not path.startswith(f"{WELL_KNOWN}/"):
        return None
    rest = path[len(WELL_KNOWN) :]
    for before in dict.fromkeys(("", door.seen(host)[1])):
        path = rest.removeprefix(before)
        backend, base, below = door.sought(host, path)
        if rest.startswith(before) and below in PATHS:
            return Sought(backend, base, path)
    return None


def is_for_client(door: Door, tool: Tool) -> bool:
    """Whether a token that a client gets by signing in would reach the server."""
    return not door.bearer and tool.slots.passing("bearer")


def url_of(door: Door, host: str, path: str) -> str:
    """Where the metadata of an endpoint is, as clients see it. A proxy before us that takes something off the paths
    needs one rule for both."""
    return f"{''.join(door.seen(host))}{WELL_KNOWN}{path}"


class MetadataAsk(RestAsk):
    """A GET of the metadata of an MCP server."""

    def hail(self) -> Hail:
        return super().hail()._replace(protocol="mcp")

    async def find(self, catalog: Catalog) -> Tool | None:
        path, query = target.split(self._target)
        if self._method != "GET":
            no = Malformed("Metadata is read with GET.", suggestion="Send a GET without a body.", http=405)
            no.headers = _ALLOW
            raise no
        if query or self._head.get("content-length", "0") != "0" or "transfer-encoding" in self._head:
            raise Malformed("This request takes no query and no body.", suggestion="Send a GET without either.")
        found = sought(self._door, self._head["host"], path)
        if found is None:
            return None
        self._sought = found
        return catalog.remote(found.backend, METADATA)

    async def call(self, call_id: str, tool: Tool, principal: Principal, run: Run) -> Call:
        passed: Headers = tuple(pair for pair in self._greeting.passed if pair[0] in _PASSED)
        return Call(
            id=call_id,
            run=run,
            principal=principal,
            tool=tool,
            arguments={},
            problems=(),
            outgoing=Outgoing("GET", "", (("accept", "application/json"), *passed), b"", rooted=True),
            base=self._sought.base,
            peer=self._peer.address,
            origin=self._door.seen(self._head["host"])[0],
        )

    def is_for_client(self, tool: Tool) -> bool:
        """Whether a token that a client gets by signing in would reach the server."""
        return is_for_client(self._door, tool)

    @property
    def resource(self) -> str:
        """The endpoint, exactly as the client that asks knows it."""
        return "".join(self._door.seen(self._head["host"])) + self._sought.path
