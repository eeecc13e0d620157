"""What one message of MCP means, by whatever way it came: the tool, its arguments, its place in a trace. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from proxy.model import Call, Outgoing
from proxy.protocols import jsonrpc, mcpcontent, mcpparams
from proxy.protocols.jsonrpc import BAD_PARAMS, NOTHING, VERSION, Malformed, Message
from proxy.protocols.methods import CLIENT, MODERN, is_served
from proxy.telemetry.tracecontext import parse
from rules.facts import Principal, Run
from rules.mcp.plumbing import RESPONSE, SAMPLING
from rules.tools import Catalog, Tool


class Seat(NamedTuple):
    """Where a client sits: its address, what it calls the backend by, and what stands before that."""

    base: str
    peer: str
    origin: str


class MessageAsk:
    """One message, once it was read; what it says of itself is known from then on."""

    message: Message = NOTHING
    id = b""
    """The id of the message, where it could be read, also of one that is refused."""

    modern = False
    """Whether it is of the era without sessions (2026-07-28 and later)."""

    revision = ""
    """What it says of the protocol's revision; empty where it says nothing."""

    session = ""
    """The session that it is a part of; empty in the era without sessions."""

    assumed = ""
    """The revision of a message that says none, outside of a session in which one was agreed upon."""

    _tasks: Tool | None = None
    _sampling: Tool | None = None

    also: tuple[Tool | None, ...] = ()
    """What the caller has to see besides the tool, for the message is about it; None for what is not there."""

    def metadata_for(self, tool: Tool) -> str:
        """Where a client is told how to sign in at a tool's server; empty where its token does not go there."""
        return ""

    def check_revision(self, spoken: Sequence[str]) -> None:
        """Raise Malformed where the message is of a revision that is not among those that may be spoken with its
        server; where there are none named all may. `initialize` is of the one that its client wants."""
        begins = self.message.method == "initialize"
        asked = self.message.params.get("protocolVersion") if begins else self.revision
        if not begins and not asked:
            asked = "" if self.session else self.assumed
        if spoken and asked not in spoken and (asked or begins):
            raise unsupported(asked if isinstance(asked, str) else "", spoken)

    def _read(self, data: bytes, most_depth: int) -> None:
        """Raises Refusal; the id is known also then, where there is one."""
        try:
            self.message = jsonrpc.read(data, most_depth)
        except Malformed as no:
            self.id = no.id
            raise
        self.id = self.message.id

    def _meant(self, catalog: Catalog, backend: str) -> Tool | None:
        message = self.message
        self._sampling = catalog.remote(backend, SAMPLING)
        if message.kind == "response":
            return None if self.modern else catalog.remote(backend, RESPONSE)
        if not is_served(CLIENT, message.method, message.kind, self.revision):
            return None
        mcpparams.check(message.method, message.params, self.modern)
        self._tasks = catalog.remote(backend, "tasks/result")
        self.also = mcpparams.also(catalog, backend, message.method, message.params)
        return mcpparams.meant(catalog, backend, message.method, message.params)

    def _arguments(self, tool: Tool) -> dict[str, Any]:
        """What rules judge. Raises Refusal."""
        message, remote = self.message, tool.mcp
        assert remote is not None
        mcpparams.refuse_task(tool, message.params, self._tasks)
        if message.kind == "response":
            mcpcontent.refuse_binary(self._sampling, message.said)
            return dict(message.said)
        mcpcontent.refuse_binary(self._sampling, message.params.get("inputResponses"))
        return mcpparams.arguments_of(remote.method, message.params)

    def _call(
        self,
        call_id: str,
        tool: Tool,
        principal: Principal,
        run: Run,
        arguments: Mapping[str, Any],
        outgoing: Outgoing,
        seat: Seat,
    ) -> Call:
        """The call that the message is, from its arguments and what is sent. An API knows nothing that goes along."""
        remote = tool.mcp
        return Call(
            id=call_id,
            run=run,
            principal=principal,
            tool=tool,
            arguments=arguments,
            problems=mcpparams.problems_of(tool, arguments) if remote else (),
            outgoing=outgoing,
            base=seat.base,
            peer=seat.peer,
            origin=seat.origin,
            aside=mcpparams.aside_of(remote.method, self.message.params) if remote else {},
        )

    def _modern(self, version: Any) -> None:
        if not isinstance(version, str):
            raise Malformed("The revision of the protocol is a string.", BAD_PARAMS)
        if version not in MODERN:
            raise unsupported(version, MODERN)  # the others are spoken after `initialize` alone
        self.modern, self.revision, self.session = True, version, ""


def trace_of(meta: Any) -> tuple[str | None, str | None] | None:
    """The place in a trace that a message names, where it is one."""
    parent = meta.get("traceparent") if isinstance(meta, dict) else None
    if not isinstance(parent, str) or parse(parent, None) is None:
        return None
    state = meta.get("tracestate")
    return parent, state if isinstance(state, str) else None


def run_of(session: str) -> str:
    """A session is one piece of work. Its id is as good as a credential, so it names nothing by itself."""
    return "mcp-" + blake2b(session.encode(), digest_size=12).hexdigest()


def unsupported(asked: str, spoken: Sequence[str]) -> Malformed:
    """The refusal of a message of a revision that is not known here."""
    data = {"supported": list(spoken), "requested": asked[:64]}
    return Malformed("This revision of the protocol is not spoken here.", VERSION, data=data)
