"""An answer as JSON, as the backend gave it: for guards that take something from it before anything is taken out."""

from __future__ import annotations

import json
from typing import Any

from proxy.body import Body, TooLong
from proxy.entry import Entry
from proxy.model import Call, Result
from proxy.outcomes import whole
from proxy.replies import decoding, replyheaders
from proxy.replies.decoding import Undecodable
from proxy.scanning import INLINE_BYTES, Scans
from redaction.scanner import Unreadable
from rules.formula import Untold


async def taken_from(call: Call, entry: Entry, result: Result, scans: Scans) -> Any:
    """What an answer says; it stays as it is. Of an MCP server's result that is its data. Raises Untold where it is not
    JSON that everybody reads alike."""
    media_type, _ = replyheaders.content_type(result.headers)
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise Untold("the answer is no JSON")
    most = call.tool.reply.most_bytes
    raw = await whole(entry.record, result.body, most)
    result.body = Body.of(raw)
    coding = replyheaders.value(result.headers, "content-encoding")
    work = _data if call.tool.mcp else read
    if len(raw) <= INLINE_BYTES:
        return work(raw, coding, most)
    try:
        return await scans.apart(work, raw, coding, most)
    except Unreadable as why:
        raise Untold(f"the answer could not be read: {why}") from None


def read(raw: bytes, coding: str, most: int) -> Any:
    """An answer as JSON. Raises Untold, also where it could be read in two ways."""
    try:
        return json.loads(decoding.decode(raw, coding, most), object_pairs_hook=_members)
    except (ValueError, RecursionError, Undecodable, TooLong):
        raise Untold("the answer is no JSON that everybody reads alike") from None


def _data(raw: bytes, coding: str, most: int) -> Any:
    """The data of a result; where it has none, what its one text says. Raises Untold."""
    message = read(raw, coding, most)
    result = message.get("result") if isinstance(message, dict) else None
    if not isinstance(result, dict):
        raise Untold("the answer is no result")
    if "structuredContent" in result:
        return result["structuredContent"]
    content = result.get("content")
    texts = [each.get("text") for each in content if isinstance(each, dict)] if isinstance(content, list) else []
    if len(texts) != 1 or not isinstance(texts[0], str):
        raise Untold("the result has neither data nor a single text")
    return read(texts[0].encode(), "", most)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError
    return made
