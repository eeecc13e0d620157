"""The file of a backend that is an MCP server becomes a Backend and its Tools."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from redaction.operators import Way
from redaction.rewriting import Ways
from rules import backends
from rules.backends import Loaded, digest
from rules.budgets import read_costs
from rules.definitions import MOST_FILE, BadDefinitions, Definitions, hash_of, read_definitions
from rules.dialects import Flaw
from rules.documents import ROOT, BadSchema, Library, inside
from rules.mcp import schemas, templates
from rules.mcp.following import read_following
from rules.mcp.meaning import MEANINGS, Meant
from rules.mcp.plumbing import ASKED, LASTING, MCP, PLUMBING, REST, REST_TOOL
from rules.problems import closest
from rules.restoring import read_restore
from rules.schema import Contract
from rules.source import LoadProblem, Node
from rules.terms import beyond, read_retry, read_timeout
from rules.tools import CALL, GET, READ, Remote, Reply, Tool

ZERO: Final = Way("zero")
DROP: Final = Way("drop", "/result/structuredContent")
DAY_S: Final = 24 * 3600.0
"""How long a stream may be open that lasts as long as client and server want."""

_DAMAGED: Final = "take it from version control, or `toolwall mcp accept` what the server says now"
_GONE: Final = "leave it out, or see with `toolwall mcp accept` what the server has now"


class _Kind(NamedTuple):
    """One key of the file: whose definitions it speaks of, by which method, and what stands before a short name."""

    key: str
    method: str
    before: str


TOOLS: Final = _Kind("tools", CALL, "")
PROMPTS: Final = _Kind("prompts", GET, "prompts/")
RESOURCES: Final = _Kind("resources", READ, "resources/")
KINDS: Final = (TOOLS, PROMPTS, RESOURCES)


def names_in(root: Node) -> Iterator[str]:
    """The full names of all that a backend's file speaks of, and of what each MCP server has besides."""
    name = root.text("backend")
    for kind in KINDS if root.get("mcp") else (TOOLS,):
        below = root.get(kind.key)
        yield from (f"{name}.{kind.before}{short}" for short, _ in (below.items() if below else ()))
    if root.get("mcp"):
        yield from (f"{name}.{each}" for each in (*ASKED, *(f"{MCP}/{method}" for method in (*PLUMBING, REST))))


def load_mcp(loaded: Loaded, folder: Library) -> Definitions | None:
    """Read what was accepted of an MCP server and make its tools, adding them to what was loaded of the file."""
    root = loaded.root
    accepted = _accepted(loaded, root.value["mcp"], folder)
    if accepted is None:
        return None
    loaded.names = _shorts(root)
    for kind in KINDS:
        found = _entries(loaded, root.get(kind.key), kind, accepted)
        loaded.tools += found
        loaded.problems += _doubles(root, kind, found)
    loaded.problems += _collisions(root, loaded.tools)
    loaded.tools, wrong = read_following(root, loaded.tools, accepted)
    loaded.problems += wrong
    loaded.tools += [_own(loaded, method, method, False) for method in ASKED]
    own = [_own(loaded, f"{MCP}/{method}", method, True) for method in PLUMBING]
    if any(tool.is_cut for tool in loaded.tools):
        loaded.problems += _namesakes(root, loaded.tools)
        own.append(_rest(loaded))
    loaded.tools += own
    return accepted


def _accepted(loaded: Loaded, node: Node, folder: Library) -> Definitions | None:
    """The definitions, or None with the problem noted."""
    name = node.value
    try:
        with inside(folder.folder, name).open("rb") as stream:
            found = read_definitions(stream.read(MOST_FILE + 1))
    except BadSchema as bad:
        loaded.problems.append(node.problem(bad.flaws[0].message, "`toolwall import mcp` writes it"))
    except OSError as error:
        loaded.problems.append(node.problem(f"{name} cannot be read: {error.strerror}"))
    except BadDefinitions as bad:
        loaded.problems.append(LoadProblem(name, 1, 1, "", str(bad), bad.hint or _DAMAGED))
    else:
        loaded.documents[ROOT + name] = found.digest
        return found
    return None


