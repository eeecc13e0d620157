"""The open Record of one call: whatever way the call ends, it is written down exactly once."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncGenerator, Callable, Collection, Iterable
from dataclasses import dataclass, field
from time import time_ns
from types import TracebackType
from typing import Any

from proxy.body import Body
from proxy.errors import Refusal
from proxy.hashing import keyed_hash
from proxy.ledger import Ledger, LedgerError
from proxy.model import NO_HAIL, Call, Hail, Result
from proxy.outcomes import executed, ledger_trouble, place_of, unforeseen, unrecorded, withheld
from proxy.record import Record, new_id, veiled
from proxy.replies.answers import Answer
from proxy.scanning import Scans
from proxy.seldom import Seldom
from proxy.showing import show
from proxy.telemetry.telemetry import Attempt, Telemetry, Trace
from redaction.known import NOTHING, Known
from redaction.profiles import kinds_of
from redaction.pseudonyms import Pseudonym, Restoring
from redaction.scanner import Scanner
from rules.decide import Decision
from rules.facts import Principal, Run
from rules.obligations import Obligation
from rules.tools import Tool

_log = logging.getLogger("toolwall.calls")
_LEDGER = "ledger"
_INTENT = ("call", "door", "tool", "principal", "run", "step", "arguments_hash", "rules", "revision")
_BEHALF = ("ordered", "undoes", "resends")
_SECRETS = kinds_of("secrets")


@dataclass(frozen=True, slots=True)
class Entries:
    """Opens the Record of each call, and knows where it goes.

    `hash_key` keys the argument hashes, `scanner` cleans what the ledger may show, in threads, `showing`, where that is
    arguments. `known` are secrets that nothing may show. `pass_reads`: reads go on while no Record can be written.
    """

    ledger: Ledger
    telemetry: Telemetry
    hash_key: bytes
    scanner: Scanner
    showing: Scans | None = None
    known: Known = NOTHING
    pass_reads: bool = False
    trouble: Seldom = field(default_factory=ledger_trouble)

    def check_name(self, name: str) -> None:
        """Raise Refusal for a name that a caller chose and that looks like a credential: it would stand in Records."""
        if self.known.sees(name.encode()) or any(found.kind in _SECRETS for found in self.scanner.find(name)):
            raise Refusal(
                "bad_request", "`Toolwall-Run` looks like a credential.", suggestion="Name runs by random ids."
            )

    def shown(self, arguments: Any) -> Any:
        """Arguments as the ledger and the operator may see them."""
        return self.scanner.clean_json_value(self.known.value(arguments))[0]

    def open(self, door: str) -> Entry:
        """A new Record for a request that came in by this listener."""
        return Entry(self, Record(call=new_id(), started_ns=time_ns(), door=door))


class Entry:
    """The Record while its call is under way. `async with` writes it on every way out but a good answer.

    A good answer goes through `follow`, which writes the Record before the answer's last bytes are let go.
    `sent`: bytes of a request may have reached the backend. `deadline` is in the loop's seconds; once it has passed,
    the call is `late` and is about to end.
    """

    put_back: tuple[Pseudonym, ...] = ()
    """What stands in the call's arguments in the place of its pseudonyms."""

    joined: frozenset[str] = frozenset()
    """The pseudonyms whose values stand in the middle of a word there."""

    came: Call | None = None
    judged = ""
    """The call as it was read, before anything was put into it, and the hash of the arguments that were judged."""

    _restored: tuple[Call, Call] | None = None  # before and after

    def __init__(self, entries: Entries, record: Record) -> None:
        self.record = record
        self.trace: Trace | None = None
        self.hail = NO_HAIL
        self.intended = 0
        """The entry of the ledger that is the call's intent."""
        self.keyed = False
        """Whether the backend gets a key by which it does the same once, and is declared to honour it."""
        self.sent = False
        self.obligations: tuple[Obligation, ...] = ()
        self.deadline = float("inf")
        self.late = False
        self.halted = False  # nothing more is sent for it
        self._entries = entries
        self._at_end: list[Callable[[Record], None]] = []
        self._expected: list[str] = []
        self._written = False
        self._told = False

    async def __aenter__(self) -> Entry:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if error is None:
            return
        if isinstance(error, asyncio.CancelledError):
            self._gone()
            return
        if not isinstance(error, Exception):
            return
        said = await self._refused(error if isinstance(error, Refusal) else self._unforeseen(error))
        said.call_id = self.record.call
        said.tool = "" if said.code == "unknown_tool" else self.record.tool
        if said is not error:
            raise said from None

    def hailed(self, hail: Hail) -> None:
        """The head of the request was read."""
        self.hail, record = hail, self.record
        record.protocol = hail.protocol
        if hail.behalf:
            record.say(hail.behalf.said())
        if hail.reason:
            record.reason = self._entries.scanner.clean_text(self._entries.known.text(hail.reason)).value
        self.trace = self._begun(self._entries.telemetry)
        record.trace = self.trace.trace_id

    def _begun(self, telemetry: Telemetry) -> Trace:
        return telemetry.begin(self.hail.traceparent, self.hail.tracestate, self.record.started_ns)

    def identified(self, principal: Principal, run: Run) -> None:
        """The caller is known."""
        record = self.record
        record.principal, record.agent, record.user = principal.id, principal.agent, principal.user
        record.chain = tuple(link.id for link in principal.chain)
        record.roles = tuple(sorted(principal.roles))
        record.run, record.step = run.id, run.step
        record.checks.append("identity")

    def hidden(self, tool: Tool | None) -> None:
        """No tool was found, or one that this caller may not even know: the Record says which."""
        self.record.decision = "deny"
        if tool is None:
            self.record.notes.append("no contract has this method and path")
        else:
            self.record.tool, self.record.effect = tool.name, tool.effect
            self.record.notes.append("no rule could ever allow this tool to this principal")

    def found(self, tool: Tool) -> None:
        """The caller may know this tool."""
        self.record.tool, self.record.effect = tool.name, tool.effect
        self.record.method = tool.method
        self.record.checks.append("visible")

    def restored(self, before: Call, after: Call, restoring: Restoring) -> None:
        """Values were put into the arguments; the Record shows what stood there before."""
        self.put_back, self.joined = tuple(restoring.restored.values()), frozenset(restoring.joined)
        self._restored = before, after
        self.record.restored = dict(sorted(restoring.counts.items()))

    def decided(self, call: Call, decision: Decision) -> None:
        """The call was judged."""
        record = self.record
        self.obligations = decision.obligations
        record.checks += ("contract",) if decision.code == "schema_violation" else ("contract", "rules")
        record.decision = decision.effect.value
        record.rules, record.revision = decision.rules, decision.revision
        record.waived = dict(decision.waived)
        self.judged = record.arguments_hash = self.keyed_hash(call.same)

    def masked(self, call: Call) -> None:
        """The arguments are sent otherwise than they came: the Record tells of those that are sent."""
        record = self.record
        record.arguments_hash = self.keyed_hash(call.same)
        record.notes.append("arguments were masked")

    async def show(self, call: Call) -> None:
        """Put what is sent into the Record, as it may be seen there."""
        if self._entries.showing:
            before, after = self._restored or (call, call)
            said = veiled(*([dict(each.arguments), dict(each.aside)] for each in (before, after, call)))
            await show(self.record, said, call.outgoing, self._entries.shown, self._entries.showing)

    def keyed_hash(self, value: Any) -> str:
        """Equal for equal values, and not to be guessed back."""
        return keyed_hash(self._entries.hash_key, value)

    def expect(self, checks: Iterable[str]) -> None:
        """Name the checks without which no answer may leave."""
        self._expected = list(checks)

    def sends_nothing(self, checks: Collection[str]) -> None:
        """These checks are of what is sent, and nothing is."""
        self._expected = [name for name in self._expected if name not in checks]

    def check(self, name: str) -> None:
        """Note that an enforced check ran to its end."""
        self.record.checks.append(name)

    def unchecked(self, name: str, why: str) -> None:
        """Note that the rules let something pass unchecked: the Record, a header and a metric say so."""
        self.record.passed_unchecked.append(name)
        self.record.notes.append(f"{name}: {why}")
        self.record.checks.append(name)

    def again(self, kept: Answer, how: str) -> None:
        """The answer of another call is given again: what was checked and taken out then holds for it."""
        record = self.record
        record.cache, record.replayed = how, kept.call
        record.checks += kept.checks
        record.redactions = kept.redactions

    def at_end(self, then: Callable[[Record], None]) -> None:
        """Have something done once, as soon as the Record is written: then the call is over, whatever way it went."""
        self._at_end.append(then)

    def attempt(self, method: str, host: str, port: int, template: str) -> Attempt:
        """One request to the backend begins."""
        self.record.attempts += 1
        self.record.upstream_status = 0
        assert self.trace is not None
        return self.trace.attempt(method, host, port, template)

    async def intent(self) -> None:
        """Put on disk, once, that this call is about to have effects. Raises Refusal where that cannot be done."""
        if not self.intended:
            said = {name: getattr(self.record, name) for name in _INTENT}
            more = {name: value for name in ("once", *_BEHALF) if (value := getattr(self.record, name))}
            self.intended = self._append({"kind": "intent", **said, **more})
        await self._durable(self.intended)

    async def follow(self, result: Result) -> Result:
        """The answer, whose last bytes are held until the Record is written."""
        missing = [name for name in self._expected if name not in self.record.checks]
        if missing:
            await result.body.close()
            raise withheld(self.record, "A check that the rules demand did not run.", note=f"missing: {missing}")
        self.record.status = result.status
        result.headers.append(("Toolwall-Call", self.record.call))
        whole = result.body.whole
        if whole is None:
            result.body = self._following(result.body)
            return result
        self.record.bytes_out = len(whole)
        self.record.result_hash = hashlib.sha256(whole).hexdigest()
        await self._write("ok")
        result.headers += self._unrecorded_headers()
        return result

    def _following(self, body: Body) -> Body:
        async def close() -> None:
            self._gone()  # of a caller who left before the first piece, nothing else would tell
            await body.close()

        held = Body(self._held(body), close)
        held.flow = body.flow
        return held

    async def _held(self, body: Body) -> AsyncGenerator[bytes, None]:
        digest, held = hashlib.sha256(), b""
        try:
            async for piece in body:
                digest.update(piece)
                self.record.bytes_out += len(piece)
                if body.flow:  # each piece counts for itself; that the body ended is said behind its Record
                    yield piece
                    continue
                if held:
                    yield held
                held = piece
            self.record.result_hash = digest.hexdigest()
            await self._write("ok")
            yield held
        except Exception as error:
            said = await self._refused(error if isinstance(error, Refusal) else self._unforeseen(error))
            said.call_id, said.tool = self.record.call, self.record.tool
            raise said from None
        finally:
            self._gone()

    async def _refused(self, refusal: Refusal) -> Refusal:
        record = self.record
        record.code, record.status = refusal.code, refusal.status
        record.executed = refusal.executed
        if refusal.note:
            record.notes.append(refusal.note)
        try:
            await self._write("outcome_unknown" if refusal.code == "outcome_unknown" else "refused")
        except Refusal as unwritten:
            return unwritten
        refusal.headers += tuple(self._unrecorded_headers())
        return refusal

    def _unforeseen(self, error: Exception) -> Refusal:
        """An error that nobody mapped: no text of it leaves, since texts of errors hold values."""
        _log.error("internal error in call %s: %s at %s", self.record.call, type(error).__name__, place_of(error))
        return unforeseen(self.sent, type(error).__name__)

    def _gone(self) -> None:
        """The caller left: written at once, without waiting for anything."""
        if self._written:
            self._tell()
            return
        self.record.outcome = "client_gone"
        done = self.record.once.get("state") == "done"
        self.record.executed = "yes" if done else "unknown" if self.sent else "no"
        self._written = True
        try:
            self._append(self._line())
        except Refusal:
            _log.error("the record of call %s, whose caller left, could not be written", self.record.call)
        self._tell()

    async def _write(self, outcome: str) -> None:
        record = self.record
        record.outcome = outcome
        if outcome == "ok":
            record.executed = executed(record)
        self._written = True
        try:
            seq = self._append(self._line())
            if self.sent and record.effect != "read":
                await self._durable(seq)
        except Refusal:
            if self._entries.pass_reads and record.effect == "read":
                self.unchecked(_LEDGER, "the Record could not be written")
                self._tell()
                return
            if outcome != "ok":  # an answer that could not be recorded ends as a refusal, which is told instead
                self._tell()
            raise
        except asyncio.CancelledError:  # the caller left while the disk was waited for; the Record is written
            self._tell()
            raise
        self._tell()

    def _line(self) -> dict[str, Any]:
        self.record.total_ms = round((time_ns() - self.record.started_ns) / 1e6, 3)
        return {"kind": "call", **self.record.as_dict()}

    def _append(self, line: dict[str, Any]) -> int:
        try:
            return self._entries.ledger.append(line)
        except LedgerError as error:
            raise self._unrecorded(error) from None

    async def _durable(self, seq: int) -> None:
        try:
            await self._entries.ledger.durable(seq)
        except LedgerError as error:
            raise self._unrecorded(error) from None

    def _unrecorded(self, error: LedgerError) -> Refusal:
        self._entries.trouble.tell(error)
        return unrecorded(self.record, self.sent)

    def _unrecorded_headers(self) -> list[tuple[str, str]]:
        return [("toolwall-unchecked", _LEDGER)] if _LEDGER in self.record.passed_unchecked else []

    def _tell(self) -> None:
        """Let the other readers of the Record have it, once."""
        if self._told:
            return
        self._told = True
        record = self.record
        for then in self._at_end:
            then(record)
        if self.trace is None:
            self.trace = self._begun(self._entries.telemetry)
        self._entries.telemetry.finish(self.trace, record)
        level = logging.DEBUG if record.outcome == "ok" else logging.INFO
        if _log.isEnabledFor(level):
            _log.log(
                level,
                "%s %s tool=%s principal=%s code=%s status=%s %.1f ms %s",
                record.call,
                record.outcome,
                record.tool or "-",
                record.principal or "-",
                record.code or "-",
                record.status,
                record.total_ms,
                "; ".join(record.notes),
            )
