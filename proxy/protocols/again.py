"""A request that was written down, or written here, read as one that came in by a door. No I/O."""

from __future__ import annotations

from functools import partial

from proxy.model import Outgoing
from proxy.protocols import bodies, head, mcpparams, placing, target
from proxy.protocols.placing import Placed
from rules.tools import Catalog, Pick, Tool

_MOST_DEPTH = 200  # far below the levels at which readers give up; a door's own bound held when it came


def again(tool: Tool, outgoing: Outgoing, catalog: Catalog) -> tuple[Placed, Outgoing]:
    """The arguments that a request means, and the request that means just these. Raises Refusal, also where it means
    another tool today."""
    if tool.mcp:
        return mcpparams.again(tool, outgoing, catalog), outgoing
    path, query = target.split(outgoing.target)
    placed = Placed(_MOST_DEPTH)
    placing.path(placed, tool, segments(tool, path, catalog))
    placing.query(placed, tool, query)
    headers = [pair for pair in outgoing.headers if pair[0] != "authorization" or tool.slots.passing(pair[1])]
    outgoing = outgoing._replace(headers=tuple(headers))
    first = dict(reversed(headers))
    if tool.headers or tool.cookies:
        placing.headers(placed, tool, headers, head.cookies(first["cookie"]) if "cookie" in first else {})
    if not outgoing.body:
        return placed, outgoing
    body, kind = bodies.read(placed, tool, first.get("content-type", ""), outgoing.body)
    if kind:
        headers = [("content-type", kind), *(pair for pair in headers if pair[0] != "content-type")]
    return placed, outgoing._replace(headers=tuple(headers), body=body)


def segments(tool: Tool, path: str, catalog: Catalog) -> dict[str, str]:
    """The path's arguments as raw text. Raises Refusal where the path is that of another tool."""
    matched = catalog.match(tool.backend, tool.method, path, partial(_sent, tool.picked_by))
    if matched is None or matched[0].name != tool.name:
        raise head.bad("The path means another tool.")
    return matched[1]


def _sent(pick: Pick | None, place: str, name: str) -> list[str]:
    return [pick.value] if pick is not None and (pick.place, pick.name) == (place, name) else []