def _entries(loaded: Loaded, below: Node | None, kind: _Kind, accepted: Definitions) -> list[Tool]:
    found = []
    for short, node in below.items() if below else ():
        try:
            meant = _find(accepted, kind, node, short)
        except _Unknown as unknown:
            loaded.problems.append(node.problem(str(unknown), unknown.hint))
        except BadSchema as bad:
            loaded.problems += [_flaw(node, flaw) for flaw in bad.flaws]
        else:
            tool = _tool(loaded, node, kind, short, meant)
            found += [tool] if tool else []
    return found


def _flaw(node: Node, flaw: Flaw) -> LoadProblem:
    where = ".".join(map(str, flaw.path))
    hint = f"{flaw.hint}; " if flaw.hint else ""
    return node.problem(f"its definition cannot be used: {where} {flaw.message}", f"{hint}leave it out")


class _Unknown(ValueError):
    """The server has nothing by this name."""

    def __init__(self, what: str, name: str, known: Mapping[str, Any]) -> None:
        super().__init__(f"the definitions have no {what} {name}")
        near = closest(name, known)
        self.hint = f"did you mean {near}?" if near else _GONE


def _find(accepted: Definitions, kind: _Kind, node: Node, short: str) -> Meant:
    """What the server has for an entry. Raises _Unknown or BadSchema."""
    uri, template = node.text("uri"), node.text("template")
    what = kind.key if kind is not RESOURCES else "templates" if template else "resources"
    name = template or uri or node.text("name") or short
    known = accepted.of(what)
    if name not in known and not ({"{", "}"} & set(uri)):
        raise _Unknown(what.removesuffix("s"), name, known)
    return MEANINGS[what](name, known.get(name, {}))


def _tool(loaded: Loaded, node: Node, kind: _Kind, short: str, meant: Meant) -> Tool | None:
    """The tool of one entry, or None where something is wrong with it."""
    root, before = loaded.root, len(loaded.problems)
    reply = backends.read_reply(loaded, root.get("reply"), node.get("reply"), meant.replies is not None)
    reply = _in_messages(reply if kind is TOOLS else replace(reply, shaping=None))
    if meant.replies is not None:
        reply = replace(reply, ways=_numbers(reply))
    loaded.problems += beyond(node.get("timeout"))
    if len(loaded.problems) > before:
        return None
    effect: Any = node.text("effect") or "read"
    said = node.text("says") or str(meant.definition.get("description") or "")
    remote = Remote(kind.method, meant.name, meant.mirrors)
    tool = _made(loaded, f"{kind.before}{short}", remote, meant.contract, reply, effect)
    outgoing = backends.read_outgoings(loaded, node.get("outgoing") or root.get("outgoing"))
    restore, wrong = read_restore(root.get("restore"), node, reply, loaded.own_kinds, outgoing)
    loaded.problems += [each for each in wrong if each not in loaded.problems]
    timeout_s, waits = read_timeout(node.get("timeout"), root.get("timeout"), effect)
    line, _ = root.value[kind.key].keys[short]
    guessed = node.get("guessed")
    tool = replace(
        tool,
        says=said,
        timeout_s=timeout_s,
        waits=waits,
        retry=read_retry(node.get("retry"), root.get("retry")),
        replies=meant.replies,
        outgoing=outgoing,
        restore=restore,
        costs=read_costs(node),
        limits=(*loaded.limits, *backends.read_own_limits(loaded, node, f"tool {tool.name}")),
        hash=digest([node.plain(), hash_of(meant.definition)]),
        guessed=bool(guessed and guessed.value),
        line=line,
    )
    return backends.kept(loaded, node, tool)


def _in_messages(reply: Reply) -> Reply:
    """Members are dropped of data alone: all around is the protocol's own, which needs each that it has."""
    return replace(reply, ways=frozenset((kind, DROP if way.name == "drop" else way) for kind, way in reply.ways))


def _numbers(reply: Reply) -> Ways:
    """How findings are rewritten where clients check the form of results: a number stays one, unless the file says
    otherwise of its kind."""
    named = {kind for kind, _ in reply.ways}
    return reply.ways | {(kind, ZERO) for kind in reply.redact - named}


