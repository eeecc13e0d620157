"""Clean: whatever a model could read of a reply was read here first."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from functools import partial
from time import perf_counter

from proxy.body import BODILESS, Body, Flow, TooLong
from proxy.entry import Entry
from proxy.model import Call, Result, Send
from proxy.outcomes import oversized, whole, withheld
from proxy.pseudonyms import Keeper, RunPseudonyms
from proxy.replies import contents, decoding, otherbodies, replyheaders
from proxy.replies.decoding import Undecodable
from proxy.replies.flowing import Flowing, Keep
from proxy.replies.replyheaders import BadHeaders, Headers, Seat
from proxy.scanning import INLINE_BYTES, Scans
from proxy.store import StoreError
from redaction import streams
from redaction.mediatypes import EVENTS, LINES
from redaction.pseudonyms import InCall
from redaction.scanner import Scanner, UnknownType, Unreadable
from redaction.streams import Stage
from rules.tools import Backend, Cleaning, Reply, Tool

Scanners = Mapping[Cleaning, Scanner]

# What nearly every reply says of its form and time, in a grammar without free text: not worth a scan.
_PLAIN = re.compile(
    r"(?:text|application)/[a-z.+-]{1,40}(?:; ?charset=[A-Za-z0-9-]{1,12})?"
    r"|[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT|\d{1,4}|gzip|deflate|br|zstd"
)


_CUT = "it is a range of bytes, in which a value may be cut in two. Call without `Range`"
_OF_THE_BODY = frozenset({"accept-ranges", "content-disposition", "content-language", "content-type", "etag"})
"""Headers that speak of the very bytes that came, which others stand for now."""


class Clean:
    """The guard, with what it needs of the house: the backends, a scanner for each set of kinds, threads that scan,
    and the pseudonyms of the runs.
    """

    __name__ = "clean"

    def __init__(
        self, backends: Mapping[str, Backend], scanners: Scanners, scans: Scans, keeper: Keeper | None = None
    ) -> None:
        self._backends = backends
        self._scanners = scanners
        self._scans = scans
        self._keeper = keeper

    async def __call__(self, call: Call, entry: Entry, send: Send) -> Result:
        """Let the call go on, and clean what comes back: headers by allowlist, then as text; the body by its type."""
        result = await send(call, entry)
        try:
            came, result.headers = result.headers, self._allowed(call, entry, result)
            return await self._cleaned(call, entry, result, came)
        except BaseException:
            await result.body.close()
            raise

    def _allowed(self, call: Call, entry: Entry, result: Result) -> Headers:
        if result.status < 200:
            raise withheld(entry.record, "The backend answered with an interim status.")
        try:
            kept = replyheaders.kept(result.headers)
        except BadHeaders as bad:
            raise withheld(entry.record, "The head of the backend's reply is malformed.", note=str(bad)) from None
        url = self._backends[call.tool.backend].url
        kept, removed = replyheaders.located(kept, Seat(url, call.base, call.outgoing.target, call.origin))
        if removed:
            entry.record.notes.append("a place outside of the backend was removed from the reply's head")
        return kept

    async def _cleaned(self, call: Call, entry: Entry, result: Result, came: Headers) -> Result:
        reply = call.tool.reply
        bare = call.outgoing.method == "HEAD" or result.status in BODILESS
        if not reply.redact:
            entry.unchecked("clean", "the contract turns cleaning off")
            result.headers.append(("toolwall-unchecked", "clean"))
            _tell(entry, result, Counter())
            if bare:
                await result.body.close()
            result.body = Body.of(b"") if bare else _bounded(result, entry, reply.most_bytes)
            return result
        scanner, started = self._scanners[reply.cleaning], perf_counter()
        keep: Keep | None = None
        if self._keeper is not None and (scanner.gives_pseudonyms or entry.put_back):
            known = await self._keeper.of(call.principal.id, call.run.id)
            run = InCall(known, entry.put_back, entry.joined)
            scanner, keep = scanner.within(run), partial(self._keep, entry, known)
        cut = replyheaders.is_cut(result.status, result.headers)
        if not (bare or cut) and (stage := _stage(scanner, result, came, reply.on_error == "pass")):
            return await self._flowing(call, entry, result, scanner, stage, keep)
        raw = b"" if bare else await whole(entry.record, result.body, reply.most_bytes)
        if bare:
            await result.body.close()
        try:
            result.headers, counts = await self._head(scanner, result.headers)
            body, passed = await self._scan(scanner, raw, result, call.tool, counts)
            if passed:
                entry.unchecked("clean", "what is no text passes, as its contract says")
                result.headers.append(("toolwall-unchecked", "clean"))
            else:
                entry.check("clean")
        except (Unreadable, Undecodable) as why:
            if reply.on_error != "pass":
                raise withheld(entry.record, f"It could not be checked: {why}.", note=str(why)) from None
            entry.unchecked("clean", str(why))
            result.headers.append(("toolwall-unchecked", "clean"))
            body, counts = raw, Counter()
        if keep is not None:
            await keep()
        entry.record.clean_ms = round((perf_counter() - started) * 1000, 3)
        _tell(entry, result, counts)
        result.body = Body.of(body)
        return result

    async def _keep(self, entry: Entry, known: RunPseudonyms) -> None:
        """Store what the reply shows of a run's pseudonyms, before it shows it."""
        assert self._keeper is not None
        try:
            await self._keeper.save(known)
        except StoreError as error:
            refusal = withheld(entry.record, "Its pseudonyms could not be kept.", note=str(error))
            refusal.ours = True
            raise refusal from None
        if known.note and known.note not in entry.record.notes:
            entry.record.notes.append(known.note)

    async def _flowing(
        self, call: Call, entry: Entry, result: Result, scanner: Scanner, stage: Stage, keep: Keep | None
    ) -> Result:
        """A reply without end in sight is cleaned while it comes."""
        try:
            result.headers, counts = await self._head(scanner, result.headers)
        except Unreadable as why:
            raise withheld(entry.record, f"Its head could not be checked: {why}.", note=str(why)) from None
        _tell(entry, result, counts)
        if keep is not None:
            await keep()
        silence_s = call.tool.waits.idle_s or call.tool.timeout_s
        flowing = Flowing(result.body, stage, entry, call.tool.reply.most_bytes, silence_s, keep)
        media_type, _ = replyheaders.content_type(result.headers)
        result.body = flowing.cleaned(media_type, self._scans, scanner.needs_presidio)
        entry.check("clean")
        return result

    async def _head(self, scanner: Scanner, headers: Headers) -> tuple[Headers, Counter[str]]:
        """Headers scanned as text, and what was found in them. Raises Unreadable."""
        texts = [value for _, value in headers if not _PLAIN.fullmatch(value)]
        if not texts:
            return headers, Counter()
        joined = "\n".join(texts)
        return await self._scans.brief(scanner, len(joined), _clean_headers, scanner, headers, joined)

    async def _scan(
        self, scanner: Scanner, raw: bytes, result: Result, tool: Tool, counts: Counter[str]
    ) -> tuple[bytes, bool]:
        """The cleaned body, decoded, and whether some of it was not looked at; adds what was found to `counts`."""
        if not raw:
            return raw, False
        done = None
        if tool.mcp and (len(raw) > INLINE_BYTES or contents.may_hold(raw)):
            done = await self._scans.apart(contents.treated, scanner, raw, tool.reply.binary)
        if done is not None:
            counts.update(done.counts)
            return done.body, done.passed
        came, passed, reply = raw, False, tool.reply
        media_type, charset = replyheaders.content_type(result.headers)
        if coding := replyheaders.value(result.headers, "content-encoding"):
            try:
                raw = decoding.decode(raw, coding, reply.most_bytes)
            except TooLong:
                raise Unreadable("it is too large when decoded") from None
        try:
            if replyheaders.is_cut(result.status, result.headers):
                scanner.stage(media_type, charset)  # what is no text may pass
                raise Unreadable(_CUT)
            if media_type == EVENTS or media_type in LINES:
                body, found = await self._scans.apart(streams.clean, scanner, raw, media_type, charset)
            else:
                body, found = await self._scans.clean(scanner, raw, media_type, charset)
        except UnknownType:
            body, found, passed = await self._other(scanner, raw, result, reply)
            if passed and body is raw:
                return came, True
        if found:
            counts.update(found)
        if coding:
            result.headers = [pair for pair in result.headers if pair[0] != "content-encoding"]
        return body, passed

    async def _other(
        self, scanner: Scanner, raw: bytes, result: Result, reply: Reply
    ) -> tuple[bytes, Counter[str], bool]:
        """A body that is no text by its type as it is given, what was found, whether some of it was not looked at."""
        kind = replyheaders.value(result.headers, "content-type")
        other = await self._scans.apart(otherbodies.cleaned, scanner, raw, kind, reply.binary)
        if result.status == replyheaders.PARTIAL and (not other.passed or kind.lower().startswith("multipart/")):
            raise Unreadable(_CUT)
        if other.media_type:
            result.headers = [pair for pair in result.headers if pair[0] not in _OF_THE_BODY]
            result.headers.append(("content-type", other.media_type))
        return other.body, other.counts, other.passed


