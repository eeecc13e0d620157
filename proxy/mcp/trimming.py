"""Trimming: of a server's lists a caller sees what it may use, as it was accepted and not as the server says today."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from proxy.mcp.heard import Untrue
from proxy.mcp.pins import Listing, Pinned
from rules.decide import Ruleset
from rules.definitions import KINDS
from rules.facts import Principal
from rules.tools import Tool

GREETINGS: Final = frozenset({"initialize", "server/discover"})
"""What tells what a server is."""

_SCOPE: Final = "cacheScope"
_VERSIONS: Final = "supportedVersions"


def trimmed(
    listing: Listing,
    said: Mapping[str, Any],
    pinned: Pinned,
    rules: Ruleset,
    principal: Principal,
    backend: str,
    cursor: Any = None,
) -> dict[str, Any]:
    """A list, or its page behind a cursor, as this principal may see it. Each definition that passes is compared.
    Raises Untrue."""
    listed = said.get(listing.member)
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise Untrue("It is no list of definitions.")
    is_all = not (cursor or said.get("nextCursor"))
    pinned.look(listing.kind, listed, principal.id, set() if is_all else None)
    shown = []
    for one in listed:
        name = one.get(KINDS[listing.kind])
        tool = rules.catalog.remote(backend, listing.call, name) if isinstance(name, str) else None
        if tool and rules.visible(principal, tool) and not pinned.differs(listing.kind, name):
            shown.append(_accepted(pinned.accepted.of(listing.kind)[name], tool))
    return _private({**said, listing.member: shown})


def _accepted(definition: Mapping[str, Any], tool: Tool) -> dict[str, Any]:
    """A definition, with the rules' own words where they have such."""
    return {**definition, "description": tool.says} if tool.says else dict(definition)


def greeted(said: Mapping[str, Any], pinned: Pinned, spoken: Collection[str]) -> dict[str, Any]:
    """What a server says of itself, with the instructions that were accepted, or none. Of its revisions it tells those
    that may be spoken, where such are named."""
    kept = {name: value for name, value in said.items() if name != "instructions"}
    if spoken and isinstance(versions := kept.get(_VERSIONS), list):
        kept[_VERSIONS] = [each for each in versions if each in spoken]
    told = pinned.accepted.instructions
    return _private({**kept, "instructions": told} if told else kept)


def _private(said: dict[str, Any]) -> dict[str, Any]:
    """What one caller may see is nobody else's to keep."""
    return {**said, _SCOPE: "private"} if _SCOPE in said else said
