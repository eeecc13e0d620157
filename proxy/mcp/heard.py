"""What an MCP server says: one JSON-RPC message, read strictly, for nobody has to believe it. No I/O."""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple

from proxy.errors import Refusal
from proxy.protocols import strictjson
from proxy.protocols.jsonrpc import PARAMS, likened
from proxy.protocols.strictjson import Members

MOST_DEPTH: Final = 128
"""Of what a server says. Schemas in a listing are the deepest."""

MOST_ID: Final = 256
_RESULT: Final = b'{"result":%b}'
_ERROR: Final = b'{"error":%b}'
NOT_FOUND: Final = frozenset({-32601, -32002})
"""No such method, no such resource."""

NOT_YET: Final = 425
"""A result by which the server wants to know more first: nothing was done, and nothing of it is given again."""

_CALLERS: Final = range(-32602, -32599)
_MODERN: Final = frozenset({-32020, -32021, -32022})
"""Of the protocol itself: the message was not as it has to be."""
_RESULTS: Final = frozenset(
    {"_meta", "action", "cacheScope", "capabilities", "completion", "content", "contents", "description",
     "inputRequests", "instructions", "isError", "messages", "model", "nextCursor", "prompts", "protocolVersion",
     "requestState", "resourceTemplates", "resources", "resultType", "role", "roots", "serverInfo", "stopReason",
     "structuredContent", "supportedVersions", "task", "tasks", "tools", "ttlMs"}
)  # fmt: skip
"""What results have, in any revision."""

_ERRORS: Final = frozenset({"code", "message", "data"})


class Untrue(Exception):
    """A message that no honest server sends. The text says what is wrong and holds nothing of it."""


class Heard(NamedTuple):
    """One message. `id` is its JSON text, `body` the text of its params, result or error; `value` is that, read."""

    kind: Literal["request", "notification", "result", "error"]
    id: bytes
    method: str
    body: bytes
    value: Any


def heard(data: bytes) -> Heard:
    """Raises Untrue for what is no single message of JSON-RPC 2.0, or could be read in two ways."""
    try:
        said = strictjson.members(data, MOST_DEPTH)
    except Refusal as no:
        raise Untrue(no.detail) from None
    if said.get("jsonrpc", ("", b""))[0] != "2.0":
        raise Untrue("It is no JSON-RPC 2.0.")
    id = _id(said)
    if "method" in said:
        return _asked(said, id)
    if ("result" in said) == ("error" in said):
        raise Untrue("It has both a result and an error, or neither.")
    return _answered(said, id)


def _id(said: Members) -> bytes:
    value, text = said.get("id", (None, b""))
    if value is None:  # of an error that could not be told whose it is
        return b""
    if not (isinstance(value, str) or type(value) is int) or len(text) > MOST_ID:
        raise Untrue("Its id is none.")
    return text


def _asked(said: Members, id: bytes) -> Heard:
    method, (params, text) = said["method"][0], said.get("params", ({}, b"{}"))
    if not isinstance(method, str) or not isinstance(params, dict) or "result" in said or "error" in said:
        raise Untrue("It is no request and no notification.")
    if "id" in said and not id:
        raise Untrue("Its id is none.")
    _check_names(params, PARAMS)
    return Heard("request" if id else "notification", id, method, text, params)


def _answered(said: Members, id: bytes) -> Heard:
    kind: Literal["result", "error"] = "result" if "result" in said else "error"
    value, text = said[kind]
    if not isinstance(value, dict):
        raise Untrue("Its result or error is no object.")
    if kind == "error" and not (type(value.get("code")) is int and isinstance(value.get("message"), str)):
        raise Untrue("Its error has no code and message.")
    _check_names(value, _RESULTS if kind == "result" else _ERRORS)
    return Heard(kind, id, "", text, value)


def _check_names(value: dict[str, Any], known: frozenset[str]) -> None:
    """Some clients read a name in another case: what they would read has to be what was looked at."""
    if not value.keys() <= known and likened(value, known):
        raise Untrue("It has a member that some clients take for another.")


def same_id(one: bytes, other: bytes) -> bool:
    """Whether two ids are the same, however they are spelt."""
    return one == other or (bool(one) and bool(other) and _read(one) == _read(other))


def _read(id: bytes) -> tuple[type, Any]:
    value = strictjson.parse(id, 1)
    return type(value), value


def body_of(message: Heard) -> bytes:
    """A response without what belongs to one exchange only."""
    return (_RESULT if message.kind == "result" else _ERROR) % message.body


def status_of(message: Heard) -> int:
    """The status that a response counts as."""
    if message.kind == "result":
        if message.value.get("resultType") == "input_required":
            return NOT_YET
        return 400 if message.value.get("isError") is True else 200
    code = message.value["code"]
    if code in NOT_FOUND:
        return 404
    return 400 if code in _CALLERS or code in _MODERN else 500