def _shorts(root: Node) -> list[str]:
    return [f"{kind.before}{short}" for kind in KINDS if (below := root.get(kind.key)) for short, _ in below.items()]


def _made(loaded: Loaded, short: str, remote: Remote, contract: Contract, reply: Reply, effect: Any) -> Tool:
    root = loaded.root
    backend = root.text("backend")
    return Tool(
        name=f"{backend}.{short}",
        short=short,
        backend=backend,
        says="",
        method="POST",
        path="/",
        params=(),
        body_wire={},
        contract=contract,
        effect=effect,
        timeout_s=0.0,
        reply=reply,
        hash=digest([remote.method, remote.name]),
        credentials=loaded.credentials,
        file=root.file,
        mcp=remote,
    )


def _own(loaded: Loaded, short: str, method: str, plumbing: bool) -> Tool:
    """A method of the protocol's own. Nobody has to approve one, and none is taken for a repeat of another."""
    root = loaded.root
    reply = _in_messages(replace(backends.read_reply(loaded, root.get("reply"), None, False), shaping=None))
    tool = _made(loaded, short, Remote(method, plumbing=plumbing), schemas.anything(), reply, "read")
    timeout_s, waits = read_timeout(None, root.get("timeout"), "read")
    outgoing = backends.read_outgoings(loaded, root.get("outgoing"))
    restore, wrong = read_restore(root.get("restore"), root, reply, loaded.own_kinds, outgoing)
    loaded.problems += [each for each in wrong if each not in loaded.problems]
    return replace(
        tool,
        says=f"{method}, of the protocol itself." if plumbing else f"{method}, which the server asks of its client.",
        timeout_s=DAY_S if method in LASTING else timeout_s,
        waits=waits,
        retry=read_retry(None, root.get("retry")),
        outgoing=outgoing,
        restore=restore,
        line=root.value["mcp"].line,
    )


def _rest(loaded: Loaded) -> Tool:
    """What gives the rest of shaped results. The sidecar answers it itself, with what it has cleaned before."""
    remote = Remote(CALL, REST_TOOL, plumbing=True)
    tool = _made(loaded, f"{MCP}/{REST}", remote, schemas.rest(), Reply(), "read")
    timeout_s, waits = read_timeout(None, None, "read")
    line = loaded.root.value["mcp"].line
    return replace(tool, says=schemas.REST_SAYS, timeout_s=timeout_s, waits=waits, line=line)


def _namesakes(root: Node, tools: list[Tool]) -> Iterator[LoadProblem]:
    for tool in tools:
        if tool.mcp and tool.mcp.method == CALL and tool.mcp.name == REST_TOOL:
            hint = "leave it out, or all of most, longest and fit"
            yield root.value["tools"].key_problem(tool.short, "has the name by which the rest of results is had", hint)


def _doubles(root: Node, kind: _Kind, tools: list[Tool]) -> Iterator[LoadProblem]:
    """Two entries for the same of the server's: rules about one would not be about the other."""
    seen: dict[str, Tool] = {}
    for tool in tools:
        if tool.mcp and tool.mcp.name in seen:
            first = seen[tool.mcp.name]
            short = tool.short.removeprefix(kind.before)
            yield root.value[kind.key].key_problem(short, "is the same as another one", f"see line {first.line}")
        elif tool.mcp:
            seen[tool.mcp.name] = tool


def _collisions(root: Node, tools: list[Tool]) -> Iterator[LoadProblem]:
    """Templates of which one URI can fit both: nobody could tell whose rules count."""
    below = root.get("resources")
    found = [(short, node) for short, node in (below.items() if below else ()) if node.get("template")]
    good = {tool.mcp.name for tool in tools if tool.mcp and tool.mcp.method == RESOURCES.method}
    found = [(short, node) for short, node in found if node.text("template") in good]
    if below and len(found) > templates.MOST:
        yield below.problem(f"holds more than {templates.MOST} templates", "leave some out")
        return
    for index, (short, node) in enumerate(found):
        for other, first in found[:index]:
            if templates.collide(first.text("template"), node.text("template")):
                yield node.problem(f"{short} and {other} cannot be told apart: a URI can fit both", "leave one out")
