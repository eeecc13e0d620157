"""Approval: a call that a human must approve is answered `approval_pending`, and nothing is sent."""

from __future__ import annotations

from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.model import Call, Result, Send
from rules.decide import Decision
from rules.obligations import Approval
from rules.tools import Tool

_ASK_AGAIN_SECONDS = 30


def applies(tool: Tool, decision: Decision) -> bool:
    """Whether the decision demands an approval."""
    return any(isinstance(obligation, Approval) for obligation in decision.obligations)


async def approval(call: Call, entry: Entry, send: Send) -> Result:
    """Refuse with an id that is the same for the same call of the same principal, so that a repeat attaches to it."""
    asked = entry.keyed_hash(["approval", call.principal.id, call.tool.name, call.tool.hash, call.same])[:24]
    entry.record.approval, entry.record.approval_state = asked, "pending"
    entry.check("approval")
    raise Refusal(
        "approval_pending",
        "This call needs the approval of a human. Nothing was sent.",
        suggestion="Tell the user that an approval is needed. After it was given, repeat exactly the same call.",
        retry_after=_ASK_AGAIN_SECONDS,
        extra={"approval_id": asked},
        headers=(("Location", f"/.toolwall/approvals/{asked}"),),
    )
