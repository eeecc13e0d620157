"""Known secrets: whatever a tool's rules say of cleaning, no answer holds one of these values."""

from __future__ import annotations

from collections import Counter

from proxy import decoding, replyheaders
from proxy.body import BODILESS, Body, TooLong
from proxy.decoding import Undecodable
from proxy.entry import Entry
from proxy.model import Call, Result, Send
from proxy.outcomes import whole, withheld
from proxy.scanning import INLINE_BYTES, Scans
from redaction.known import KIND, Known
from redaction.scanner import Cleaned, Unreadable


class KnownSecrets:
    """The guard, with the values and the threads in which large answers are searched."""

    __name__ = "known_secrets"

    def __init__(self, known: Known, scans: Scans) -> None:
        self._known = known
        self._scans = scans

    def __bool__(self) -> bool:
        return bool(self._known)

    async def __call__(self, call: Call, entry: Entry, send: Send) -> Result:
        """Let the call go on, and take the values out of what comes back; its body is whole and decoded then.

        What cannot be searched is withheld, also where the rules let unchecked answers pass.
        """
        result = await send(call, entry)
        try:
            count = await self._hidden(call, entry, result)
        except (Unreadable, Undecodable, TooLong) as why:
            note = str(why) or "it is too large when decoded"
            raise withheld(entry.record, f"It could not be searched for known secrets: {note}.", note=note) from None
        finally:
            await result.body.close()
        if count:
            entry.record.redactions = {KIND: count}
        entry.check(self.__name__)
        return result

    async def _hidden(self, call: Call, entry: Entry, result: Result) -> int:
        headers = [(name, self._known.text(value)) for name, value in result.headers]
        count = sum(old != new for old, new in zip(result.headers, headers, strict=True))
        bare = call.outgoing.method == "HEAD" or result.status in BODILESS
        most = call.tool.reply.most_bytes
        raw = b"" if bare else await whole(entry.record, result.body, most)
        coding = replyheaders.value(headers, "content-encoding")
        if raw and coding:
            raw = decoding.decode(raw, coding, most)
            headers = [pair for pair in headers if pair[0].lower() != "content-encoding"]
        cleaned = await self._cleaned(raw, *replyheaders.content_type(headers))
        result.headers, result.body = headers, Body.of(cleaned.value)
        return count + sum(cleaned.counts.values())

    async def _cleaned(self, raw: bytes, media_type: str, charset: str | None) -> Cleaned[bytes]:
        if not raw:
            return Cleaned(raw, Counter())
        if len(raw) <= INLINE_BYTES:
            return self._known.clean(raw, media_type, charset)
        return await self._scans.apart(self._known.clean, raw, media_type, charset)
