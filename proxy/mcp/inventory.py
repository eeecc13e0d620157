"""What an MCP server says that it is and has, asked for once and by either era: for import and for `mcp accept`."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

import aiohttp

from proxy.mcp.events import Events
from rules.definitions import MOST, MOST_FILE, BadDefinitions, Definitions, defined, definitions, identity, written
from rules.documents import plain_json
from rules.mcp.plumbing import LEGACY, MODERN, REVISIONS

MOST_PAGES: Final = 200
"""Of one list. Servers give some dozens at a time."""

PATIENCE_S: Final = 30.0
"""For one answer."""

PATIENCE_IN_ALL_S: Final = 300.0

NO_METHOD, VERSION = -32601, -32022
_META: Final = "io.modelcontextprotocol/"
_LISTS: Final = (
    ("tools", "tools", "tools/list", "tools"),
    ("prompts", "prompts", "prompts/list", "prompts"),
    ("resources", "resources", "resources/list", "resources"),
    ("templates", "resources", "resources/templates/list", "resourceTemplates"),
)
"""Of each kind: the capability, the method that lists it, and the member of its result."""

_OFFERED: Final = {"roots": {"listChanged": True}, "sampling": {}, "elicitation": {"form": {}, "url": {}}}
"""What clients may be able to do. Servers show a tool that asks for it only to such clients."""


class NoServer(Exception):
    """The server cannot be asked. The text says why and what to do."""


class Said(NamedTuple):
    """What a server has, by the revision that was spoken. `left` are sentences about what cannot be kept."""

    definitions: Definitions
    title: str
    version: str
    revision: str
    left: tuple[str, ...] = ()


class Answer(NamedTuple):
    """One reply: its status, session and message; `error` and `result` of the message, where it is one."""

    status: int
    session: str
    result: Any = None
    error: Any = None

    @property
    def code(self) -> int:
        code = self.error.get("code") if isinstance(self.error, dict) else None
        return code if isinstance(code, int) else 0


async def inventory(url: str, token: str = "", ca: str = "") -> Said:
    """Ask a server at its endpoint. `token` is sent as a bearer token, `ca` a file of certificates to trust. Raises
    NoServer."""
    try:
        trust = ssl.create_default_context(cafile=ca or None)
    except OSError as error:
        raise NoServer(f"{ca} holds no certificates: {error.strerror or error}") from None
    connector, timeout = aiohttp.TCPConnector(ssl=trust), aiohttp.ClientTimeout(total=PATIENCE_S)
    jar = aiohttp.DummyCookieJar()
    try:
        async with (
            asyncio.timeout(PATIENCE_IN_ALL_S),
            aiohttp.ClientSession(
                connector=connector, cookie_jar=jar, timeout=timeout, trust_env=False, auto_decompress=False
            ) as client,
        ):
            return await Asking(client, url, token).all()
    except (aiohttp.ClientError, ssl.SSLError, OSError) as error:
        raise NoServer(f"{url} cannot be reached: {error}") from None
    except TimeoutError:
        raise NoServer(f"{url} did not answer in time.") from None


class Asking:
    """One conversation. Nothing but reading methods is ever sent."""

    def __init__(self, client: aiohttp.ClientSession | None, url: str, token: str) -> None:
        self._client, self._url = client, url
        self._headers = {"Accept": "application/json, text/event-stream", "User-Agent": "toolwall"}
        self._headers["Accept-Encoding"] = "identity"  # what is small on the wire may be large in memory
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._revision, self._number, self._room = MODERN[0], 0, MOST_FILE

    async def all(self) -> Said:
        said = await self._greet()
        capabilities = said.get("capabilities")
        capabilities = capabilities if isinstance(capabilities, dict) else {}
        found, left = {}, list[str]()
        for kind, capability, method, member in _LISTS:
            listed = await self._list(method, member) if capability in capabilities else []
            found[kind] = _kept(kind, listed, left)
        await self._leave()
        who = said.get("serverInfo") or _meta(said).get(f"{_META}serverInfo")
        who = who if isinstance(who, dict) else {}
        try:
            told = said.get("instructions") or ""
            whole = definitions(**found, instructions=told, revision=self._revision, server=_identity(who, left))
            if len(written(whole)) > MOST_FILE:
                raise BadDefinitions(f"it takes more than {MOST_FILE} bytes")
        except BadDefinitions as bad:
            raise NoServer(f"What {self._url} says cannot be kept: {bad}") from None
        title, version = who.get("title") or who.get("name") or "", who.get("version") or ""
        return Said(whole, str(title)[:100], str(version)[:100], self._revision, tuple(left))

    async def _greet(self) -> Mapping[str, Any]:
        """What the server says of itself: in the era without sessions, else in the one before."""
        answer = await self._try("server/discover")
        if isinstance(answer.result, dict) and MODERN[0] in (answer.result.get("supportedVersions") or ()):
            return answer.result
        self._revision = LEGACY[0]
        client = {"name": "toolwall", "version": "1"}
        params = {"protocolVersion": LEGACY[0], "capabilities": _OFFERED, "clientInfo": client}
        answer = await self._ask("initialize", params)
        if not isinstance(answer.result, dict):
            raise NoServer(f"{self._url} is no MCP server that Toolwall knows: {_why(answer)}")
        revision = answer.result.get("protocolVersion")
        if revision not in LEGACY:
            raise NoServer(f"{self._url} speaks none of {', '.join(REVISIONS)}.")
        self._revision = self._headers["MCP-Protocol-Version"] = revision
        if answer.session:
            self._headers["Mcp-Session-Id"] = answer.session
        await self._post({"jsonrpc": "2.0", "method": "notifications/initialized"}, None)
        return answer.result

    async def _try(self, method: str) -> Answer:
        """An answer, also of a server that has none to a method that it does not know."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S / 3):
                return await self._ask(method)
        return Answer(0, "")

    async def _list(self, method: str, member: str) -> list[Any]:
        found: list[Any] = []
        cursor, seen = None, set[str]()
        while True:
            answer = await self._ask(method, {} if cursor is None else {"cursor": cursor})
            if answer.code == NO_METHOD and cursor is None:
                return []
            page = answer.result.get(member) if isinstance(answer.result, dict) else None
            if not isinstance(page, list):
                raise NoServer(f"{self._url} gives no list for {method}: {_why(answer)}")
            found += page
            cursor = answer.result.get("nextCursor")
            if cursor is None or cursor == "":
                return found
            if not isinstance(cursor, str) or cursor in seen or len(seen) >= MOST_PAGES or len(found) > MOST:
                raise NoServer(f"{self._url} gives a list for {method} that does not end.")
            seen.add(cursor)

    async def _leave(self) -> None:
        if self._client and "Mcp-Session-Id" in self._headers:
            with suppress(aiohttp.ClientError, OSError, TimeoutError):
                async with self._client.delete(self._url, headers=self._headers, allow_redirects=False):
                    pass

    async def _ask(self, method: str, params: Mapping[str, Any] | None = None) -> Answer:
        self._number += 1
        said = dict(params or {})
        headers = {}
        if self._revision == MODERN[0]:
            client = {"name": "toolwall", "version": "1"}
            meta = {"protocolVersion": MODERN[0], "clientInfo": client, "clientCapabilities": _OFFERED}
            said["_meta"] = {f"{_META}{name}": value for name, value in meta.items()}
            headers = {"MCP-Protocol-Version": MODERN[0], "Mcp-Method": method}
        message = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": said}
        return await self._post(message, self._number, headers)

    async def _post(self, message: Any, id: int | None, more: Mapping[str, str] | None = None) -> Answer:
        headers = {**self._headers, **(more or {}), "Content-Type": "application/json"}
        data = json.dumps(message).encode()
        assert self._client is not None
        async with self._client.post(self._url, data=data, headers=headers, allow_redirects=False) as reply:
            if reply.status in (401, 403):
                raise NoServer(f"{self._url} answers {reply.status}: give a token with --token env:NAME or file:PATH.")
            if 300 <= reply.status < 400:
                where = reply.headers.get("Location", "somewhere else")
                raise NoServer(f"{self._url} leads to {where}: name that URL, if it is the one that you mean.")
            session = reply.headers.get("Mcp-Session-Id", "")
            if id is None:
                return Answer(reply.status, session)
            found = await self._message(reply, id)
            return Answer(reply.status, session, found.get("result"), found.get("error"))

    async def _message(self, reply: aiohttp.ClientResponse, id: int) -> dict[str, Any]:
        """The answer to an id, empty where the reply holds none. Raises NoServer where all that came is too much."""
        data, events = b"", Events(MOST_FILE)
        is_stream = reply.content_type == "text/event-stream"
        async for piece in reply.content.iter_any():
            self._room -= len(piece)
            if self._room < 0:
                raise NoServer(f"{self._url} answers with more than {MOST_FILE} bytes in all.")
            if not is_stream:
                data += piece
                continue
            found = [answer_in(event.data, id) for event in events.feed(piece)]
            if one := next(filter(None, found), None):
                return one
        return {} if is_stream else answer_in(data, id, any_id=True)


