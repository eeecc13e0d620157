"""Reply contract: what came back is held to what the tool's `replies` say, before cleaning changes any of it."""

from __future__ import annotations

from proxy.body import BODILESS, Body, TooLong
from proxy.entry import Entry
from proxy.model import Call, Result, Send
from proxy.outcomes import whole, withheld
from proxy.replies import decoding, replyheaders
from proxy.replies.decoding import Undecodable
from proxy.scanning import INLINE_BYTES, Scans
from redaction.mediatypes import EVENTS, LINES
from redaction.scanner import Unreadable
from rules.decide import Decision
from rules.replies import Deviation, Replies, is_own_error
from rules.tools import Tool

_UNCHECKED = "could not be checked"
_ANY = b" "
"""Stands for a body of which no contract says more than its type."""


def applies(tool: Tool, decision: Decision) -> bool:
    """Whether the tool's answers have a contract that counts."""
    return tool.reply.contract != "off"


class ReplyContract:
    """The guard, with the threads in which large answers are judged."""

    __name__ = "reply_contract"

    def __init__(self, scans: Scans) -> None:
        self._scans = scans

    async def __call__(self, call: Call, entry: Entry, send: Send) -> Result:
        """Let the call go on, and judge what comes back; on the way out its body is whole and decoded."""
        result = await send(call, entry)
        try:
            found = await self._deviations(call, entry, result)
            entry.record.deviations = [str(each) for each in found]
            entry.check(self.__name__)
            if found and call.tool.reply.contract == "enforce" and not is_own_error(result.status, found):
                raise withheld(entry.record, _said(result.status, found))
        except BaseException:
            await result.body.close()
            raise
        return result

    async def _deviations(self, call: Call, entry: Entry, result: Result) -> tuple[Deviation, ...]:
        replies = call.tool.replies
        if replies is None or result.status < 200 or result.status == 304:  # 304 says that the agent has the answer
            return ()
        if _is_stream(result):
            return replies.judge(result.status, *replyheaders.content_type(result.headers), _ANY)
        raw = None
        if call.outgoing.method != "HEAD" and result.status not in BODILESS:
            raw = await whole(entry.record, result.body, call.tool.reply.most_bytes)
            result.body = Body.of(raw)
        try:
            return await self._judged(replies, result, raw, call.tool.reply.most_bytes)
        except (Unreadable, Undecodable) as why:
            return (Deviation(_UNCHECKED, str(why)),)
        except TooLong:
            return (Deviation(_UNCHECKED, "it is too large when decoded"),)

    async def _judged(self, replies: Replies, result: Result, raw: bytes | None, most: int) -> tuple[Deviation, ...]:
        if raw and (coding := replyheaders.value(result.headers, "content-encoding")):
            raw = decoding.decode(raw, coding, most)
            result.body = Body.of(raw)
            result.headers = [pair for pair in result.headers if pair[0].lower() != "content-encoding"]
        media_type, charset = replyheaders.content_type(result.headers)
        if len(raw or b"") <= INLINE_BYTES:
            return replies.judge(result.status, media_type, charset, raw)
        return await self._scans.apart(replies.judge, result.status, media_type, charset, raw)


def _is_stream(result: Result) -> bool:
    """Whether the body goes on while it comes: nobody waits for its end to judge it."""
    media_type, _ = replyheaders.content_type(result.headers)
    sized = replyheaders.value(result.headers, "content-length")
    return not sized and (media_type == EVENTS or media_type in LINES)


def _said(status: int, found: tuple[Deviation, ...]) -> str:
    """What of the answer is off: not where in its body, of which the agent sees nothing."""
    if found[0].where == _UNCHECKED:
        return f"The body of the backend's answer (status {status}) could not be checked against the tool's contract."
    what = found[0].where if found[0].where in ("status", "media type") else "body"
    return f"The {what} of the backend's answer (status {status}) is off the tool's contract."
