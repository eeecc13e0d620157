"""Many calls in one request: `POST /.toolwall/batch`. Each becomes the very request that it would be alone. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from json import JSONDecoder
from typing import Any, Final, NamedTuple

from proxy.errors import Refusal
from proxy.model import Call, Hail, Headers
from proxy.protocols import bodies, strictjson
from proxy.protocols.head import Door, bad, host_name
from proxy.protocols.rest import Greetings, RestAsk
from proxy.routes import BATCH, OURS
from rules.facts import Principal, Run
from rules.tools import Catalog, Tool

PATH: Final = BATCH.path

_HINT: Final = (
    f'Send `POST {PATH}` with {{"calls": [{{"method": "GET", "path": "/BACKEND/..."}}, ...]}}; a call may have '
    "`headers` and, as JSON, a `body`."
)
_LEVELS: Final = 3
"""Of JSON that stand around a call's body."""
_MEMBERS: Final = frozenset({"method", "path", "headers", "body"})
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"(?:[^\x00-\x20\x7f](?:[^\x00-\x08\x0a-\x1f\x7f]*[^\x00-\x20\x7f])?)?")
_JSON: Final = re.compile(r"application/json(?: *; *charset=\"?utf-?8\"?)?", re.IGNORECASE)
_CREDENTIALS: Final = frozenset(
    {"authorization", "proxy-authorization", "cookie", "toolwall-key", "toolwall-delegation"}
)
_OF_THE_MESSAGE: Final = frozenset(
    {"host", "origin", "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
     "content-length", "content-encoding", "expect", "via", "forwarded", "traceparent", "tracestate"}
)  # fmt: skip
"""Say how a message is framed, where it came from and what it belongs to: of each request there is one of these."""
_OF_ALL: Final = frozenset({"host", "accept-language", "baggage", "toolwall-run", "toolwall-reason"})
"""Of the batch's own headers, those that hold for its calls whatever backend they are for."""
_OF_THE_BATCH: Final = (_OF_THE_MESSAGE - {"host"}) | frozenset(
    {"accept", "accept-encoding", "content-type", "range", "toolwall-key", "toolwall-delegation"}
)
"""Those that speak of the batch itself: they hold for no call."""

_scan: Final = JSONDecoder().raw_decode
_space: Final = re.compile(r"[ \t\r\n]*").match


class Limits(NamedTuple):
    """How many calls a batch may have, and what the head of each may hold, as if it had come alone. Sizes in bytes."""

    most_calls: int
    most_line: int
    most_field: int
    most_headers: int


class Part(NamedTuple):
    """One call as it is given. `headers` are its own, with names in lower case; `body` is its text, byte for byte."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class BatchAsk(RestAsk):
    """The same head as that of a call, and calls in its body."""

    async def asks(self, limits: Limits) -> list[PartAsk]:
        """Its calls, each as a request of its own. Raises Refusal `bad_request` where any of them cannot be one."""
        self._check()
        parts = _parts(await self._read_body(), self._door.most_depth, limits)
        inherited, withheld = self._inherited(_backends(self._door, self._head["host"], parts))
        greetings = Greetings(self._door, self._peer)
        return [PartAsk(greetings, part, inherited, withheld, self._greeting.hail) for part in parts]

    def _check(self) -> None:
        if self._method != "POST":
            allow = (("Allow", "POST"),)
            raise Refusal("bad_request", "A batch is sent with POST.", suggestion=_HINT, headers=allow)
        if self._target != PATH:
            raise bad("A batch takes no query.", _HINT)
        if not _JSON.fullmatch(self._head.get("content-type", "")):
            raise bad("A batch is JSON.", "Send it with `Content-Type: application/json`.")
        if "toolwall-idempotency-key" in self._head:
            raise bad(
                "`Toolwall-Idempotency-Key` names one action, and a batch may hold several.",
                "Give it among the `headers` of the call that it names.",
            )

    def _inherited(self, backends: int) -> tuple[Headers, frozenset[str]]:
        """The headers that hold for each call, and the names of those that hold for none because nobody could tell for
        which backend they are."""
        found = [(name, value) for name, value in self._headers if name not in _OF_THE_BATCH and name[:3] != "if-"]
        if backends == 1:
            return tuple(found), frozenset()
        if not _CREDENTIALS.isdisjoint(name for name, _ in found):
            raise bad(
                "The batch carries a credential, and calls of several backends: nobody can tell for which it is.",
                "Send a batch for each backend.",
            )
        shared = tuple(pair for pair in found if pair[0] in _OF_ALL)
        return shared, frozenset(name for name, _ in found) - _OF_ALL


class PartAsk(RestAsk):
    """One call of a batch: judged, and sent, as the request that it would be alone. `proven` is the hail of the batch,
    whose tokens are its callers', also where they are exchanged for others."""

    def __init__(
        self, greetings: Greetings, part: Part, inherited: Headers, withheld: frozenset[str], proven: Hail
    ) -> None:
        own = part.headers
        if part.body and "content-type" not in own:
            own = {"content-type": "application/json", **own}
        pairs = [*(pair for pair in inherited if pair[0] not in own), *own.items()]
        raw = tuple((name.encode("latin-1"), value.encode()) for name, value in pairs)

        async def body() -> bytes:
            return part.body

        super().__init__(greetings, part.method, part.path, (1, 1), raw, body)
        self._own, self._withheld, self._proven = own.keys(), withheld, proven
        self.refusal: Refusal | None = None
        """Why it is not to be sent, where that is known before it is looked at."""

    def hail(self) -> Hail:
        return super().hail()._replace(bearer=self._proven.bearer, delegation=self._proven.delegation)

    async def find(self, catalog: Catalog) -> Tool | None:
        if self.refusal is not None:
            raise self.refusal
        return await super().find(catalog)

    async def call(self, call_id: str, tool: Tool, principal: Principal, run: Run) -> Call:
        secret = tool.slots.headers
        if not secret.isdisjoint(self._own):
            raise bad("A call of a batch has a credential among its headers.", "Send it with the batch itself.")
        if not secret.isdisjoint(self._withheld):
            raise bad(
                "The batch carries this backend's credential, and calls of several backends.",
                "Send a batch for each backend.",
            )
        return await super().call(call_id, tool, principal, run)


