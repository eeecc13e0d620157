"""The way to a server that is started: what goes to its endpoint elsewhere goes to its standard input here, and what it
writes becomes the replies that an endpoint would give. So all that stands around need not know the difference."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from proxy.body import Body
from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.mcp import events
from proxy.mcp.child import Child, Endless
from proxy.mcp.flights import CANCELLED, Flight, Flights, cancelled
from proxy.mcp.heard import Heard, Untrue, heard
from proxy.model import Call, Result
from proxy.outcomes import lost, not_sent, stopped
from proxy.protocols import jsonrpc
from proxy.protocols.mcpstdio import id_in
from proxy.telemetry import tracecontext
from proxy.telemetry.telemetry import Attempt
from redaction.mediatypes import EVENTS
from rules.mcp.plumbing import LISTEN

_log = logging.getLogger("toolwall.stdio")

MOST_STARTS: Final = 5
"""Within `WINDOW_S`; a server that does not stay longer is left alone."""

WINDOW_S: Final = 60.0
BACKOFF_S: Final = 0.25
MOST_BACKOFF_S: Final = 4.0
GREETING_S: Final = 30.0
LAST_WORDS_S: Final = 1.0
CONNECT_S: Final = 10.0
"""How long a call waits for a server that is being started again, where its tool says nothing else."""

MOST_LOOSE: Final = 100
MOST_LOOSE_BYTES: Final = 4 << 20
"""Messages that are kept for a client which does not listen yet, and their bytes: the last alone may have more."""

BEGIN: Final = "initialize"
BEGUN: Final = "notifications/initialized"
_AGAIN: Final = b'"toolwall-again"'
_NOTHING: Final = Heard("request", b"", "", b"{}", {})
_STOPPED: Final = "stopped"


class Gone(Exception):
    """The server does not stay. The text says what is known."""


class Server(NamedTuple):
    """What is started, in which environment, and how long its lines may be. `errors` gets what it says to operators,
    `is_traced` tells whether it is to know the place of a call in a trace."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str]
    most_line: int
    errors: Callable[[bytes], None]
    is_traced: Callable[[], bool] = lambda: True


Again = Callable[[str], Awaitable[None]]
"""Told that the server was started again, and the id of the session that goes on with it, where there is one."""


