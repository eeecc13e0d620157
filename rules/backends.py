"""Backend files become Backends and Tools."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from redaction.operators import REALISTIC, Way, missing
from redaction.profiles import NO_MORE, UnknownKind, kinds_of
from redaction.rewriting import NO_WAYS, Ways
from redaction.surrogates import FORMS
from rules.budgets import read_costs
from rules.caching import read_caching, read_invalidates
from rules.credentials import read_credentials
from rules.definitions import Definitions
from rules.dialects import Flaw
from rules.documents import BadSchema, Documents, Folder, Library
from rules.limits import read_limits
from rules.obligations import Limit
from rules.once import read_once
from rules.outgoing import DEFAULT as NOTHING_SAID
from rules.outgoing import Outgoing, read_outgoing
from rules.placing import Placed, place
from rules.problems import closest
from rules.replies import Replies, Shape, read_replies
from rules.restoring import read_restore
from rules.schema import Contract
from rules.settle import read_settle_by
from rules.shape import size
from rules.shaping import is_stream, read_shaping
from rules.source import LoadProblem, Node
from rules.sparing import read_sparing
from rules.template import parse
from rules.terms import beyond, read_breaker, read_bulkhead, read_probe, read_retry, read_timeout
from rules.tools import CHOICE, DEFAULT_REPLY_BYTES, Backend, Pick, Reply, Tool
from rules.undo import names_of, read_undos
from rules.urls import parse_endpoint, parse_network, parse_url
from rules.wire import Slot

DEFAULT_PROFILE: Final = "standard"
_OF_CLEANING: Final = "says how replies are looked at, and `redact` is off", "leave it out, or say what is taken out"


@dataclass(slots=True)
class Loaded:
    """What one backend file gave. `documents` are the schema files that it leads to, by URI, `shapes` the schemas of
    answers that were read."""

    root: Node
    backend: Backend | None = None
    tools: list[Tool] = field(default_factory=list)
    documents: dict[str, Any] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    problems: list[LoadProblem] = field(default_factory=list)
    credentials: tuple[Slot, ...] = ()
    exchanges: bool = False
    limits: tuple[Limit, ...] = ()
    own_kinds: frozenset[str] = NO_MORE
    names: list[str] = field(default_factory=list)
    """The short names of all its tools, also of those that cannot be used."""


def load_tools(loaded: Loaded, folder: Folder) -> None:
    """Read the tools of an HTTP API, adding them to what was loaded of its file."""
    root, tools = loaded.root, loaded.root.get("tools")
    loaded.names = names_of(root)
    for short, node in tools.items() if tools else ():
        tool = _tool(loaded, root, short, node, folder)
        loaded.tools += [tool] if tool else []
    loaded.tools, wrong = read_undos(root, loaded.tools)
    loaded.tools, besides = read_settle_by(root, loaded.tools)
    loaded.problems += [*wrong, *besides]


ToolReader = Callable[[Loaded, Library], Definitions | None]


def load_backend(root: Node, folder: Library, own: frozenset[str] = NO_MORE, read: ToolReader = load_tools) -> Loaded:
    """Read one backend file whose shape was checked. All problems are collected. `own` are kinds of the author's,
    `read` makes the tools."""
    loaded = Loaded(root, own_kinds=own)
    name = root.value["backend"].value
    urls = [_try(loaded, item, parse_endpoint if root.get("mcp") else parse_url) for item in root.under("url")]
    networks = [_try(loaded, item, parse_network) for item in root.under("addresses")]
    said, wrong = read_credentials(root)
    loaded.credentials, loaded.exchanges, loaded.problems = said.slots, said.exchanges, [*loaded.problems, *wrong]
    loaded.limits = read_own_limits(loaded, root, f"backend {name}")
    accepted = read(loaded, folder)
    if urls and urls[0]:
        loaded.problems += _out_of_place(root) if urls[0].is_started else ()
        names = tuple(tool.name for tool in loaded.tools)
        where = tuple(one for one in networks if one)
        breaker, bulkhead = read_breaker(root.get("breaker")), read_bulkhead(root.get("bulkhead"))
        probe, wrong = read_probe(root.get("probe"), breaker)
        loaded.problems += wrong
        says = root.text("says")
        trace = (told := root.get("trace")) is None or bool(told.value)
        revisions = tuple(sorted({each.value for each in root.under("revisions")}, reverse=True))
        kept = (breaker, bulkhead, probe, said.injects, accepted, trace, revisions)
        loaded.backend = Backend(name, urls[0], where, names, says, *kept)
    loaded.problems += beyond(root.get("timeout"))
    return loaded


def _out_of_place(root: Node) -> Iterator[LoadProblem]:
    """What a server that is started cannot have."""
    for name in ("addresses", "credential"):
        if root.get(name) is not None:
            hint = "what it needs stands in its environment: see `toolwall mcp --env`"
            yield root.key_problem(name, "has no place where `url` is stdio:", hint)


def _try(loaded: Loaded, node: Node, read: Callable[[str], Any]) -> Any:
    """Read a scalar, noting what is wrong with it; None then."""
    try:
        return read(node.value)
    except ValueError as error:
        loaded.problems.append(node.problem(str(error)))
        return None


def _tool(loaded: Loaded, root: Node, short: str, node: Node, folder: Folder) -> Tool | None:
    """One tool, or None where something is wrong with it."""
    before = len(loaded.problems)
    method, _, path = node.value["call"].value.partition(" ")
    segments = _try(loaded, node.value["call"], lambda _: parse(path))
    contract = _contract(loaded, node, folder)
    replies = _replies(loaded, node.get("replies"), folder)
    reply = read_reply(loaded, root.get("reply"), node.get("reply"), replies is not None)
    if reply.shaping and reply.shaping.picks and replies and any(map(is_stream, replies.types())):
        loaded.problems.append(node.at(("replies",), "has a stream, of which keep and drop cannot pick fields"))
    effect = _effect(loaded, node, method)
    if segments is None or contract is None:
        return None
    placed = place(node, method, segments, contract, loaded.credentials)
    loaded.problems += placed.problems
    loaded.documents.update(contract.documents)
    pick = _pick(loaded, node.get("picked_by"), placed)
    loaded.problems += beyond(node.get("timeout"))
    if len(loaded.problems) > before:
        return None
    made = _make(root, short, node, (method, path), contract, placed, effect, reply)
    outgoing = read_outgoings(loaded, node.get("outgoing") or root.get("outgoing"))
    limits = (*loaded.limits, *read_own_limits(loaded, node, f"tool {made.name}"))
    restore, wrong = read_restore(root.get("restore"), node, reply, loaded.own_kinds, outgoing)
    loaded.problems += [each for each in wrong if each not in loaded.problems]  # each tool reads its backend's anew
    said: dict[str, Any] = {"replies": replies, "credentials": loaded.credentials, "picked_by": pick}
    said |= {"outgoing": outgoing, "limits": limits, "restore": restore, "costs": read_costs(node)}
    return kept(loaded, node, replace(made, **said))


def kept(loaded: Loaded, node: Node, tool: Tool) -> Tool:
    """The tool, with what it says of answers that are kept, and of repeats."""
    caching, wrong = read_caching(node.get("cache"), tool.effect, bool(tool.reply.redact), loaded.exchanges)
    invalidates, also = read_invalidates(node.get("invalidates"), tool.effect, tool.backend, loaded.names)
    once, besides = read_once(node, tool.effect, tool.contract, tool.headers, tool.slots)
    loaded.problems += [*wrong, *also, *besides]
    return (
        replace(tool, caching=caching, invalidates=invalidates, once=once) if caching or invalidates or once else tool
    )


def read_own_limits(loaded: Loaded, node: Node, owner: str) -> tuple[Limit, ...]:
    """The key `limit` of a tool or backend; what is wrong with it is noted."""
    limits, problems = read_limits(node.get("limit"), owner)
    loaded.problems += problems
    return limits


def read_outgoings(loaded: Loaded, node: Node | None) -> Outgoing:
    """The key `outgoing` of a tool, or of its backend; what is wrong with it is noted."""
    if node is None:
        return NOTHING_SAID
    outgoing, problems = read_outgoing(node, loaded.own_kinds)
    loaded.problems += [each for each in problems if each not in loaded.problems]  # each tool reads its backend's anew
    return outgoing


def _pick(loaded: Loaded, node: Node | None, placed: Placed) -> Pick | None:
    """What tells the tool from others with the same call. It has to reach the backend, where it means the same."""
    if node is None:
        return None
    [(place, table)] = node.items()
    if len(table.value) != 1:
        loaded.problems.append(table.problem("must name exactly one", "such as {X-Target: Orders.Get}"))
        return None
    [(said, value)] = table.items()
    name = said.lower() if place == "header" else said
    declared = {one.wire.lower() if place == "header" else one.wire for one in placed.params if one.place == place}
    if name not in declared and (place, name) != ("header", CHOICE):
        hint = "declare it under args, with this value as its const"
        loaded.problems.append(table.key_problem(said, f"is no argument in the {place}", hint))
    return Pick(place, name, value.value)  # type: ignore[arg-type]


def _make(
    root: Node,
    short: str,
    node: Node,
    call: tuple[str, str],
    contract: Contract,
    placed: Placed,
    effect: Any,
    reply: Reply,
) -> Tool:
    backend = root.value["backend"].value
    timeout_s, waits = read_timeout(node.get("timeout"), root.get("timeout"), effect)
    line, _ = root.value["tools"].keys[short]
    return Tool(
        name=f"{backend}.{short}",
        short=short,
        backend=backend,
        says=node.text("says"),
        method=call[0],
        path=call[1],
        params=tuple(placed.params),
        body_wire=placed.body_wire,
        contract=contract,
        effect=effect,
        timeout_s=timeout_s,
        waits=waits,
        retry=read_retry(node.get("retry"), root.get("retry")),
        reply=reply,
        hash=digest([node.plain(), _digests(contract.documents)]),
        whole_body=placed.whole_body,
        body_open=contract.is_open,
        body_types=placed.body_types,
        body_params=tuple(placed.body_params),
        body_rest=placed.body_rest,
        guessed=bool((guessed := node.get("guessed")) and guessed.value),
        file=node.file,
        line=line,
    )


def _contract(loaded: Loaded, node: Node, folder: Folder) -> Contract | None:
    args, whole = node.get("args"), node.get("input")
    schema = whole.plain() if whole else _short_form(args)
    try:
        if not isinstance(schema, dict):
            raise BadSchema([Flaw((), "must be a mapping", "such as {type: object, properties: ...}")])
        return Contract(schema, folder)
    except BadSchema as bad:
        for flaw in bad.flaws:
            loaded.problems.append(_flaw(node, flaw.path, flaw.message, flaw.hint, bad.file))
        return None


def _short_form(args: Node | None) -> dict[str, Any]:
    """`args` as the JSON Schema that it stands for."""
    properties = args.plain() if args else {}
    optional = {name for name, one in properties.items() if isinstance(one, dict) and one.pop("optional", False)}
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def _flaw(node: Node, path: tuple[str | int, ...], message: str, hint: str, file: str) -> LoadProblem:
    if file:
        where = ".".join(map(str, path))
        return LoadProblem(file, 1, 1, where, message, hint)
    if node.get("input"):
        return node.at(("input", *path), message, hint)
    if len(path) == 3 and closest(str(path[2]), ("optional",)):
        hint = "did you mean optional?"
    return node.at(("args", *path[1:]), message, hint)


def _replies(loaded: Loaded, node: Node | None, folder: Folder) -> Replies | None:
    if node is None:
        return None
    replies, problems = read_replies(node, folder, loaded.shapes)
    loaded.problems += problems
    loaded.documents.update(replies.documents())
    return replies


def read_reply(loaded: Loaded, default: Node | None, own: Node | None, declared: bool) -> Reply:
    """A tool's reply settings: its own, else its backend's, else ours, key by key."""

    def said(word: str) -> Node | None:
        return (own and own.get(word)) or (default and default.get(word)) or None

    redact, on_error, most, contract = said("redact"), said("on_error"), said("most_bytes"), said("contract")
    mode: Any = contract.value if contract else "enforce"
    kinds = _kinds(loaded, redact)
    if own and not declared and mode != "off" and own.get("contract"):
        hint = "say what answers look like"
        loaded.problems.append(own.at(("contract",), "needs the key replies beside `reply`", hint))
    shaping, problems = read_shaping(said)
    loaded.problems += [each for each in problems if each not in loaded.problems]  # a backend's are read for each tool
    binary, warn = said("binary"), said("warn")
    sparing, wrong = read_sparing(said("except"), said("only"), kinds, loaded.own_kinds)
    loaded.problems += [each for each in wrong if each not in loaded.problems]
    if own and not kinds:
        loaded.problems += [own.key_problem(key, *_OF_CLEANING) for key in ("binary", "except", "only") if own.get(key)]
    return Reply(
        redact=kinds,
        sparing=sparing,
        binary=binary.value if binary else "refuse",
        on_error=on_error.value if on_error else "refuse",
        most_bytes=size(most.value) if most else DEFAULT_REPLY_BYTES,
        contract=mode if declared else "off",
        ways=_ways(loaded, default and default.get("operators"), own and own.get("operators"), kinds),
        shaping=shaping,
        warn=frozenset(one.value for one in warn.each()) if warn else frozenset(),
    )


def _ways(loaded: Loaded, default: Node | None, own: Node | None, kinds: frozenset[str]) -> Ways:
    """How findings are rewritten. A tool must not promise it for a kind that it does not take out."""
    node = own or default
    if node is None:
        return NO_WAYS
    for kind in node.value:
        try:
            kinds_of([kind], loaded.own_kinds)
        except UnknownKind as error:
            loaded.problems.append(node.key_problem(kind, str(error)))
            continue
        if own and kind not in kinds:
            loaded.problems.append(own.key_problem(kind, "is not taken out here", "add it to `redact`"))
        if package := missing(_way(node.value[kind]).name):
            loaded.problems.append(node.key_problem(kind, f"needs the package {package}, which is not installed"))
        if _way(node.value[kind]) == Way("pseudonym", REALISTIC) and kind not in FORMS:
            known = f"only {', '.join(sorted(FORMS))} have"
            loaded.problems.append(node.key_problem(kind, "has no realistic pseudonyms", f"{known}; write `pseudonym`"))
    return frozenset((kind, _way(below)) for kind, below in node.items())


def _way(node: Node) -> Way:
    """One word, or `{mask: CHARACTER}`, `{replace: TEXT}` or `{presidio: NAME}`."""
    pairs = node.items()
    return Way(pairs[0][0], pairs[0][1].value) if pairs else Way(node.value)


def _kinds(loaded: Loaded, node: Node | None) -> frozenset[str]:
    if node is None:
        return kinds_of(DEFAULT_PROFILE)
    try:
        return kinds_of(node.plain(), loaded.own_kinds)
    except UnknownKind as error:
        loaded.problems.append(node.problem(str(error)))
        return frozenset()


def _effect(loaded: Loaded, node: Node, method: str) -> str:
    said = node.get("effect")
    if said:
        return str(said.value)
    if method not in ("GET", "HEAD"):
        hint = "one of: read, write, irreversible, admin"
        loaded.problems.append(node.at(("call",), f"a {method} needs the key effect beside it", hint))
    return "read"


def _digests(documents: Documents) -> dict[str, str]:
    """Each file's digest: many tools lead to the same files."""
    return {uri: file.once("digest", digest, file.value) for uri, file in documents.files.items()}


def digest(value: Any) -> str:
    """The SHA-256 of a JSON value in canonical form, as 64 hex digits."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def clashes(tools: Iterable[Tool]) -> Iterator[tuple[Tool, Tool]]:
    """Pairs of tools that the same request could mean."""
    seen: dict[Any, Tool] = {}
    for tool in (each for each in tools if each.mcp is None):
        shape = (
            tool.backend,
            tool.method,
            tuple((segment.texts, bool(segment.names)) for segment in parse(tool.path)),
            tool.picked_by,
        )
        if shape in seen:
            yield seen[shape], tool
        seen.setdefault(shape, tool)