def _backends(door: Door, host: str, parts: list[Part]) -> int:
    """How many backends the calls may be for, by what their paths say."""
    if host_name(host) in door.hosts:
        return 1
    return len({re.split("[/?]", part.path[1:], maxsplit=1)[0] for part in parts})


def _parts(data: bytes, most_depth: int, limits: Limits) -> list[Part]:
    if not data:
        raise bad("A batch has a body.", _HINT)
    said = strictjson.parse(data, most_depth + _LEVELS)
    if not isinstance(said, dict) or said.keys() != {"calls"} or not isinstance(said["calls"], list):
        raise bad("A batch is an object with the one member `calls`, a list.", _HINT)
    calls = said["calls"]
    if not 0 < len(calls) <= limits.most_calls:
        raise bad(
            f"A batch has 1 to {limits.most_calls} calls, and this one has {len(calls)}.", "Send several batches."
        )
    for at, call in enumerate(calls):
        _check(call, at, limits)
    texts = _bodies(data.decode())
    return [
        Part(call["method"], call["path"], _headers(call.get("headers", {}), at, limits), text.encode())
        for at, (call, text) in enumerate(zip(calls, texts, strict=True))
    ]


def _check(call: Any, at: int, limits: Limits) -> None:
    if not isinstance(call, dict) or not {"method", "path"} <= call.keys() <= _MEMBERS:
        raise _wrong(at, "is no object with `method`, `path` and, if wanted, `headers` and `body`")
    if not isinstance(call["method"], str) or not isinstance(call["path"], str):
        raise _wrong(at, "has a `method` or `path` that is no string")
    if len(call["path"].encode()) > limits.most_line:
        raise _wrong(at, f"has a `path` of more than {limits.most_line} bytes")
    if re.match(rf"{re.escape(OURS)}(?:[/?]|$)", call["path"]):
        raise _wrong(at, "is for no backend: neither a batch nor anything else of `/.toolwall/` can stand in a batch")


def _headers(said: Any, at: int, limits: Limits) -> dict[str, str]:
    if not isinstance(said, dict) or not all(isinstance(value, str) for value in said.values()):
        raise _wrong(at, "has `headers` that are no object of strings")
    found = {name.lower(): value for name, value in said.items() if _TOKEN.fullmatch(name) and _VALUE.fullmatch(value)}
    if len(found) != len(said):
        raise _wrong(at, "has a header twice, or one that no HTTP message could have")
    if len(found) > limits.most_headers or any(len(value.encode()) > limits.most_field for value in found.values()):
        raise _wrong(at, "has more headers, or longer ones, than a request may have")
    if not _CREDENTIALS.isdisjoint(found):
        raise _wrong(at, "has a key or a credential among its headers: those are sent with the batch itself, for all")
    if not _OF_THE_MESSAGE.isdisjoint(found):
        raise _wrong(at, "has a header that only a whole request can have")
    if "content-type" in found and not bodies.is_json(found["content-type"]):
        raise _wrong(at, "has a Content-Type that is not JSON: bodies in a batch are")
    return found


def _wrong(at: int, why: str) -> Refusal:
    return bad(f"Call {at} of the batch, counted from 0, {why}. Nothing of the batch was sent.", _HINT)


def _bodies(text: str) -> Iterator[str]:
    """The text of each call's body, empty without one. The whole was checked: it is an object with one list of objects.

    A body goes on as it was written: written anew, a number may read otherwise.
    """
    at = text.index("[") + 1
    while text[at - 1] != "]":
        at = _after(text, at) + 1  # behind the brace
        body = ""
        while text[at - 1] != "}":
            name, at = _scan(text, _after(text, at))
            start = _after(text, _after(text, at) + 1)
            _, end = _scan(text, start)
            body = text[start:end] if name == "body" else body
            at = _after(text, end) + 1  # behind a comma, or the brace
        yield body
        at = _after(text, at) + 1  # behind a comma, or the bracket


def _after(text: str, at: int) -> int:
    """Where the next thing is that is no space."""
    found = _space(text, at)
    return found.end() if found else at
