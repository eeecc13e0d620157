"""What a server says beside an answer is read by the very guards that read answers."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from proxy.body import Body
from proxy.entry import Entry
from proxy.mcp.exchange import JSON
from proxy.model import Call, Guard, Result, Send
from proxy.outcomes import whole


class Reader:
    """The guards that clean, outermost first."""

    def __init__(self, guards: Iterable[Guard]) -> None:
        self._guards = tuple(guards)

    async def __call__(self, call: Call, entry: Entry, said: bytes) -> bytes:
        """A JSON text as the caller may read it. Raises Refusal; what was found is counted in the Record."""
        record = entry.record
        checks, send = len(record.checks), _giving(said)
        for guard in reversed(self._guards):
            send = partial(guard, send=send)
        try:
            result = await send(call, entry)
            return await whole(record, result.body, call.tool.reply.most_bytes)
        finally:
            del record.checks[checks:]  # of the answer they are still to come
            record.notes[:] = dict.fromkeys(record.notes)
            record.passed_unchecked[:] = dict.fromkeys(record.passed_unchecked)


def _giving(said: bytes) -> Send:
    async def send(_: Call, __: Entry) -> Result:
        return Result(200, [("content-type", JSON)], Body.of(said))

    return send
