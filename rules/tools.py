"""Tools: what an agent may call, where it leads, and how a wire path finds its tool."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from redaction.rewriting import NO_WAYS, Ways
from redaction.shaping import UNBOUNDED
from redaction.sparing import NOTHING_SPARED, Sparing
from rules.caching import Caching
from rules.credentials import Injected
from rules.definitions import Definitions
from rules.formula import REPLY, Formula
from rules.kinds import TEXT, Kind
from rules.obligations import Limit
from rules.once import Once
from rules.outgoing import DEFAULT as NOTHING_SAID
from rules.outgoing import Outgoing
from rules.pathtree import Tree
from rules.replies import Replies
from rules.schema import Contract
from rules.shaping import Shaping
from rules.template import MOST_SEGMENTS
from rules.terms import BREAKS, BULKHEADS, NO_WAITS, RETRIES, Breaker, Bulkhead, Probe, Retry, Waits
from rules.urls import Network, Url
from rules.wire import FORM_TYPE, JSON_TYPE, JSON_TYPES, Fields, Param, Place, Slot, Slots, fields, slots

Harm = Literal["read", "write", "irreversible", "admin"]
"""What a call does to the world."""
Binary = Literal["refuse", "pass", "hash"]
"""What becomes of an answer that is no text."""

DEFAULT_REPLY_BYTES = 4 * 1024 * 1024
"""Of one answer, decoded. A model's context holds less; bulk downloads are no tool calls."""


class Remote(NamedTuple):
    """What a tool of an MCP server is there: the method of a message that calls it, and the name in it (of a resource
    its URI or template), empty for a method by itself. `mirrors` are the arguments that a header repeats: the end of
    its name, and the argument's path. `plumbing`: the protocol needs it, so no rule has to allow it.
    """

    method: str
    name: str = ""
    mirrors: tuple[tuple[str, tuple[str, ...]], ...] = ()
    plumbing: bool = False

    @property
    def is_template(self) -> bool:
        """Whether `name` stands for all URIs that fit it. No URI holds a brace (RFC 3986, 2)."""
        return self.method == READ and "{" in self.name


CALL, GET, READ = "tools/call", "prompts/get", "resources/read"
"""The methods of MCP that mean one tool, prompt or resource."""


@dataclass(frozen=True, slots=True)
class Backend:
    """One API behind the sidecar. `addresses` are the networks it may lie in besides the public internet. `breaker`
    says when it is left alone, if ever, `bulkhead` how much it gets at once, and `probe` how it is asked whether it is
    well, if it is. `injects` are the credentials that the sidecar itself sends there. `mcp` is what an MCP server was
    accepted with. `trace`: it is told which trace a call is in. `revisions` are those of MCP that may be spoken with
    it, the newest first; none where all may."""

    name: str
    url: Url
    addresses: tuple[Network, ...] = ()
    tools: tuple[str, ...] = ()
    says: str = ""
    breaker: Breaker | None = BREAKS
    bulkhead: Bulkhead = BULKHEADS
    probe: Probe | None = None
    injects: tuple[Injected, ...] = ()
    mcp: Definitions | None = None
    trace: bool = True
    revisions: tuple[str, ...] = ()


CHOICE = "toolwall-tool"
"""The header by which an agent names the tool that it means, where nothing that the backend sees tells it."""

Sent = Callable[[str, str], Sequence[str]]
"""The values that a request has under a name, in its `header` (in lower case) or `query`."""


@dataclass(frozen=True, slots=True)
class Pick:
    """What tells a tool from others with the same call: a header (in lower case) or query name with this value."""

    place: Literal["header", "query"]
    name: str
    value: str


Cleaning = tuple[frozenset[str], Ways, Sparing]
"""The kinds of findings that are taken out, how they are rewritten, and the places that are spared."""


