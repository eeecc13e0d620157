"""The guards, outermost first. This order is the policy of the house: authors of rules never think about order."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from proxy.guards import (
    approval,
    budget,
    bulkhead,
    cache,
    intent,
    keep,
    limit,
    once,
    price,
    replycontract,
    retry,
    shape,
    warn,
)
from proxy.guards import witness as witnessing
from proxy.guards.approval import approval as approval_guard
from proxy.guards.breaker import Breaker
from proxy.guards.budget import Spending
from proxy.guards.bulkhead import Bulkhead
from proxy.guards.cache import Cache
from proxy.guards.clean import Clean
from proxy.guards.credential import Credential
from proxy.guards.intent import intent as intent_guard
from proxy.guards.keep import Keep
from proxy.guards.known import KnownSecrets
from proxy.guards.limit import Limiting
from proxy.guards.once import Once
from proxy.guards.outgoing import Outgoing
from proxy.guards.price import Price
from proxy.guards.replycontract import ReplyContract
from proxy.guards.retry import Retry
from proxy.guards.shape import Shape
from proxy.guards.timeout import timeout
from proxy.guards.warn import Warn
from proxy.guards.witness import Witness
from proxy.health import Health
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
        warning: Warn,
        known: KnownSecrets,
        reply_contract: ReplyContract,
        outgoing: Outgoing,
        shaped: Shape,
        kept: Cache,
        limiting: Limiting,
        healths: Mapping[str, Health],
        spending: Spending,
        pricing: Price,
        done_once: Once | None = None,
        keeping: Keep | None = None,
        stopping: asyncio.Event | None = None,
        witness: Witness | None = None,
        credential: Credential | None = None,
    ) -> None:
        breaker = Breaker(healths)
        self._order = (
            # Before an approval: what cannot be sent bothers nobody, and what is approved is what is sent.
            (outgoing, outgoing.applies),
            # Outside of cleaning: no finding is cut in two, and what is kept of the rest is clean. Outside of answers
            # that are given again: each caller has a rest of its own.
            (shaped, shape.applies),
            # Inside of what may change what is sent: a repeat is known by what is sent. Outside of an approval and of
            # limits: what was done needs no second yes to be told again, and is no second action. Outside of the
            # intent, which is what reserves an action on disk.
            *(((done_once, once.applies),) if done_once else ()),
            (approval_guard, approval.applies),
            # Before limits, which give nothing back: what they refuse costs nothing.
            (spending, budget.applies),
            # After an approval, so that a call which waits for a human counts once, when it is sent. Outside of answers
            # that are given again: what is left is told to each caller, and who asks too often is slowed there too.
            (limiting, limit.applies),
            # Outside of all that sends and checks: what it keeps has been through that.
            (kept, cache.applies),
            # Around all that takes time: queues, every attempt, and cleaning.
            (timeout, always),
            # What cleaning leaves is what is warned of.
            (warning, warn.applies),
            # What comes back is read once, whatever it took to get it: so all that reads it stands around the attempts.
            (clean, always),
            (known, always if known or credential else never),
            (reply_contract, replycontract.applies),
            # Inside of all that takes something out.
            (pricing, price.applies),
            *(((witness, witnessing.applies),) if witness else ()),
            # The same: and only what was sent is kept.
            *(((keeping, keep.applies),) if keeping else ()),
            # From here on each attempt counts by itself: it needs a place, and is told to the breaker.
            (Retry(healths, stopping), retry.applies),
            # Outside of the breaker: to wait for a place is no fault of the backend. Inside of retry: who waits to try
            # again holds no place.
            (Bulkhead(healths), bulkhead.applies),
            (breaker, breaker.applies),
            # Nothing is written down as about to happen that anybody above still keeps from happening.
            (intent_guard, intent.applies),
            # Last: nobody else sees a request with a secret in it, and each attempt has the newest.
            *(((credential, credential.applies),) if credential else ()),
        )
        self._kept: dict[tuple[str, tuple[Obligation, ...]], list[Guard]] = {}

    def __call__(self, call: Call, decision: Decision) -> list[Guard]:
        """The guards of one call, outermost first. They depend on the tool and on what the decision demands alone."""
        tool = call.tool
        guards = self._kept.get((tool.name, decision.obligations))
        if guards is None:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            # What gives the rest of answers sends nothing, and all that it gives has been through the guards.
            order = () if tool.is_rest else self._order
            guards = [guard for guard, applies in order if applies(tool, decision)]
            self._kept[tool.name, decision.obligations] = guards
        return guards


def always(tool: Tool, decision: Decision) -> bool:
    """For guards that no call goes without."""
    return True


def never(tool: Tool, decision: Decision) -> bool:
    """For guards that have nothing to do in this sidecar."""
    return False
