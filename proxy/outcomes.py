"""What may truly be said of a call that did not end well: never success, never failure, where neither is known."""

from __future__ import annotations

import logging
import os
import traceback

from proxy.body import Body, TooLong
from proxy.errors import Executed, Refusal
from proxy.record import Record
from proxy.seldom import Seldom


def executed(record: Record) -> Executed:
    """Whether the backend acted on a call that it answered. One that fails may have done it before it did."""
    if record.replayed or not record.attempts:
        return "no"
    failed = record.effect != "read" and record.status >= 500
    return "unknown" if record.once.get("state", "unknown" if failed else "") == "unknown" else "yes"


def withheld(record: Record, detail: str, note: str = "", done: bool = True) -> Refusal:
    """The backend answered, and its answer may not be shown. `done`: it does not say that it did nothing yet."""
    carried_out = done and 200 <= record.upstream_status < 400
    told = "The action was carried out; its answer was withheld. " if carried_out else ""
    return Refusal(
        "reply_refused",
        told + detail,
        executed="yes" if carried_out else "unknown" if done else "no",
        suggestion="Do not repeat the call; tell the user what happened.",
        note=note,
    )


async def whole(record: Record, body: Body, most: int) -> bytes:
    """All of a reply's body, which is closed then. Raises Refusal where it has more than `most` bytes."""
    if body.whole is not None and len(body.whole) <= most:  # as most are
        return body.whole
    try:
        return await body.read(most)
    except TooLong:
        raise oversized(record, most) from None
    finally:
        await body.close()


def oversized(record: Record, most: int) -> Refusal:
    """The backend answered with more than is accepted."""
    return withheld(record, f"It is larger than {most} bytes. Ask for less.")


def lost(record: Record, *, timed_out: bool, note: str) -> Refusal:
    """The request may have reached the backend, and no whole answer came."""
    if record.effect != "read":
        return Refusal(
            "outcome_unknown",
            "The request was sent, and no answer came back. The action may or may not have been carried out.",
            executed="unknown",
            suggestion="Do not repeat the call. Find out by reading, or ask a human.",
            note=note,
        )
    return Refusal(
        "timeout" if timed_out else "upstream_unreachable",
        "The backend did not answer in time." if timed_out else "The backend hung up without a proper answer.",
        executed="unknown",
        suggestion="Reading again is safe. Try again later, or ask for less.",
        retry_after=RETRY_SECONDS,
        note=note,
    )


def stopped(record: Record, *, sent: bool) -> Refusal:
    """The sidecar stops, and waited for the backend as long as it could."""
    if sent and record.effect != "read" and not record.upstream_status:
        refusal = lost(record, timed_out=False, note="the sidecar stopped")
        refusal.lasting = True
        return refusal
    return Refusal(
        "internal",
        "Toolwall is being stopped and could not wait for the backend any longer.",
        executed="unknown" if sent else "no",
        suggestion="Try again later, if doing it twice is safe." if sent else "Try again later.",
        retry_after=RETRY_SECONDS,
        note="the sidecar stopped",
    )


def not_sent(code: str, detail: str, note: str = "") -> Refusal:
    """Nothing of the request left; the call may be repeated. `code` is `timeout` or `upstream_unreachable`."""
    return Refusal(
        code, detail + " Nothing was sent.", suggestion="Try again later.", retry_after=RETRY_SECONDS, note=note
    )


def never_sent(detail: str, note: str) -> Refusal:
    """Nothing of the request left, and nothing will until the rules are mended."""
    refusal = not_sent("upstream_unreachable", detail, note)
    refusal.suggestion, refusal.lasting = "Tell the operator.", True
    return refusal


def place_of(error: Exception) -> str:
    """Where in the program an error came up, without its text."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    return " < ".join(f"{os.path.basename(frame.filename)}:{frame.lineno}" for frame in reversed(frames))


def unforeseen(sent: bool, note: str) -> Refusal:
    """Something went wrong that nobody thought of."""
    return Refusal(
        "internal",
        "Toolwall met an unforeseen error and refused the call.",
        executed="unknown" if sent else "no",
        suggestion="Tell the operator the call_id; the cause stands in the log.",
        retry_after=RETRY_SECONDS,
        note=note,
    )


def ledger_trouble() -> Seldom:
    """The line of the log about calls that `unrecorded` ended."""
    return Seldom(logging.getLogger("toolwall.calls"), logging.ERROR, "the ledger cannot be written (calls: %d): %s")


def unrecorded(record: Record, sent: bool) -> Refusal:
    """The ledger cannot be written. What may have been carried out is not to be tried again."""
    if sent and record.effect != "read":
        refusal = withheld(record, "The call cannot be recorded.", note="the ledger could not be written")
    else:
        refusal = Refusal(
            "internal",
            "The call cannot be recorded, so its answer is withheld." if sent else "The call cannot be recorded.",
            executed="unknown" if sent else "no",
            suggestion="Tell the operator that the ledger of the sidecar cannot be written.",
            retry_after=RETRY_SECONDS,
        )
    refusal.ours = True
    return refusal


RETRY_SECONDS = 5
"""Long enough for a restart of the backend to make progress, short enough for an agent to wait."""
