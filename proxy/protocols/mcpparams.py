"""The params of a message of MCP: which of them are arguments, and params written from arguments. No I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, Protocol
from urllib.parse import unquote

from proxy.model import Call, Headers, Outgoing
from proxy.protocols import jsonrpc, mcphead, strictjson
from proxy.protocols.jsonrpc import BAD_PARAMS, Malformed
from proxy.protocols.placing import Placed
from rules.mcp.plumbing import CLOSE, LISTEN, RESPONSE, STREAM
from rules.problems import Problem
from rules.tools import CALL, GET, READ, Catalog, Remote, Tool

WITHOUT_MESSAGE: Final = {"GET": STREAM, "DELETE": CLOSE}
"""What stands for a method where there is no message at all."""

PROTOCOL: Final = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES: Final = "io.modelcontextprotocol/clientCapabilities"
TASKS: Final = "io.modelcontextprotocol/tasks"
HEADERS: Final = (("accept", "application/json, text/event-stream"), ("content-type", "application/json"))
STREAM_HEADERS: Final = (("accept", "text/event-stream"),)
NAMED: Final = {CALL: "name", GET: "name", READ: "uri"}
"""The methods of which a header repeats whom they mean, and the member of the params that says it."""

ROUTED: Final = {**NAMED, **dict.fromkeys(("tasks/get", "tasks/update", "tasks/cancel"), "taskId")}
"""Those, and the ones of the extension for tasks: their header leads to whoever has the task."""

UPDATE: Final = "tasks/update"
_IN_ARGUMENTS: Final = frozenset({CALL, GET})
_RETRY: Final = frozenset({"inputResponses", "requestState"})
ASIDE: Final = {CALL: _RETRY | {"task"}, GET: _RETRY, READ: _RETRY}
"""What may stand beside the arguments."""

_Shape = Mapping[str, type]
_URI: Final[_Shape] = {"uri": str, "_meta": dict}
_CALLED: Final[_Shape] = {"name": str, "arguments": dict, "_meta": dict}
_RETRIED: Final[_Shape] = {"inputResponses": dict, "requestState": str}
_LEGACY: Final[Mapping[str, _Shape]] = {
    CALL: {**_CALLED, "task": dict},
    GET: _CALLED,
    READ: _URI,
    "resources/subscribe": _URI,
    "resources/unsubscribe": _URI,
    "completion/complete": {"ref": dict, "argument": dict, "context": dict, "_meta": dict},
}
_MODERN: Final[Mapping[str, _Shape]] = {
    **_LEGACY,
    CALL: {**_CALLED, **_RETRIED},
    GET: {**_CALLED, **_RETRIED},
    READ: {**_URI, **_RETRIED},
    UPDATE: {"taskId": str, "_meta": dict, **_RETRIED},
}
_SHAPES: Final = (_LEGACY, _MODERN)
"""The members that params may have, by era and method. Params of other methods are arguments as a whole."""

_ANSWERS: Final = {
    "elicitation/create": frozenset({"action"}),
    "roots/list": frozenset({"roots"}),
    "sampling/createMessage": frozenset({"role", "content", "model"}),
}
_OF_ANSWERS: Final = frozenset().union(*_ANSWERS.values())
_INSIDE: Final = {
    "ref": frozenset({"type", "name", "uri", "title"}),
    "argument": frozenset({"name", "value"}),
    "context": frozenset({"arguments"}),
    "notifications": frozenset(
        {"toolsListChanged", "promptsListChanged", "resourcesListChanged", "resourceSubscriptions", "taskIds"}
    ),
}
"""What is in objects of the protocol's own that say what a message is about."""

_CONTEXT: Final = frozenset({"traceparent", "tracestate", "baggage"})
_PLAIN_META: Final = frozenset(
    {
        "progressToken",
        PROTOCOL,
        "io.modelcontextprotocol/clientInfo",
        CAPABILITIES,
        "io.modelcontextprotocol/logLevel",
    }
)
META: Final = _CONTEXT | _PLAIN_META
_NOTHING: Final[Mapping[str, Any]] = {}
OURS: Final = "toolwall/"
"""What in `_meta` begins so is the sidecar's word, in both directions."""

