"""MCP over standard input and output: one line is one message, and nothing stands beside it. No I/O."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from proxy.errors import Refusal
from proxy.model import Call, Hail, Headers, Outgoing
from proxy.protocols import mcpparams, strictjson
from proxy.protocols.jsonrpc import NOTHING, Malformed
from proxy.protocols.mcpmessage import MessageAsk, Seat, run_of, trace_of
from proxy.protocols.mcpparams import PROTOCOL
from proxy.protocols.methods import MODERN
from rules.facts import Principal, Run
from rules.mcp.plumbing import STREAM
from rules.tools import Catalog, Tool

_HEAD: Final[Headers] = (("content-type", "application/json"),)
_ID: Final = rb'(-?[0-9]{1,30}|"[^"\\]{0,254}")'
_BEFORE: Final = rb'\s*\{\s*(?:"(?:jsonrpc|method)"\s*:\s*"[^"\\]*"\s*,\s*){0,2}'
_FIRST: Final = re.compile(_BEFORE + rb'"id"\s*:\s*' + _ID + rb"\s*[,}]")
_LAST: Final = re.compile(rb'[,{]\s*"id"\s*:\s*' + _ID + rb"\s*\}\s*$")
_LONG_TAIL: Final = 512


class Era(NamedTuple):
    """What is known of a client from its messages before: the revision that it speaks and its session, as far as
    it has either. `run` is what its calls belong to."""

    revision: str = ""
    session: str = ""
    run: str = ""


def begun(session: str, revision: str) -> Era:
    """The era of a client after it began a session."""
    return Era(revision, session, run_of(session))


class StdioAsk(MessageAsk):
    """One line of a client, for one backend. What is wrong with it is said when the tool is looked for, so that it is
    recorded. `trouble` is what is wrong with it already: then `line` may lack its middle."""

    _listens = False

    def __init__(
        self,
        listener: str,
        backend: str,
        line: bytes,
        most_depth: int,
        era: Era,
        trouble: Refusal | None = None,
    ) -> None:
        self.listener = listener
        self.trouble = trouble
        self._backend = backend
        self._era = era
        self.revision, self.session = era.revision, era.session
        if trouble is None and line:
            try:
                self._take(line, most_depth)
            except Refusal as no:
                self.trouble = no
        if self.trouble is not None and self.message is NOTHING:
            self.id = self.id or id_in(line)
            if not _asks(line, most_depth):
                self.id = b""

    @classmethod
    def listening(cls, listener: str, backend: str, era: Era) -> StdioAsk:
        """Asks, as nobody has to do here, for what the server says by itself."""
        ask = cls(listener, backend, b"", 0, era)
        ask._listens, ask.modern = True, era.revision in MODERN
        ask.message = NOTHING._replace(method=STREAM)
        return ask

    def _take(self, line: bytes, most_depth: int) -> None:
        self._read(line, most_depth)
        version = mcpparams.meta_of(self.message.params).get(PROTOCOL)
        if version is not None:
            self._modern(version)
        elif self._era.revision in MODERN:
            self.modern = self.message.kind != "request"
            if self.message.method == "initialize":
                self.revision = ""  # what was tried before is not what the server speaks: it begins anew

    def hail(self) -> Hail:
        trace = trace_of(self.message.params.get("_meta")) or (None, None)
        return Hail("mcp", "", run=self._era.run, traceparent=trace[0], tracestate=trace[1])

    async def find(self, catalog: Catalog) -> Tool | None:
        if self.trouble is not None:
            raise self.trouble
        if self._listens:
            return catalog.remote(self._backend, STREAM)
        return self._meant(catalog, self._backend)

    async def call(self, call_id: str, tool: Tool, principal: Principal, run: Run) -> Call:
        remote, arguments, params = tool.mcp, self._arguments(tool), self.message.params
        assert remote is not None
        body = b"" if self._listens else mcpparams.written(remote, params, arguments)
        outgoing = Outgoing("GET" if self._listens else "POST", "", _HEAD, body)
        seat = Seat(f"/{self._backend}", "", "stdio:")
        return self._call(call_id, tool, principal, run, arguments, outgoing, seat)


def _asks(line: bytes, most_depth: int) -> bool:
    """Whether a line that is no good message asks for something. The id of an answer is the server's: said again with
    an error, it would be that of another request to who reads it."""
    try:
        members: dict[str, Any] = strictjson.members(line, most_depth + 2)
    except Refusal:
        return b'"method"' in line
    return "method" in members


def id_in(line: bytes) -> bytes:
    """The text of the id in a message that cannot be read, or whose middle is not there; empty where it is not found.
    It is looked for where it commonly stands."""
    found = _FIRST.match(line) or _LAST.search(line[-_LONG_TAIL:])
    try:
        return found[1] if found and strictjson.parse(found[1], 1) is not None else b""
    except Refusal:  # said again, it would be no JSON there either
        return b""


def oversized(most: int) -> Refusal:
    """What is said to a line that is too long to be read."""
    return Refusal("too_large", f"The message has more than {most} bytes.", suggestion="Send less in one call.")


def in_use() -> Malformed:
    """What is said to a request by whose id another is under way."""
    return Malformed("Another request of this id is under way.", suggestion="Give each request an id of its own.")
