"""Trimming: of a server's lists a caller sees what it may use, as it was accepted and not as the server says today."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from proxy.mcp.answering import unmarked
from proxy.mcp.heard import Untrue
from proxy.mcp.pins import Listing, Pinned
from rules.decide import Ruleset
from rules.definitions import KINDS, Definitions
from rules.facts import Principal
from rules.mcp import schemas, shown
from rules.mcp.plumbing import REST_TOOL
from rules.tools import CALL, Tool

GREETINGS: Final = frozenset({"initialize", "server/discover"})
"""What tells what a server is."""

SERVER: Final = "serverInfo"
_IN_META: Final = f"io.modelcontextprotocol/{SERVER}"
_PLAIN: Final = re.compile(r"[0-9A-Za-z.+_-]{1,64}")
_SCOPE: Final = "cacheScope"
_OWN: Final = "private"
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
    visible: list[dict[str, Any]] = []
    for one in listed:
        name = one.get(KINDS[listing.kind])
        tool = rules.catalog.remote(backend, listing.call, name) if isinstance(name, str) else None
        if tool is None or tool.is_rest:  # no server has that one
            continue
        if rules.visible(principal, tool) and not pinned.differs(listing.kind, name):
            visible.append(_accepted(pinned.accepted.of(listing.kind)[name], tool))
    if listing.call == CALL and not said.get("nextCursor"):
        visible += resting(rules, principal, rules.catalog.backends[backend].tools)
    return {**said, listing.member: visible}


def _accepted(definition: Mapping[str, Any], tool: Tool) -> dict[str, Any]:
    """A definition, with the rules' own words where they have such, and the form that results have here."""
    definition = shown.definition(definition, tool)
    return {**definition, "description": tool.says} if tool.says else definition


def resting(rules: Ruleset, principal: Principal, names: Iterable[str]) -> list[dict[str, Any]]:
    """The tool that gives the rest of results, where this caller may use one of these of whose results a part is
    given, and may use it too."""
    tools = [rules.catalog.tools[name] for name in names]
    rest = [tool for tool in tools if tool.mcp and tool.mcp.name == REST_TOOL and tool.is_plumbing]
    if not any(tool.is_cut and rules.visible(principal, tool) for tool in tools):
        return []
    return [rest_tool()] if all(rules.visible(principal, tool) for tool in rest) else []


def rest_tool() -> dict[str, Any]:
    """How that is listed."""
    schema = {name: value for name, value in schemas.rest().schema.items() if name != "$schema"}
    hints = {"readOnlyHint": True}
    return {"name": REST_TOOL, "description": schemas.REST_SAYS, "inputSchema": schema, "annotations": hints}


def greeted(said: Mapping[str, Any], pinned: Pinned, spoken: Collection[str]) -> dict[str, Any]:
    """What a server says of itself: who it is as that was accepted, where it was noted, with the version of today, and
    the instructions that were accepted, or none. Of its revisions it tells those that may be spoken, where such are
    named."""
    kept = {name: value for name, value in said.items() if name != "instructions"}
    if pinned.accepted.server and SERVER in kept:
        kept[SERVER] = _identified(pinned.accepted.server, kept[SERVER])
    if spoken and isinstance(versions := kept.get(_VERSIONS), list):
        kept[_VERSIONS] = [each for each in versions if each in spoken]
    told = pinned.accepted.instructions
    return {**kept, "instructions": told} if told else kept


def vouched(said: dict[str, Any], accepted: Definitions) -> dict[str, Any]:
    """Any result, without what a server says in the sidecar's name: words of the sidecar's own, who the server is where
    that was accepted, and that others than its caller may keep it, who was judged, and for whom it was cleaned."""
    made = unmarked(said) or said
    meta = made.get("_meta")
    if accepted.server and isinstance(meta, dict) and _IN_META in meta:
        who = _identified(accepted.server, meta[_IN_META])
        made = made if who == meta[_IN_META] else {**made, "_meta": {**meta, _IN_META: who}}
    return {**made, _SCOPE: _OWN} if made.get(_SCOPE, _OWN) != _OWN else made


def _identified(accepted: Mapping[str, Any], said: Any) -> dict[str, Any]:
    """Its version is a name, and no text to read."""
    version = said.get("version") if isinstance(said, dict) else None
    is_plain = isinstance(version, str) and _PLAIN.fullmatch(version)
    return {**accepted, "version": version if is_plain else "unknown"}


def differs(said: Mapping[str, Any], accepted: Definitions) -> bool:
    """Whether a server says otherwise of itself than was accepted."""
    if (said.get("instructions") or "") != accepted.instructions:
        return True
    meta = said.get("_meta")
    who = said.get(SERVER) or (meta.get(_IN_META) if isinstance(meta, dict) else None)
    known = {name: value for name, value in who.items() if name != "version"} if isinstance(who, dict) else {}
    return bool(accepted.server) and known != accepted.server