@dataclass(frozen=True, slots=True)
class Reply:
    """How an answer is treated: the kinds of findings that are taken out (none: the answer is not scanned), what
    happens when it cannot be checked, the most bytes (decoded) that are accepted, and what happens when it is off the
    tool's `replies`. `ways` says how findings are rewritten where not by their kind, `shaping` what part is given,
    `sparing` which places are left as they are, `binary` what becomes of a body that is no text,
    `warn` what is counted and stays.
    """

    redact: frozenset[str] = frozenset()
    on_error: Literal["refuse", "pass"] = "refuse"
    most_bytes: int = DEFAULT_REPLY_BYTES
    contract: Literal["enforce", "report", "off"] = "off"
    ways: Ways = NO_WAYS
    shaping: Shaping | None = None
    sparing: Sparing = NOTHING_SPARED
    binary: Binary = "refuse"
    warn: frozenset[str] = frozenset()

    @property
    def cleaning(self) -> Cleaning:
        """What a scanner for it is made of."""
        return self.redact, self.ways, self.sparing


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call costs in one unit: `most`, or what the reply says at a JSON pointer, with `most` set aside before."""

    unit: str
    most: int
    pointer: str | None = None


Taken = tuple[tuple[str, Formula], ...]
"""Arguments of a call that follows another, by name: where each comes from."""


@dataclass(frozen=True, slots=True)
class Undo:
    """`tool` (its full name), called with `arguments`, takes back what a call did, for `within_s` after it."""

    tool: str
    arguments: Taken
    within_s: float

    @property
    def needs_reply(self) -> bool:
        """Whether an argument comes from the answer."""
        return any(REPLY in formula.uses for _, formula in self.arguments)


@dataclass(frozen=True, slots=True)
class SettleBy:
    """`tool` (its full name), which reads, called with `arguments`, tells whether a call was carried out: so says
    `done` of its answer. That it was not counts `after_s` after the call.
    """

    tool: str
    arguments: Taken
    done: Formula
    after_s: float


@dataclass(frozen=True, slots=True)
class Tool:
    """One operation of a backend and its contract. `name` is `backend.short`.

    `path` is a template such as `/customers/{customer_id}`, byte for byte as on the wire. `body_wire` maps an
    argument in the JSON body to its name there. With `whole_body` the argument `body` is the body itself.
    `body_open`: names that are not declared are arguments too, and the contract judges them. `body_types` are the
    media types (or ranges such as `image/*`, in lower case) that a body may have, `body_params` the arguments of
    one that is a form, and `body_rest` what its other names hold. `credentials` are where the caller's own credential
    travels. `guessed`: nobody has looked at the effect yet. `hash` names the exact contract. `file` and `line` say
    where it was written. `replies` is what answers look like, where that is declared. `picked_by` tells it from
    other tools with the same call. `outgoing` is what its arguments may not hold, `caching` how long its answers are
    given again, and `invalidates` are the tools whose answers a call of this one makes stale. `limits` says how many
    calls it and its backend may get. `restore` are the kinds whose pseudonyms are put back in its arguments
    (`redaction.pseudonyms.ANY`: all). `timeout_s` limits the whole call, `waits` its phases, `retry` says how often its
    backend is asked, `costs` what a call costs. `undo` says how it is taken back, `settle_by` which tool tells whether
    it was done, and `tells` that it is such a tool for others.
    """

    name: str
    short: str
    backend: str
    says: str
    method: str
    path: str
    params: tuple[Param, ...]
    body_wire: Mapping[str, str]
    contract: Contract = field(compare=False)
    effect: Harm
    timeout_s: float
    reply: Reply
    hash: str
    whole_body: bool = False
    body_open: bool = False
    body_types: tuple[str, ...] = JSON_TYPES
    body_params: tuple[Param, ...] = ()
    body_rest: Kind = field(default=TEXT, compare=False)
    credentials: tuple[Slot, ...] = ()
    guessed: bool = False
    file: str = ""
    line: int = 0
    replies: Replies | None = field(default=None, compare=False)
    picked_by: Pick | None = None
    outgoing: Outgoing = NOTHING_SAID
    caching: Caching | None = None
    invalidates: frozenset[str] = frozenset()
    once: Once | None = None
    limits: tuple[Limit, ...] = ()
    restore: frozenset[str] = frozenset()
    waits: Waits = NO_WAITS
    retry: Retry = RETRIES
    costs: tuple[Cost, ...] = ()
    undo: Undo | None = None
    settle_by: SettleBy | None = None
    tells: bool = False
    mcp: Remote | None = None
    headers: frozenset[str] = field(init=False)
    """The headers that are arguments, in lower case."""

    cookies: frozenset[str] = field(init=False)
    """The cookies that are arguments."""

    query: Fields = field(init=False)
    """The names of the query."""

    jar: Fields = field(init=False)
    """The names of the cookies."""

    form: Fields = field(init=False)
    """The names of a body that is a form."""

    slots: Slots = field(init=False)
    """Where the caller's own credential travels."""

    segments: tuple[str, ...] = field(init=False)
    """The arguments in the path, in order."""

    def __post_init__(self) -> None:
        places = ("query", "header", "cookie")
        travel = {place: fields(each for each in self.params if each.place == place) for place in places}
        object.__setattr__(self, "headers", frozenset(wire.lower() for wire in travel["header"].own))
        object.__setattr__(self, "cookies", frozenset((*travel["cookie"].own, *travel["cookie"].members)))
        object.__setattr__(self, "query", travel["query"])
        object.__setattr__(self, "segments", tuple(each.name for each in self.params if each.place == "path"))
        object.__setattr__(self, "jar", travel["cookie"])
        object.__setattr__(self, "slots", slots(self.credentials))
        object.__setattr__(self, "form", fields(self.body_params))

    @property
    def is_plumbing(self) -> bool:
        """Whether it is a method that an MCP client cannot do without, and no tool that anybody chooses."""
        return self.mcp is not None and self.mcp.plumbing

    @property
    def is_rest(self) -> bool:
        """Whether it gives the rest of results, which no backend is asked for."""
        return self.mcp is not None and self.mcp.plumbing and self.mcp.method == CALL

    @property
    def is_chosen(self) -> bool:
        """Whether an author wrote it down, and the protocol did not bring it along."""
        return self.mcp is None or bool(self.mcp.name and not self.mcp.plumbing)

    @property
    def is_function(self) -> bool:
        """Whether a model calls it as a function: no prompt, resource or method of a protocol."""
        return self.mcp is None or (self.mcp.method == CALL and not self.mcp.plumbing)

    @property
    def is_cut(self) -> bool:
        """Whether of its answers a part may be given of which the rest can be had."""
        return self.reply.shaping is not None and self.reply.shaping.bounds != UNBOUNDED

    @property
    def call(self) -> str:
        """What a request for it says, such as `GET /customers/{id}` or `tools/call find`."""
        return f"{self.mcp.method} {self.mcp.name}".strip() if self.mcp else f"{self.method} {self.path}"

    @property
    def is_of_a_run(self) -> bool:
        """Whether its answers mean something within one run only, for they may hold pseudonyms."""
        return bool(self.restore) or any(way.name == "pseudonym" for _, way in self.reply.ways)

    @property
    def writes_as(self) -> str:
        """The media type in which a body can be written from values; empty where none of those it takes can."""
        if FORM_TYPE in self.body_types and not set(self.body_types) & {JSON_TYPE, "application/*", "*/*"}:
            return FORM_TYPE
        if JSON_TYPE in self.body_types or "application/*" in self.body_types or "*/*" in self.body_types:
            return JSON_TYPE
        named = [one for one in self.body_types if one.endswith("+json") and "*" not in one]
        plain = [one for one in self.body_types if self.whole_body and one.startswith("text/")]
        return next(iter([*named, *(one.replace("*", "plain") for one in plain)]), "")

    def travels(self, name: str) -> tuple[Place | Literal[""], str]:
        """Where an argument travels and under which name; nowhere where the contract does not declare it."""
        for param in (*self.params, *self.body_params):
            if param.name == name:
                return param.place, param.wire
        return ("body", self.body_wire[name]) if name in self.body_wire else ("", name)


