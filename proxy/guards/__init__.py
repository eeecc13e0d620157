"""The guards, outermost first. This order is the policy of the house: authors of rules never think about order."""

from __future__ import annotations

from proxy.guards import approval, cache, intent, limit, replycontract, shape
from proxy.guards.approval import approval as approval_guard
from proxy.guards.cache import Cache
from proxy.guards.clean import Clean
from proxy.guards.intent import intent as intent_guard
from proxy.guards.known import KnownSecrets
from proxy.guards.limit import Limiting
from proxy.guards.outgoing import Outgoing
from proxy.guards.replycontract import ReplyContract
from proxy.guards.shape import Shape
from proxy.guards.timeout import timeout
from proxy.model import Call, Guard
from rules.decide import Decision
from rules.obligations import Obligation
from rules.tools import Tool

MOST_KEPT = 10_000
"""Sets of guards that are kept, one for each tool and set of obligations; beyond, all are made anew."""


class Guards:
    """The one list. Each guard has the shape `async (call, entry, send) -> Result` and a name for the Record."""

    def __init__(
        self,
        clean: Clean,
        known: KnownSecrets,
        reply_contract: ReplyContract,
        outgoing: Outgoing,
        shaped: Shape,
        kept: Cache,
        limiting: Limiting,
    ) -> None:
        self._order = (
            # Before an approval: what cannot be sent bothers nobody, and what is approved is what is sent.
            (outgoing, outgoing.applies),
            (approval_guard, approval.applies),
            # After an approval, so that a call which waits for a human counts once, when it is sent. Outside of answers
            # that are given again: what is left is told to each caller, and who asks too often is slowed there too.
            (limiting, limit.applies),
            # Outside of cleaning: no finding is cut in two, and what is kept of the rest is clean. Outside of answers
            # that are given again: each caller has a rest of its own.
            (shaped, shape.applies),
            # Outside of all that sends and checks: what it keeps has been through that.
            (kept, cache.applies),
            (timeout, always),
            (intent_guard, intent.applies),
            (clean, always),
            (known, always if known else never),
            (reply_contract, replycontract.applies),
        )
        self._kept: dict[tuple[str, tuple[Obligation, ...]], list[Guard]] = {}

    def __call__(self, call: Call, decision: Decision) -> list[Guard]:
        """The guards of one call, outermost first. They depend on the tool and on what the decision demands alone."""
        tool = call.tool
        guards = self._kept.get((tool.name, decision.obligations))
        if guards is None:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            guards = [guard for guard, applies in self._order if applies(tool, decision)]
            self._kept[tool.name, decision.obligations] = guards
        return guards


def always(tool: Tool, decision: Decision) -> bool:
    """For guards that no call goes without."""
    return True


def never(tool: Tool, decision: Decision) -> bool:
    """For guards that have nothing to do in this sidecar."""
    return False
