"""The things that flow: an Ask arrives, becomes a Call, and is answered by a Result."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol
from urllib.parse import parse_qsl

from proxy.body import Body
from rules.facts import Facts, Principal, Run
from rules.schema import Problem
from rules.tools import Catalog, Tool

if TYPE_CHECKING:
    from proxy.entry import Entry

Headers = tuple[tuple[str, str], ...]


# What flows is immutable. A named tuple is made five times as fast as a frozen dataclass: that counts on every call.


class Outgoing(NamedTuple):
    """One HTTP request as it will go to the backend, byte for byte. `target` is the raw path and query
    below the backend's url, or where it is `rooted` below the backend's host."""

    method: str
    target: str
    headers: Headers
    body: bytes
    rooted: bool = False

    def __repr__(self) -> str:
        return f"Outgoing({self.method}, {len(self.body)} bytes)"


class Carried(NamedTuple):
    """What a call brought besides its arguments, and what another to the same backend needs: the caller's credential
    and the way it came. `query` are raw pairs."""

    headers: Headers = ()
    query: tuple[str, ...] = ()
    cookies: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return "Carried()"


def same(arguments: Mapping[str, Any], aside: Mapping[str, Any]) -> Any:
    """What calls of a tool with these have in common. What is said of a call (`_meta`) is not."""
    kept = {name: value for name, value in aside.items() if name != "_meta"} if aside else None
    return [arguments, kept] if kept else arguments


class Call(NamedTuple):
    """One tool call that has been read and understood. Holds no envelope of the wire protocol.

    `base` is the path under which the agent sees the backend ("/crm", or "" where the Host chose the backend), and
    `origin` what stands before it ("http://127.0.0.1:8080").
    `problems` are faults that were found while placing arguments; they are judged with the contract. `aside` is what
    a protocol lets go along that no contract knows: what holds for its content is what holds for arguments.
    """

    id: str
    run: Run
    principal: Principal
    tool: Tool
    arguments: Mapping[str, Any]
    problems: tuple[Problem, ...]
    outgoing: Outgoing
    base: str
    peer: str
    origin: str
    aside: Mapping[str, Any] = MappingProxyType({})

    def __repr__(self) -> str:
        return f"Call({self.id}, {self.tool.name})"

    @property
    def same(self) -> Any:
        """What two calls of a tool have in common that ask for the same."""
        return same(self.arguments, self.aside)

    @property
    def query_keys(self) -> Headers:
        """The caller's own credential where it travels in the query: no argument, and no header."""
        names = self.tool.slots.query
        pairs = parse_qsl(self.outgoing.target.partition("?")[2], keep_blank_values=True) if names else []
        return tuple(sorted(pair for pair in pairs if pair[0] in names))

    def facts(self) -> Facts:
        """What the rules may look at."""
        return Facts(
            tool=self.tool,
            args=self.arguments,
            principal=self.principal,
            run=self.run,
            now=datetime.now(UTC),
            peer=self.peer,
            problems=self.problems,
        )


@dataclass(slots=True)
class Result:
    """The answer to a Call. `headers` are (name, value) pairs in order."""

    status: int
    headers: list[tuple[str, str]]
    body: Body


class Behalf(NamedTuple):
    """A call that the sidecar makes itself in the name of a principal. `ordered` says who wanted it; it undoes the call
    `undoes`, or sends the call `resends` again, whose arguments had the hash `same`, and whose run the caller called
    `named`, or asks what became of the call `settles`: `hear` is told the status of the answer, whether it can be read,
    and what it says."""

    ordered: str
    undoes: str = ""
    resends: str = ""
    same: str = ""
    named: str = ""
    settles: str = ""
    hear: Callable[[int, bool, Any], None] | None = None

    def said(self) -> dict[str, str]:
        """What a Record tells of it."""
        return {"ordered": self.ordered, "undoes": self.undoes, "resends": self.resends, "settles": self.settles}


def _always() -> bool:
    return True


class Certificate(NamedTuple):
    """A client's certificate that the listener verified. `subject` is written as in RFC 4514, `uris` are the URIs among
    its alternative names (a SPIFFE id is one), `digest` is the SHA-256 of all of it, in hex. `until` is when its time
    is over, in seconds since 1970. `trusted`: whether those who may sign are the same as when it was verified."""

    subject: str
    uris: tuple[str, ...]
    digest: str
    until: float = inf
    trusted: Callable[[], bool] = _always

    def holds(self, now: float) -> bool:
        """Whether it still counts, in seconds since 1970."""
        return now <= self.until and self.trusted()


class Peer(NamedTuple):
    """What the transport knows of who is at the other end of a connection, whatever is said over it. `address` is empty
    and `uid` the user it runs as where it came by a Unix socket."""

    address: str = ""
    uid: int | None = None
    certificate: Certificate | None = None


DELEGATES: Final = ", delegation"
"""How the method of a principal ends whom a header proved to act for somebody (`Hail.delegation`)."""


class Hail(NamedTuple):
    """What a request says of itself before anything in it is believed; the same for every protocol.

    `key` is the sidecar's own credential; `bearer` is the token in Authorization where the listener reads it, and
    `delegation` the one that says for whom the caller acts: None for none, empty for what is no token. `run`, `reason`
    and `once` (a name of the action) are the caller's claims, `peer` its address, `uid` and `certificate` what else the
    transport knows of it. `behalf` is there for calls that the sidecar makes itself.
    """

    protocol: str
    peer: str
    key: str | None = None
    bearer: str | None = None
    delegation: str | None = None
    run: str = ""
    reason: str = ""
    once: str = ""
    traceparent: str | None = None
    tracestate: str | None = None
    behalf: Behalf | None = None
    uid: int | None = None
    certificate: Certificate | None = None

    def __repr__(self) -> str:
        return f"Hail({self.protocol}, {self.peer})"


NO_HAIL = Hail("", "")


class Ask(Protocol):
    """One request as a protocol understands it. Each method may raise Refusal."""

    listener: str
    """The name of the listener it came in by."""

    def hail(self) -> Hail:
        """The part that needs no body. Raises Refusal where the message itself is bad."""

    async def find(self, catalog: Catalog) -> Tool | None:
        """The tool it is meant for, or None."""

    async def call(self, call_id: str, tool: Tool, principal: Principal, run: Run) -> Call:
        """The whole request, read and taken apart."""


Send = Callable[[Call, "Entry"], Awaitable[Result]]


class Guard(Protocol):
    """One layer around `send`: it may refuse, wait, answer by itself, or rewrite what comes back."""

    __name__: str

    async def __call__(self, call: Call, entry: Entry, send: Send) -> Result: ...