class Lane:
    """One server and the one client that it has. `session` is the client's, empty where it began none."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._flights = Flights()
        self._loose: Flight | None = None
        self._kept, self._kept_bytes = deque[bytes](), 0
        self._child: Child | None = None
        self._up = asyncio.Event()
        self._greeting: tuple[Heard, str] | None = None
        self._is_begun = False
        self._is_stopping = False
        self._left_out = 0
        self.session = ""

    async def start(self) -> None:
        """Start the server. Raises CannotStart."""
        self._child = await Child.start(self._server.command, self._server.environ, self._server.most_line)
        self._up.set()

    async def run(self, again: Again) -> None:
        """Stay until the server does not. Raises Gone, CannotStart."""
        loop, starts = asyncio.get_running_loop(), deque[float](maxlen=MOST_STARTS)
        wait = BACKOFF_S
        while True:
            assert self._child is not None
            starts.append(loop.time())
            why = await self._follow(self._child, again if len(starts) > 1 else None)
            code = self._child.code
            told = f"{why} (exit code {code})" if code is not None else why
            if len(starts) == MOST_STARTS and loop.time() - starts[0] < WINDOW_S:
                raise Gone(f"the server {self._server.name} does not stay: {told}; it was started {MOST_STARTS} times")
            wait = BACKOFF_S if loop.time() - starts[-1] > WINDOW_S else min(wait * 2, MOST_BACKOFF_S)
            _log.warning("the server %s is gone: %s; it is started again in %.1f s", self._server.name, told, wait)
            await asyncio.sleep(wait)
            self._child = await Child.start(self._server.command, self._server.environ, self._server.most_line)

    async def _follow(self, child: Child, again: Again | None) -> str:
        """Read what one process says, until it ends; why it did."""
        errors = asyncio.create_task(self._errors(child))
        greeting = asyncio.create_task(self._greet(child, again)) if again else None
        why = "it ended"
        try:
            async for line in child.lines():
                await self._take(line.data)
        except Endless:
            why = f"it wrote a line of more than {self._server.most_line} bytes"
        finally:
            self._down(why)
            await child.end()
            await asyncio.wait({errors}, timeout=LAST_WORDS_S)
            child.close()
            for task in (errors, greeting):
                if task is not None:
                    task.cancel()
                    await asyncio.wait({task})
        return why

    def _down(self, why: str) -> None:
        self._up.clear()
        self._kept.clear()
        self._kept_bytes = 0
        if self._loose is not None:
            self._loose.close()
            self._loose = None
        for flight in self._flights:
            if flight.asked.method == LISTEN and not flight.is_over:
                flight.put(jsonrpc.request(b"", CANCELLED, b'{"requestId":%b}' % flight.asked.id))
                flight.close()
            flight.close(_STOPPED if self._is_stopping else f"the server's process is gone: {why}")

    async def _errors(self, child: Child) -> None:
        async for line in child.errors():
            self._server.errors(line.data)

    async def _greet(self, child: Child, again: Again) -> None:
        """Say to a process that is new what the client has said to the one before it."""
        if self._greeting is not None:
            try:
                async with asyncio.timeout(GREETING_S):
                    await self._begin(child, *self._greeting)
            except (TimeoutError, OSError, Refusal, Untrue):
                if self._is_stopping:
                    return
                _log.error("the server %s was started again and does not begin a session", self._server.name)
                child.kill()
                return
        self._up.set()
        await again(self.session)

    async def _begin(self, child: Child, asked: Heard, revision: str) -> None:
        flight, line = self._flights.begin(asked._replace(id=_AGAIN))
        flight.is_ours = True
        try:
            await child.write(line)
            said = heard(await flight.heard() or b"")
        finally:
            self._flights.end(flight)
        if said.kind != "result" or said.value.get("protocolVersion") != revision:
            raise Untrue("It is another server now.")
        self.session = secrets.token_hex(16)
        if self._is_begun:
            await child.write(jsonrpc.request(b"", BEGUN, b"{}"))

    async def _take(self, line: bytes) -> None:
        """One line of the server's."""
        try:
            message = heard(line)
        except Untrue as why:
            await self._untrue(line, str(why))
            return
        if message.kind in ("result", "error"):
            if found := self._flights.answered(message):
                await self._answered(*found, message)
            return
        if found := self._flights.told(message) if message.kind == "notification" else None:
            await found[0].say(found[1])
            if message.method == CANCELLED:
                found[0].close()
        elif (loose := self._flights.of_nobody(message)) is not None:
            self._tell(loose)

    async def _answered(self, flight: Flight, said: bytes, message: Heard) -> None:
        if flight.asked.method == BEGIN and message.kind == "result" and not flight.is_ours:
            self._greeting, self._is_begun = (flight.asked, str(message.value.get("protocolVersion"))), False
        flight.is_answered = True
        await flight.say(said)
        flight.close()

    async def _untrue(self, line: bytes, why: str) -> None:
        """What no honest server says. Whoever waits for it is told so."""
        id = id_in(line)
        flight = self._flights.numbered(int(id)) if id.isdigit() else None
        if flight is not None:
            flight.is_answered = True
            await flight.say(line)
            flight.close()
            return
        self._dropped(f"wrote what is no message: {why}")

    def _dropped(self, what: str) -> None:
        self._left_out += 1
        if self._left_out & (self._left_out - 1) == 0:  # 1, 2, 4, ...: seldom in the long run
            _log.warning("the server %s %s (%d lines left out so far)", self._server.name, what, self._left_out)

    def _tell(self, message: bytes) -> None:
        """What is for nobody in particular."""
        while self._kept and (len(self._kept) >= MOST_LOOSE or self._kept_bytes + len(message) > MOST_LOOSE_BYTES):
            self._dropped("told more than is listened to")
            self._kept_bytes -= len(self._kept.popleft())
        self._kept.append(message)
        self._kept_bytes += len(message)
        if self._loose is not None:
            self._pass_on(self._loose)

    def _pass_on(self, loose: Flight) -> None:
        while self._kept and not loose.is_full:
            loose.put(message := self._kept.popleft())
            self._kept_bytes -= len(message)

    async def send(self, call: Call, entry: Entry) -> Result:
        """Send one call. Raises Refusal where nothing can come back."""
        outgoing = call.outgoing
        attempt = entry.attempt(outgoing.method, "stdio", 0, "")
        if outgoing.method == "GET":
            attempt.end(200)
            return self._stream(entry)
        tracing = attempt.headers() if self._server.is_traced() else {}
        body = tracecontext.inside(outgoing.body, tracing)
        message = heard(body)
        try:
            child = await self._ready(call.tool.waits.connect_s or CONNECT_S)
            if message.kind == "request":
                return await self._ask(child, entry, message, attempt)
            result = await self._post(child, entry, message, body)
        except OSError as error:
            attempt.end(0, type(error).__name__)
            raise self._lost(entry, "its standard input is closed") from None
        except BaseException:
            attempt.end(0, "cancelled")
            raise
        attempt.end(result.status)
        return result

    async def _ask(self, child: Child, entry: Entry, message: Heard, attempt: Attempt) -> Result:
        flight, line = self._flights.begin(message)
        headers = [("content-type", EVENTS)]
        if message.method == BEGIN:
            self.session = secrets.token_hex(16)
            headers.append(("mcp-session-id", self.session))
        try:
            await self._write(child, entry, line)
        except BaseException:
            self._flights.end(flight)
            raise
        return Result(200, headers, self._body(child, entry, flight, attempt))

    async def _post(self, child: Child, entry: Entry, message: Heard, line: bytes) -> Result:
        """What gets no answer."""
        if message.method == CANCELLED:
            flight = self._flights.of_id(jsonrpc.written(message.value.get("requestId")))
            if flight is None or flight.is_over or flight.asked.method == BEGIN:
                return Result(202, [], Body.of(b""))
            flight.is_taken_back = True
            line = cancelled(flight.number, message.value)
        self._is_begun = self._is_begun or message.method == BEGUN
        await self._write(child, entry, line)
        entry.record.upstream_status = 202
        return Result(202, [], Body.of(b""))

    async def _write(self, child: Child, entry: Entry, line: bytes) -> None:
        await child.room()
        if entry.halted:
            raise not_sent("limit_reached", "The operator has stopped this call.")
        if child is not self._child or not self._up.is_set():
            raise not_sent("upstream_unreachable", "The server has just ended.")
        entry.sent = True
        child.put(line)

    async def _ready(self, within_s: float) -> Child:
        try:
            async with asyncio.timeout(within_s):
                await self._up.wait()
        except TimeoutError:
            raise not_sent("upstream_unreachable", "The server is not running.", note="no process") from None
        assert self._child is not None
        return self._child

    def _body(self, child: Child, entry: Entry, flight: Flight, attempt: Attempt) -> Body:
        async def pieces() -> AsyncGenerator[bytes, None]:
            while (said := await flight.heard()) is not None:
                entry.record.bytes_in += len(said)
                entry.record.upstream_status = 200 if flight.is_answered else 0
                yield events.written(said)
            if flight.why:
                raise self._lost(entry, flight.why)

        async def close() -> None:
            self._flights.end(flight)
            attempt.end(entry.record.upstream_status, "" if flight.is_answered else "no answer")
            if not (flight.is_answered or flight.is_taken_back or flight.why) and self._child is child:
                self._take_back(child, flight)

        return Body(pieces(), close)

    def _take_back(self, child: Child, flight: Flight) -> None:
        """Nobody waits for the answer any more."""
        if flight.asked.method != BEGIN:
            with suppress(OSError):
                child.put(cancelled(flight.number, {"reason": "nobody waits for it"}))

    def _lost(self, entry: Entry, why: str) -> Refusal:
        if why == _STOPPED:
            return stopped(entry.record, sent=entry.sent)
        return lost(entry.record, timed_out=False, note=why)

    def _stream(self, entry: Entry) -> Result:
        """What the server says by itself."""
        if self._loose is not None:
            self._unlistened(self._loose)
        loose = self._loose = Flight(0, _NOTHING)
        self._pass_on(loose)
        entry.record.upstream_status = 200

        async def pieces() -> AsyncGenerator[bytes, None]:
            while (said := await loose.heard()) is not None:
                entry.record.bytes_in += len(said)
                self._pass_on(loose)
                yield events.written(said)

        async def close() -> None:
            if self._loose is loose:
                self._unlistened(loose)
                self._loose = None

        return Result(200, [("content-type", EVENTS)], Body(pieces(), close))

    def _unlistened(self, loose: Flight) -> None:
        """Nobody listens any more; whoever does next hears what was not heard."""
        loose.close()
        left = loose.left()
        self._kept.extendleft(reversed(left))
        self._kept_bytes += sum(map(len, left))

    def stop(self) -> None:
        """Whoever waits for the server is told that the sidecar stops. It ends when `run` is cancelled."""
        self._is_stopping = True
        self._down("")
