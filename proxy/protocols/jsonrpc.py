"""JSON-RPC 2.0 as MCP has it: one message of a client read strictly, and messages written. No I/O.

What two readers could take for different messages is refused before anybody looks at what it says.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, Final, Literal, NamedTuple

import orjson

from proxy.errors import Refusal
from proxy.protocols import strictjson

PARSE: Final = -32700
INVALID: Final = -32600
NO_METHOD: Final = -32601
BAD_PARAMS: Final = -32602
INTERNAL: Final = -32603
HEADERS: Final = -32020
"""A header says something else than the message."""

VERSION: Final = -32022
"""A revision of the protocol that is not spoken here."""

MOST_ID: Final = 256
MOST_METHOD: Final = 128
"""Characters; the longest name of a method has 40."""

_LEVELS: Final = 2
"""Of JSON that stand around the arguments of a call."""

_HINT: Final = "Send one JSON-RPC 2.0 request or notification, UTF-8, each key once and spelt as the protocol has it."
_ASKED: Final = frozenset({"jsonrpc", "id", "method", "params"})
_SAID: Final = frozenset({"result", "error"})
_ANSWERED: Final = _SAID | {"jsonrpc", "id"}
PARAMS: Final = frozenset(
    {"_meta", "argument", "arguments", "capabilities", "clientInfo", "context", "cursor", "data", "elicitationId",
     "includeContext", "inputRequests", "inputResponses", "level", "logger", "maxTokens", "message", "messages",
     "metadata", "mode", "modelPreferences", "name", "notifications", "progress", "progressToken", "protocolVersion",
     "reason", "ref", "requestId", "requestState", "requestedSchema", "result", "stopSequences", "systemPrompt", "task",
     "taskId", "temperature", "toolChoice", "tools", "total", "uri", "url"}
)  # fmt: skip
"""What params have, of either side and in any revision."""


class Message(NamedTuple):
    """One JSON-RPC message. `id` is its JSON text, empty for a notification; a response has `said`, its members
    `result` or `error`."""

    kind: Literal["request", "notification", "response"]
    id: bytes
    method: str
    params: Mapping[str, Any]
    said: Mapping[str, Any]


NOTHING: Final = Message("notification", b"", "", {}, {})


class Malformed(Refusal):
    """A message that is not as it has to be. `rpc` is the code of JSON-RPC for it, `http` the status, `data` what the
    error brings along, `id` the message's own, where it could be read."""

    def __init__(
        self, detail: str, rpc: int = INVALID, *, suggestion: str = _HINT, data: Any = None, http: int = 400
    ) -> None:
        super().__init__("bad_request", detail, suggestion=suggestion)
        self.rpc = rpc
        self.data = data
        self.http = http
        self.id = b""

    @property
    def status(self) -> int:
        return self.http


def fold(name: str) -> str:
    """The same for names that some reader takes for each other."""
    return name.upper().casefold()


def likened(names: Collection[str], known: Collection[str]) -> bool:
    """Whether a name is none of those that are known, but some readers take it for one of them."""
    strange = [name for name in names if name not in known]
    return bool(strange) and not {fold(each) for each in known}.isdisjoint(map(fold, strange))


def read(data: bytes, most_depth: int) -> Message:
    """The one message of a body, whose arguments may have `most_depth` levels. Raises Malformed, and Refusal
    `too_large`."""
    value = _parsed(data, most_depth + _LEVELS)
    if not isinstance(value, dict):
        raise Malformed("The body is not one JSON-RPC message. Batches are not served.")
    id = _id(value, data)
    try:
        return _asked(value, id) if "method" in value else _answered(value, id)
    except Malformed as no:
        no.id = id
        raise


def _parsed(data: bytes, most_depth: int) -> Any:
    try:
        return strictjson.parse(data, most_depth)
    except Refusal as no:
        if no.code != "bad_request":
            raise
        raise Malformed(no.detail, PARSE) from None


def _id(value: Mapping[str, Any], data: bytes) -> bytes:
    """The text of the id, byte for byte; empty without one."""
    if "id" not in value:
        return b""
    id = value["id"]
    if type(id) is not int and not isinstance(id, str):
        raise Malformed("The id of a message is a string or an integer.")
    # Only an escape and the integer -0 have another text than the plain one.
    if id == 0 or b"\\" in data:
        text = strictjson.members(data, len(data))["id"][1]
    else:
        text = b"%d" % id if isinstance(id, int) else b'"%b"' % id.encode()
    if len(text) > MOST_ID:
        raise Malformed(f"The id of a message has more than {MOST_ID} bytes.")
    return text


def _asked(value: Mapping[str, Any], id: bytes) -> Message:
    _check(value, _ASKED)
    method, params = value["method"], value.get("params", {})
    if not isinstance(method, str) or not 0 < len(method) <= MOST_METHOD:
        raise Malformed("The method of a message is a short string.")
    if not isinstance(params, dict):
        raise Malformed("The params of a message are an object.", BAD_PARAMS)
    if not params.keys() <= PARAMS and likened(params, PARAMS):
        raise Malformed("The params have a member that some servers take for another.", BAD_PARAMS)
    return Message("request" if id else "notification", id, method, params, {})


def _answered(value: Mapping[str, Any], id: bytes) -> Message:
    said = {name: each for name, each in value.items() if name in _SAID}
    _check(value, _ANSWERED)
    if len(said) != 1 or not id:
        raise Malformed("A message has a method, or an id and either a result or an error.")
    whole = next(iter(said.values()))
    if not isinstance(whole, dict):
        raise Malformed("A result or an error is an object.")
    if "error" in said and not (type(whole.get("code")) is int and isinstance(whole.get("message"), str)):
        raise Malformed("An error has a code and a message.")
    return Message("response", id, "", {}, said)


def _check(value: Mapping[str, Any], allowed: frozenset[str]) -> None:
    if value.get("jsonrpc") != "2.0":
        raise Malformed('A message has the member `"jsonrpc": "2.0"`.')
    if not value.keys() <= allowed:
        raise Malformed("The message has a member that a message of its kind does not have.")


def written(value: Any) -> bytes:
    """A value as JSON, without spaces."""
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits, or more levels than it goes down
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def reply(id: bytes, body: bytes) -> bytes:
    """The response whose members `result` or `error` are the body, an object. Without an id it is nobody's."""
    return b'{"jsonrpc":"2.0","id":%b,%b' % (id, body[1:]) if id else b'{"jsonrpc":"2.0",%b' % body[1:]


def request(id: bytes, method: str, params: bytes) -> bytes:
    """A request, or without an id a notification."""
    told = b'"id":%b,' % id if id else b""
    return b'{"jsonrpc":"2.0",%b"method":%b,"params":%b}' % (told, written(method), params or b"{}")


def error(code: int, message: str, data: Any = None) -> bytes:
    """The body of a response that is an error."""
    more = {} if data is None else {"data": data}
    return written({"error": {"code": code, "message": message, **more}})
