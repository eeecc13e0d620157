"""Metadata: where one signs in at an MCP server, as its clients need to know it here (RFC 9728).

A client takes the metadata of a server only where its `resource` is the very URL that it was given, so that is put in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from proxy.body import Body
from proxy.entry import Entries, Entry
from proxy.errors import Refusal
from proxy.mcp.entry import OrderedEntry
from proxy.mcp.exchange import JSON
from proxy.model import Call, Result, Send
from proxy.outcomes import whole, withheld
from proxy.protocols import challenges, strictjson, target
from proxy.protocols.challenges import BadChallenge
from proxy.protocols.mcpmetadata import WELL_KNOWN, MetadataAsk
from proxy.record import Record
from proxy.replies import replyheaders
from rules.urls import Url, parse_url

MOST_BYTES: Final = 64 * 1024
MOST_DEPTH: Final = 8
MOST_SERVERS: Final = 16
MOST_URL: Final = 2_048

_RESOURCE: Final = "resource"
_SERVERS: Final = "authorization_servers"
_TITLE: Final = "resource_name"
_KEPT: Final = frozenset(
    {"scopes_supported", "bearer_methods_supported", _TITLE, "resource_documentation", "resource_policy_uri",
     "resource_tos_uri", "authorization_details_types_supported", "dpop_signing_alg_values_supported",
     "dpop_bound_access_tokens_required", "tls_client_certificate_bound_access_tokens"}
)  # fmt: skip
"""What else is passed on. Not what is signed, or tells of signatures: it says where the server is, and would not hold
here."""

_NO_SIGN_IN: Final = "the caller's Authorization does not go to this server, so nobody signs in there"


class Unfit(ValueError):
    """It is no metadata that can be passed on."""


class MetadataEntry(OrderedEntry):
    """The open Record of a request for metadata. `said` is what the MCP server says that is passed on, as it did."""

    said: Mapping[str, Any] | None = None

    def __init__(self, entries: Entries, record: Record, ask: MetadataAsk) -> None:
        super().__init__(entries, record)
        self.ask = ask

    async def follow(self, result: Result) -> Result:
        """Behind all cleaning: what is for machines stays whole or is left out, for a URL of which something was taken
        out leads nowhere, or elsewhere. Where one signs in is looked at for what no ledger may show either."""
        if self.said:
            cleaned = strictjson.parse(await whole(self.record, result.body, MOST_BYTES), MOST_DEPTH)
            kept = {name: value for name, value in cleaned.items() if name == _TITLE or value == self.said.get(name)}
            servers = [each for each in self.said[_SERVERS] if self._entries.shown(each) == each]
            if not servers:
                note = "each of its authorization_servers holds what is to be taken out"
                raise withheld(self.record, "Its metadata names nothing that may be passed on.", note=note)
            made = {_RESOURCE: self.ask.resource, **kept, _SERVERS: servers}
            result.body = Body.of(json.dumps(made, ensure_ascii=False).encode())
        return await super().follow(result)


async def fetched(way: Send, call: Call, entry: Entry, url: Url, named: str) -> Result:
    """The metadata of the server at `url`, whose `resource` is still its own; 404 where it has none. `named` is where
    the server itself said that it is. Raises Refusal where there is some that cannot be passed on."""
    assert isinstance(entry, MetadataEntry)
    if not entry.ask.is_for_client(call.tool):
        entry.record.notes.append(_NO_SIGN_IN)
        return _none()
    trouble, ours = "", entry.ask.resource.rstrip("/")  # clients may write one behind it, and servers mean the same
    for place in dict.fromkeys(_places(url, named, ours)):
        result = await way(call._replace(outgoing=call.outgoing._replace(target=place)), entry)
        try:
            raw = await _read(entry, result)
            said = _metadata(raw, url, ours) if raw else None
        except Unfit as why:
            trouble = str(why)
            continue
        if said is not None:
            entry.said = said
            return Result(200, [("content-type", JSON)], Body.of(json.dumps(said).encode()))
    if trouble:
        raise withheld(entry.record, "Its metadata is none that can be passed on.", note=f"metadata: {trouble}")
    return _none()


def _places(url: Url, named: str, ours: str) -> Iterator[str]:
    """Where its metadata may be (RFC 9728, 3.1): for its own URL, or for the one by which clients know it here, which
    servers are told that sit behind others."""
    if named:
        yield named
    yield f"{WELL_KNOWN}{url.path}" if url.path != "/" else WELL_KNOWN
    yield f"{WELL_KNOWN}{urlsplit(ours).path}"
    yield WELL_KNOWN


def _none() -> Result:
    said = {"error": "not_found", "error_description": "There is no metadata of this resource."}
    return Result(404, [("content-type", JSON)], Body.of(json.dumps(said).encode()))


async def _read(entry: Entry, result: Result) -> bytes:
    """What stands at one place; empty where there is nothing. Raises Unfit."""
    if result.status != 200:
        await result.body.close()
        if 400 <= result.status < 500:
            return b""
        raise Unfit(f"the server answers with the status {result.status}, and no redirect is followed")
    if replyheaders.content_type(result.headers)[0] != JSON or replyheaders.value(result.headers, "content-encoding"):
        await result.body.close()
        raise Unfit("it is no plain JSON")
    try:
        return await whole(entry.record, result.body, MOST_BYTES) or b"-"
    except Refusal as no:
        if no.code != "reply_refused":
            raise
        raise Unfit("it is too large, or broke off") from None


def _metadata(raw: bytes, url: Url, ours: str) -> dict[str, Any]:
    """The part of a document that is passed on, without `resource`. Raises Unfit."""
    try:
        said = strictjson.parse(raw, MOST_DEPTH)
    except Refusal as no:
        raise Unfit(f"it cannot be read: {no.detail}") from None
    if not isinstance(said, dict):
        raise Unfit("it is no object")
    resource = _url(said.get(_RESOURCE))
    if resource is None or (_origin(resource) != _origin(url) and said[_RESOURCE].rstrip("/") != ours):
        raise Unfit("its `resource` is at another place than the server")
    servers = said.get(_SERVERS)
    if not isinstance(servers, list) or not 0 < len(servers) <= MOST_SERVERS:
        raise Unfit(f"it names no authorization_servers, or more than {MOST_SERVERS}")
    if not all(_is_safe(_url(each), url) for each in servers):
        raise Unfit("one of its authorization_servers is no https URL")
    return {_SERVERS: servers, **{name: value for name, value in said.items() if name in _KEPT and _is_plain(value)}}


def _url(text: Any) -> Url | None:
    if not isinstance(text, str) or len(text) > MOST_URL or not (text.isascii() and text.isprintable()):
        return None
    try:
        return parse_url(text)
    except ValueError:
        return None


def _is_safe(server: Url | None, url: Url) -> bool:
    """Whether tokens may be had there: without TLS only where the server itself is without."""
    return server is not None and (server.scheme == "https" or url.scheme == "http")


def _origin(url: Url) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port


def _is_plain(value: Any) -> bool:
    """Whether it is a text, a yes or no, or a list of texts."""
    return isinstance(value, str | bool) or (isinstance(value, list) and all(isinstance(each, str) for each in value))


def named_in(headers: list[tuple[str, str]], url: Url, origin: str) -> str:
    """Path and query of the place where a server says that its metadata is; empty where it names none of its own. What
    it says may be by the origin by which clients know it here."""
    for name, value in headers:
        try:
            said = challenges.params(value) if name.lower() == challenges.NAME else []
            for place in [each.said for each in said if each.name == challenges.PLACE]:
                parts = urlsplit(place)
                if _origin(parse_url(f"{parts.scheme}://{parts.netloc}")) in (_origin(url), _origin(parse_url(origin))):
                    found = f"{parts.path or '/'}{'?' * bool(parts.query)}{parts.query}"
                    target.split(found)
                    return found
        except (BadChallenge, ValueError, Refusal):
            continue
    return ""
