"""Requests under way outside of sessions. There a server tells its callers apart by nothing but what the sidecar says
of them, and clients count from one: it knows each request, and its progress, by a name of the sidecar's own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from proxy.mcp.entry import McpEntry
from proxy.mcp.heard import Heard
from proxy.model import Call
from proxy.protocols import jsonrpc

SUBSCRIPTION: Final = "io.modelcontextprotocol/subscriptionId"


class UnderWay:
    """Whose each is, for ids are no secret, and anybody could take one back. There are as many as calls, which are
    bounded."""

    def __init__(self) -> None:
        self._all: dict[tuple[str, str, str], list[bytes]] = {}

    def __len__(self) -> int:
        return len(self._all)

    @contextmanager
    def begun(self, call: Call, id: bytes, known: bytes) -> Iterator[None]:
        """For as long as a request is waited for that the client knows by `id`, and the server as `known`."""
        if not id:
            yield
            return
        key = _key(call, json.loads(id))
        self._all.setdefault(key, []).append(known)
        try:
            yield
        finally:
            self._all[key].remove(known)
            if not self._all[key]:
                del self._all[key]

    def known_as(self, call: Call, id: Any) -> bytes | None:
        """By what the server knows the caller's request of this id; None where there is none, or which of several it
        is cannot be told: clients of one principal may count alike."""
        found = self._all.get(_key(call, id), ())
        return found[0] if len(found) == 1 else None


def _key(call: Call, id: Any) -> tuple[str, str, str]:
    return call.tool.backend, call.principal.id, json.dumps(id)


def tokened(call: Call, entry: McpEntry) -> Call:
    """The call with the token by which the server is to know its progress."""
    if entry.token == entry.client_token:
        return call
    said = json.loads(call.outgoing.body)
    said["_meta"] = {**said["_meta"], "progressToken": entry.token}
    return call._replace(outgoing=call.outgoing._replace(body=jsonrpc.written(said)))


def renamed(call: Call, known: bytes) -> Call:
    """A cancellation by the id that the server knows."""
    said = {**json.loads(call.outgoing.body), "requestId": json.loads(known)}
    return call._replace(outgoing=call.outgoing._replace(body=jsonrpc.written(said)))


def subscribed(entry: McpEntry, message: Heard) -> Heard | None:
    """What is said on a stream, by the client's own id of its subscription; None where it is of another one."""
    meta, asked = message.value.get("_meta"), entry.ask.message.id
    if not isinstance(meta, dict) or SUBSCRIPTION not in meta or asked == entry.id:
        return message
    if not asked or meta[SUBSCRIPTION] != json.loads(entry.id):
        return None
    value = {**message.value, "_meta": {**meta, SUBSCRIPTION: json.loads(asked)}}
    return message._replace(body=jsonrpc.written(value), value=value)