_REPEATING: Final = ("mcp-method", "mcp-name", mcphead.PARAM)
_ODD: Final = re.compile(r"[\x00-\x20\x7f\\{}]")  # no URI has them
_HIDDEN: Final = re.compile(r"[\x00-\x1f\x7f\\]")  # nor may an escape stand for one of these
_CLIMBING: Final = frozenset({".", ".."})
_MOST_DECODINGS: Final = 3
MOST_LISTENED: Final = 256
"""Resources of one subscription, each of which is looked for in the catalog, and tasks of one."""

_MOST_DEPTH: Final = 210  # what is read again was read before, within the door's own bound


class Masks(Protocol):
    """What makes a JSON text anew."""

    def json(self, body: bytes) -> bytes:
        """A JSON text; all around what is taken out or put in stays as it is."""


def meta_of(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Raises Malformed for what is no object, or could be read in two ways."""
    meta = params.get("_meta", _NOTHING)
    if not isinstance(meta, dict):
        raise Malformed("`_meta` is an object.", BAD_PARAMS)
    if not meta.keys() <= META and jsonrpc.likened(meta, META):
        raise Malformed("`_meta` has a member that some servers take for another.", BAD_PARAMS)
    return meta


def check(method: str, params: Mapping[str, Any], modern: bool) -> None:
    """Raise Malformed for params that nobody would judge, or that are not what they have to be."""
    for name, known in _INSIDE.items():
        inside = params.get(name)
        if isinstance(inside, dict) and jsonrpc.likened(inside, known):
            raise Malformed(f"`{name}` has a member that some servers take for another.", BAD_PARAMS)
    shape = _SHAPES[modern].get(method)
    if shape is None:
        return
    for name, value in params.items():
        if name not in shape:
            raise Malformed("The params have a member that is not served here.", BAD_PARAMS)
        if not isinstance(value, shape[name]):
            raise Malformed(f"`{name}` is {'a string' if shape[name] is str else 'an object'}.", BAD_PARAMS)
    if (key := NAMED.get(method, "uri" if "uri" in shape else "")) and key not in params:
        raise Malformed(f"The params have a `{key}`.", BAD_PARAMS)


def arguments_of(method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """What rules judge."""
    if method in _IN_ARGUMENTS:
        arguments: dict[str, Any] = params.get("arguments", {})
        return arguments
    aside = ASIDE.get(method, ())
    return {name: value for name, value in params.items() if name != "_meta" and name not in aside}


def aside_of(method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """What goes along beside it and is not of the protocol itself."""
    aside = {name: params[name] for name in ASIDE.get(method, ()) if name in params}
    meta = params.get("_meta", _NOTHING)
    if meta.keys() <= META:
        return aside
    return {**aside, "_meta": {name: value for name, value in kept(meta).items() if name not in META}}


def kept(meta: Mapping[str, Any]) -> Mapping[str, Any]:
    """What goes on to the server of `_meta`: not the place in a trace, which is another for each request, nor baggage,
    which is not for others, nor ours."""
    if meta.keys() <= _PLAIN_META:
        return meta
    return {name: value for name, value in meta.items() if name not in _CONTEXT and not name.startswith(OURS)}


def problems_of(tool: Tool, arguments: Mapping[str, Any]) -> tuple[Problem, ...]:
    """A name that is not declared and that some servers take for one that is, or for another beside it."""
    names = tool.contract.names
    strange = [name for name in arguments if name not in names]
    if not strange:
        return ()
    if jsonrpc.likened(strange, names) or len({jsonrpc.fold(name) for name in strange}) != len(strange):
        return (Problem("", "has a name that some servers take for another's"),)
    return ()


def written(remote: Remote, params: Mapping[str, Any], arguments: Mapping[str, Any]) -> bytes:
    """Params with these arguments, as they are sent. `_meta` comes first, for the place in a trace is put in there."""
    method = remote.method
    if method == RESPONSE:
        return jsonrpc.written(arguments)
    if method in _IN_ARGUMENTS:
        said = {**params, "arguments": arguments} if arguments or "arguments" in params else dict(params)
    else:
        said = {**{name: params[name] for name in ASIDE.get(method, ()) if name in params}, **arguments}
    said.pop("_meta", None)
    return jsonrpc.written({"_meta": kept(params.get("_meta", _NOTHING)), **said})


def headers_of(remote: Remote, arguments: Mapping[str, Any], name: str) -> Headers:
    """The headers that repeat what the message says."""
    named = (("mcp-name", mcphead.encoded(name)),) if remote.method in ROUTED else ()
    return (("mcp-method", remote.method), *named, *mcphead.mirrored(remote, arguments))


def remade(call: Call, masks: Masks) -> Call:
    """The call with its arguments made anew, in its message and headers alike. What else is in its params stays, but
    for answers to what a server asked."""
    remote = call.tool.mcp
    assert remote is not None
    params = json.loads(call.outgoing.body) if call.outgoing.body else {}
    arguments = _anew(dict(call.arguments), masks)
    if "inputResponses" in call.aside:
        params["inputResponses"] = _anew(params["inputResponses"], masks)
    outgoing = call.outgoing
    if outgoing.body:
        outgoing = outgoing._replace(body=written(remote, params, arguments))
    aside = {name: params.get(name, value) if name != "_meta" else value for name, value in call.aside.items()}
    outgoing = outgoing._replace(headers=_mirrored_anew(outgoing.headers, remote, params, arguments))
    problems = problems_of(call.tool, arguments)
    return call._replace(arguments=arguments, problems=problems, outgoing=outgoing, aside=aside)


def _anew(value: Any, masks: Masks) -> dict[str, Any]:
    made = strictjson.parse(masks.json(jsonrpc.written(value)), _MOST_DEPTH)
    if not isinstance(made, dict):
        raise Malformed("The message means something else.", BAD_PARAMS)
    return made


def _mirrored_anew(
    headers: Headers, remote: Remote, params: Mapping[str, Any], arguments: Mapping[str, Any]
) -> Headers:
    """The same headers; those that repeat something say it as it is now."""
    others = [pair for pair in headers if not pair[0].startswith(_REPEATING)]
    if len(others) == len(headers):
        return headers
    return (*others, *headers_of(remote, arguments, name_of(remote, params, arguments)))


def name_of(remote: Remote, params: Mapping[str, Any], arguments: Mapping[str, Any]) -> str:
    """Whom a message means."""
    key = ROUTED.get(remote.method, "")
    return str((arguments if key == "uri" else params).get(key, "")) if key else ""


def meant(catalog: Catalog, backend: str, method: str, params: Mapping[str, Any]) -> Tool | None:
    """The tool that a message means, whose params were checked."""
    if method == READ:
        return resource(catalog, backend, params["uri"])
    return catalog.remote(backend, method, params["name"] if method in NAMED else "")


def also(catalog: Catalog, backend: str, method: str, params: Mapping[str, Any]) -> tuple[Tool | None, ...]:
    """What a message is about besides the tool that it means: the prompt or resource that it refers to, and what the
    server had asked for whose answers it brings. None for what is not there."""
    if method in ("resources/subscribe", "resources/unsubscribe"):
        return (resource(catalog, backend, params["uri"]),)
    if method == "completion/complete":
        return (_referred(catalog, backend, params.get("ref", {})),)
    if method == LISTEN:
        return tuple(resource(catalog, backend, uri) for uri in listened(params, "resourceSubscriptions"))
    answers = params.get("inputResponses") if method in ASIDE or method == UPDATE else None
    return tuple(catalog.remote(backend, answered(each)) for each in answers.values()) if answers else ()


def listened(params: Mapping[str, Any], what: str) -> list[str]:
    """The resources of whose changes a client wants to hear, or the tasks. Raises Malformed."""
    wanted = params.get("notifications")
    named = wanted.get(what, []) if isinstance(wanted, dict) else None
    if not isinstance(named, list) or len(named) > MOST_LISTENED or not all(isinstance(one, str) for one in named):
        raise Malformed(f"`{what}` holds at most {MOST_LISTENED} texts.", BAD_PARAMS)
    return named


def refuse_task(tool: Tool, params: Mapping[str, Any], result: Tool | None) -> None:
    """Raise Malformed for a call that is to go on as a task, where what `result` tells of it later would be treated
    otherwise than an answer of the tool."""
    if "task" in params and not may_be_task(tool, result):
        raise Malformed("This tool cannot be called as a task: its answers are looked at as such.", BAD_PARAMS)


def may_be_task(tool: Tool, result: Tool | None) -> bool:
    """Whether a call may go on as a task: `result` tells of it later, and is treated as an answer of the tool."""
    own = tool.replies or tool.caching or tool.undo or tool.costs
    return not own and result is not None and result.reply == tool.reply


def negotiates_tasks(params: Mapping[str, Any]) -> bool:
    """Whether the client of a message without session says that it knows tasks."""
    said = params.get("_meta", _NOTHING).get(CAPABILITIES)
    extensions = said.get("extensions") if isinstance(said, dict) else None
    return isinstance(extensions, dict) and TASKS in extensions


def _referred(catalog: Catalog, backend: str, ref: Mapping[str, Any]) -> Tool | None:
    """A template is named as it stands in the listing."""
    kind, name, uri = ref.get("type"), ref.get("name"), ref.get("uri")
    if kind == "ref/prompt" and isinstance(name, str):
        return catalog.remote(backend, "prompts/get", name)
    if kind == "ref/resource" and isinstance(uri, str):
        return catalog.remote(backend, READ, uri) or resource(catalog, backend, uri)
    return None


def answered(answer: Any) -> str:
    """The method of the request that a client answers, by the members that only its result has."""
    if isinstance(answer, dict):
        found = [method for method, keys in _ANSWERS.items() if keys <= answer.keys()]
        if len(found) == 1 and not jsonrpc.likened(answer, _OF_ANSWERS):
            return found[0]
    raise Malformed("`inputResponses` holds an answer to nothing that a server may ask.", BAD_PARAMS)


def resource(catalog: Catalog, backend: str, uri: str) -> Tool | None:
    """The tool that reads a resource: the one of this very URI, else the one of the template that it fits and that says
    the most of it."""
    found = catalog.remote(backend, READ, uri)
    if found is not None and not (found.mcp and found.mcp.is_template):
        return found
    if _ODD.search(uri) or climbs(uri):
        return None
    return next((tool for tool in catalog.templates(backend) if not tool.contract.check({"uri": uri})), None)


def climbs(uri: str) -> bool:
    """Whether some server could take a URI for that of what lies elsewhere."""
    text = uri
    for _ in range(_MOST_DECODINGS):
        text = unquote(text, errors="replace")
    return _HIDDEN.search(text) is not None or not _CLIMBING.isdisjoint(re.split("[/;?#]", text))


def refuse_another(tool: Tool, arguments: Mapping[str, Any], catalog: Catalog) -> None:
    """Raise Malformed where a message with these arguments means another tool."""
    if tool.mcp and tool.mcp.method == READ:
        found = resource(catalog, tool.backend, str(arguments.get("uri", "")))
        if found is None or found.name != tool.name:
            raise Malformed("The message means another tool.", BAD_PARAMS)


def again(tool: Tool, outgoing: Outgoing, catalog: Catalog) -> Placed:
    """The arguments that params of a call of this tool mean. Raises Refusal."""
    remote = tool.mcp
    assert remote is not None
    placed = Placed(_MOST_DEPTH)
    params = strictjson.parse(outgoing.body, _MOST_DEPTH) if outgoing.body else {}
    if not isinstance(params, dict) or (NAMED.get(remote.method) == "name" and params.get("name") != remote.name):
        raise Malformed("The message means another tool.", BAD_PARAMS)
    if remote.method == RESPONSE:
        placed.arguments.update(params)
        return placed
    check(remote.method, params, modern=bool(_RETRY & params.keys()))
    placed.arguments.update(arguments_of(remote.method, params))
    placed.aside.update(aside_of(remote.method, params))
    placed.problems += problems_of(tool, placed.arguments)
    refuse_another(tool, placed.arguments, catalog)
    return placed


def alone(outgoing: Outgoing) -> Outgoing:
    """A message without what ties it to a session, and to a client that hears of its progress."""
    params = json.loads(outgoing.body)
    meta = {name: value for name, value in params.get("_meta", {}).items() if name != "progressToken"}
    headers = tuple(pair for pair in outgoing.headers if not pair[0].startswith("mcp-"))
    return outgoing._replace(headers=headers, body=jsonrpc.written({**params, "_meta": meta}))