def answer_in(data: bytes, id: int, any_id: bool = False) -> dict[str, Any]:
    """A message, if it is the answer to an id. An error may have none, where the server did not read as far."""
    try:
        found = plain_json(data)
    except ValueError:
        return {}
    if not isinstance(found, dict) or not {"result", "error"} & found.keys():
        return {}
    return found if found.get("id") == id or (any_id and "error" in found) else {}


def _kept(kind: str, listed: list[Any], left: list[str]) -> list[Any]:
    """Definitions that can be kept; one that cannot does not keep others away. Of two by one name nobody could tell
    which is meant."""
    good: dict[str, Any] = {}
    twice: set[str] = set()
    for one in listed:
        try:
            [name] = defined(kind, [one])
        except BadDefinitions as bad:
            left.append(str(bad))
            continue
        if name in good and name not in twice:
            left.append(f"{kind}: {json.dumps(name)} is defined twice")
            twice.add(name)
        good[name] = one
    return [one for name, one in good.items() if name not in twice]


def _identity(who: Mapping[str, Any], left: list[str]) -> Mapping[str, Any]:
    try:
        return identity(who)
    except BadDefinitions as bad:
        left.append(str(bad))
        return {}


def _meta(said: Mapping[str, Any]) -> Mapping[str, Any]:
    meta = said.get("_meta")
    return meta if isinstance(meta, dict) else {}


def _why(answer: Answer) -> str:
    said = answer.error.get("message") if isinstance(answer.error, dict) else None
    return f"status {answer.status}" + (f", {str(said)[:200]}" if said else "")