class Catalog:
    """All backends and tools, and the way from a wire path to its tool. Immutable after it is made."""

    def __init__(self, backends: Iterable[Backend] = (), tools: Iterable[Tool] = ()) -> None:
        self.backends: Mapping[str, Backend] = {backend.name: backend for backend in backends}
        self.tools: Mapping[str, Tool] = {tool.name: tool for tool in tools}
        self._trees: dict[tuple[str, str], Tree] = {}
        self._remote = {
            (tool.backend, tool.mcp.method, tool.mcp.name): tool for tool in self.tools.values() if tool.mcp
        }
        self._templates = _templates(self.tools.values())
        for tool in self.tools.values():
            if tool.mcp is None:
                self._trees.setdefault((tool.backend, tool.method), Tree()).grow(tool)

    def remote(self, backend: str, method: str, name: str = "") -> Tool | None:
        """The tool of an MCP server that a message of this method calls by this name."""
        return self._remote.get((backend, method, name))

    def templates(self, backend: str) -> tuple[Tool, ...]:
        """The tools that read all resources of a kind, those first whose templates say the most."""
        return self._templates.get(backend, ())

    def match(
        self, backend: str, method: str, path: str, sent: Sent = lambda place, name: ()
    ) -> tuple[Tool, dict[str, str]] | None:
        """The tool that a request means, with its path arguments as raw (percent-encoded) text, or None.

        `path` is the raw path inside the backend and begins with `/`. Literals are compared byte for byte, a
        parameter takes one segment that is not empty. From left to right a literal beats a parameter, and a
        parameter with more literal text around it beats one with less. A path that others would read as that of
        another tool means none. Each node of the tree is visited at most twice, so the work is bounded by the number
        of declared tools. Where several tools have the same call, `sent` is asked for what tells them apart: a value
        that none of them has means no tool.
        """
        tree = self._trees.get((backend, method))
        if tree is None or path.count("/") > MOST_SEGMENTS or not path.startswith("/"):
            return None
        found = tree.find(path)
        if found is None:
            return None
        tools, values = found
        tool = tools[0] if len(tools) == 1 and tools[0].picked_by is None else _picked(tools, sent)
        if tool is None:
            return None
        return tool, dict(zip(tool.segments, values, strict=True))

    def __repr__(self) -> str:
        return f"Catalog({len(self.backends)} backends, {len(self.tools)} tools)"


def _templates(tools: Iterable[Tool]) -> Mapping[str, tuple[Tool, ...]]:
    found = [
        (len(re.sub(r"\{[^}]*\}", "", tool.mcp.name)), tool) for tool in tools if tool.mcp and tool.mcp.is_template
    ]
    ranked = sorted(found, key=lambda pair: -pair[0])
    return {one.backend: tuple(tool for _, tool in ranked if tool.backend == one.backend) for _, one in ranked}


def _picked(tools: Sequence[Tool], sent: Sent) -> Tool | None:
    """Of tools with the same call the one that the request means; None where it is in doubt."""
    picks = [(tool, tool.picked_by) for tool in tools if tool.picked_by]
    values = {(pick.place, pick.name): list(sent(pick.place, pick.name)) for _, pick in picks}
    meant = [tool for tool, pick in picks if values[pick.place, pick.name] == [pick.value]]
    if len(meant) == 1:
        return meant[0]
    if meant or any(values.values()):
        return None
    return next((tool for tool in tools if tool.picked_by is None), None)