def _stage(scanner: Scanner, result: Result, came: Headers, passes: bool) -> Stage | None:
    """What cleans a body of this type while it comes; None where it has to be whole first, or says its length."""
    media_type, charset = replyheaders.content_type(result.headers)
    if not streams.flows(media_type) or replyheaders.value(result.headers, "content-encoding"):
        return None
    if replyheaders.value(came, "content-length"):
        return None
    try:
        return streams.stage(scanner, media_type, charset, passes)
    except Unreadable:
        return None


def _bounded(result: Result, entry: Entry, most: int) -> Body:
    body = result.body

    async def pieces() -> AsyncGenerator[bytes, None]:
        size = 0
        async for piece in body:
            size += len(piece)
            if size > most:
                raise oversized(entry.record, most)
            yield piece

    passed = Body(pieces(), body.close)
    if replyheaders.content_type(result.headers)[0] in (EVENTS, *LINES):  # no event waits for the next
        passed.flow = Flow("", list)
    return passed


def _clean_headers(scanner: Scanner, headers: Headers, joined: str) -> tuple[Headers, Counter[str]]:
    """Headers scanned as text. One scan over all of them, `joined`, tells whether any needs a closer look."""
    counts: Counter[str] = Counter()
    if not scanner.find(joined):
        return headers, counts
    cleaned: Headers = []
    for name, value in headers:
        done = scanner.clean_text(value)
        counts.update(done.counts)
        cleaned.append((name, done.value))
    return cleaned, counts


def _tell(entry: Entry, result: Result, counts: Counter[str]) -> None:
    if entry.record.redactions:  # known secrets are out already
        counts = counts + Counter(entry.record.redactions)
    if counts:
        entry.record.redactions = dict(sorted(counts.items()))
        said = ", ".join(f"{kind}={count}" for kind, count in entry.record.redactions.items())
        result.headers.append(("toolwall-redacted", said))
