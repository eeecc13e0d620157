"""How "no" is said over MCP: a tool result that a model can act on, or a JSON-RPC error. No I/O."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from proxy.errors import Refusal
from proxy.protocols import jsonrpc, problem
from proxy.protocols.jsonrpc import BAD_PARAMS, INTERNAL, INVALID, NO_METHOD, Malformed, Message
from proxy.protocols.methods import CLIENT, MODERN, is_served

META: Final = "toolwall/refusal"
"""The member of `_meta` that tells a client what a model reads in the text."""

MEDIA_TYPE: Final = "application/json"

NO_RESOURCE: Final = -32002
"""Of the revisions with sessions; those without have the code for bad params."""

_MOST_NAME: Final = 128
_MOST_URI: Final = 2_048
_OF_THE_MESSAGE: Final = frozenset({"bad_request", "too_large", "unknown_session"})
_OF_PARAMS: Final = frozenset({"denied", "schema_violation", "unsafe_argument", "duplicate_call"})
_HINTS: Final = ("code", "executed", "retry", "call_id", "approval_id")
_WITHOUT_BODY: Final = frozenset({"stream", "close"})

Reply = tuple[int, list[tuple[str, str]], bytes]
Clean = Callable[[bytes], bytes]


def _as_it_is(said: bytes) -> bytes:
    return said


def reply(no: Refusal, message: Message, id: bytes, revision: str, modern: bool, clean: Clean = _as_it_is) -> Reply:
    """Status, headers and body of the reply that refuses a message. `id` is there also where the message could not be
    read further; `clean` takes out of the JSON of what is said what nobody may see.
    """
    if no.code == "unauthenticated":
        return problem.reply(no, no.call_id, no.tool)
    _, headers, body = problem.reply(no, no.call_id, no.tool)
    said = json.loads(clean(body))
    headers[0] = ("Content-Type", MEDIA_TYPE)
    served = is_served(CLIENT, message.method, message.kind, revision)
    if message.method in _WITHOUT_BODY and no.code == "unknown_tool":
        headers.append(("Allow", "POST"))  # so says a server that has no such stream
        return 405, headers, jsonrpc.reply(b"", _error(no, message, said, served, modern))
    body = clean(_body(no, message, said, served, modern))  # it may name what the caller named
    return _status(no, message, served, modern), headers, jsonrpc.reply(id, body)


def response(no: Refusal, message: Message, modern: bool, clean: Clean = _as_it_is) -> bytes:
    """The response that refuses a request whose reply has begun: it is the last message of its stream."""
    said = json.loads(clean(problem.reply(no, no.call_id, no.tool)[2]))
    return jsonrpc.reply(message.id, clean(_body(no, message, said, True, modern)))


def code_of(no: Refusal, message: Message, revision: str) -> int:
    """The code of the JSON-RPC error that refuses a message; 0 where none does."""
    if no.code == "unauthenticated" or _is_of_a_call(no, message):
        return 0
    served = is_served(CLIENT, message.method, message.kind, revision)
    return _code(no, message, served, revision in MODERN)


def line(no: Refusal, message: Message, id: bytes, revision: str, modern: bool, clean: Clean = _as_it_is) -> bytes:
    """The message that refuses one where nothing stands beside it."""
    said = json.loads(clean(problem.reply(no, no.call_id, no.tool)[2]))
    served = is_served(CLIENT, message.method, message.kind, revision)
    return jsonrpc.reply(id, clean(_body(no, message, said, served, modern)))


def _body(no: Refusal, message: Message, said: dict[str, Any], served: bool, modern: bool) -> bytes:
    if _is_of_a_call(no, message):
        return jsonrpc.written({"result": _result(no, said, modern)})
    return _error(no, message, said, served, modern)


def _is_of_a_call(no: Refusal, message: Message) -> bool:
    """Whether it is the result of a tool's call: something that a model can act on."""
    is_call = message.kind == "request" and message.method == "tools/call"
    return is_call and no.code != "unknown_tool" and no.code not in _OF_THE_MESSAGE


def _result(no: Refusal, said: dict[str, Any], modern: bool) -> dict[str, Any]:
    hints: dict[str, Any] = {name: said[name] for name in _HINTS if name in said}
    if no.retry_after is not None:
        hints["retry_after_s"] = no.retry_after
    result = {
        "content": [{"type": "text", "text": jsonrpc.written(said).decode()}],
        "isError": True,
        "_meta": {META: hints},
    }
    return {"resultType": "complete", **result} if modern else result


def _error(no: Refusal, message: Message, said: dict[str, Any], served: bool, modern: bool) -> bytes:
    detail = said.get("detail") or said["title"]
    code = _code(no, message, served, modern)
    if isinstance(no, Malformed):
        return jsonrpc.error(code, detail, no.data if no.data is not None else said)
    return _unknown(message, code) if no.code == "unknown_tool" else jsonrpc.error(code, detail, said)


def _code(no: Refusal, message: Message, served: bool, modern: bool) -> int:
    if isinstance(no, Malformed):
        return no.rpc
    if no.code == "unknown_tool":
        known = BAD_PARAMS if modern or not _uri(message) else NO_RESOURCE
        return known if served else NO_METHOD
    return INVALID if no.code in _OF_THE_MESSAGE else BAD_PARAMS if no.code in _OF_PARAMS else INTERNAL


def _unknown(message: Message, code: int) -> bytes:
    """The same words for what does not exist and for what this caller may not know of."""
    if code == NO_METHOD:
        return jsonrpc.error(code, "Method not found")
    if uri := _uri(message):
        return jsonrpc.error(code, f"Unknown resource: {uri[:_MOST_NAME]}", {"uri": uri[:_MOST_URI]})
    named = message.params.get("name", "")
    what = {"tools/call": "tool", "prompts/get": "prompt"}.get(message.method)
    if what is None or not isinstance(named, str):
        return jsonrpc.error(code, "There is nothing of this kind for you.")
    return jsonrpc.error(code, f"Unknown {what}: {named[:_MOST_NAME]}")


def _uri(message: Message) -> str:
    """The URI of the resource that the message asks for."""
    uri = message.params.get("uri", "")
    return uri if isinstance(uri, str) and message.method.startswith("resources/") else ""


def _status(no: Refusal, message: Message, served: bool, modern: bool) -> int:
    """What a client of the era takes for an answer to its request is said with 200."""
    if no.code in _OF_THE_MESSAGE or message.kind != "request":
        return no.status
    return 404 if no.code == "unknown_tool" and modern and not served else 200
