"""Answers of a server as Results: whole, without what belongs to one exchange, with the status that each counts as."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from proxy.body import Body
from proxy.entry import Entry
from proxy.mcp.exchange import JSON, Answered
from proxy.mcp.heard import Heard, body_of, status_of
from proxy.model import Result
from proxy.outcomes import withheld
from proxy.protocols import jsonrpc
from proxy.protocols.mcpparams import OURS
from proxy.replies import replyheaders
from redaction.mediatypes import EVENTS

UNKNOWN_KIND: Final = "It is a result of a kind that is not known here."
TAKEN: Final = 202
"""The status of what a server has, and says nothing to."""

_OF_HTTP: Final = frozenset({401, 403, 405, 429, 502, 503, 504})
_KEPT: Final = frozenset({"www-authenticate", "retry-after", "allow"})


def is_stream(result: Result) -> bool:
    """Whether a reply is a stream of events."""
    return result.status == 200 and replyheaders.content_type(result.headers)[0] == EVENTS


def kept(answered: Answered) -> list[tuple[str, str]]:
    """The headers of a reply that say something to a client of MCP."""
    return [(name.lower(), value) for name, value in answered.headers if name.lower() in _KEPT]


def as_result(answered: Answered) -> Result:
    """An answer as it is."""
    message = answered.message
    assert message is not None
    return Result(status_as(answered), [("content-type", JSON), *kept(answered)], Body.of(body_of(message)))


def refuse_unfinished(entry: Entry, message: Heard) -> None:
    """Raise Refusal for the answer to a request that is over with it, and which says that it is not."""
    said = message.value
    if message.kind == "result" and (said.get("resultType", "complete") != "complete" or "inputRequests" in said):
        raise withheld(entry.record, UNKNOWN_KIND, note="resultType")


def status_as(answered: Answered) -> int:
    """The status that an answer counts as: where HTTP says who may not, or not now, that."""
    assert answered.message is not None
    return answered.status if answered.status in _OF_HTTP else status_of(answered.message)


def unmarked(said: Mapping[str, Any]) -> dict[str, Any] | None:
    """A result without what in `_meta` is the sidecar's word, which no server has; None where there is none of it."""
    meta = said.get("_meta")
    if not isinstance(meta, dict) or not any(name.startswith(OURS) for name in meta):
        return None
    return {**said, "_meta": {name: value for name, value in meta.items() if not name.startswith(OURS)}}


def taken(entry: Entry, answered: Answered) -> Result:
    """The server has a notification or an answer; it says nothing to it."""
    if 200 <= answered.status < 300:
        return Result(TAKEN, [], Body.of(b""))
    if answered.message is not None and answered.message.kind == "error":
        return as_result(answered)
    return failed(entry, answered)


def failed(entry: Entry, answered: Answered) -> Result:
    """A reply that is no JSON-RPC: its status says what there is to say. Raises Refusal where it says nothing."""
    if answered.status < 400:
        raise withheld(entry.record, "It is neither JSON nor a stream of events.", note=f"status {answered.status}")
    said = jsonrpc.error(jsonrpc.INTERNAL, f"The server answered with the HTTP status {answered.status}.")
    return Result(answered.status, [("content-type", JSON), *kept(answered)], Body.of(said))
