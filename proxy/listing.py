"""The tool listing as an answer: made beside the calls, kept for the next who may see the same, bounded in size."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from proxy.body import Body
from proxy.errors import Refusal
from proxy.firewall import Firewall
from proxy.identity.identity import Identify
from proxy.model import Result
from proxy.protocols.listing import ListingAsk, Wanted
from redaction.known import Known
from rules.decide import Ruleset
from rules.facts import Principal, Run
from rules.listing import listed, rendered

MOST_BYTES = 4 * 1024 * 1024
"""Of one listing: hundreds of tools with their contracts. A model's context holds a few of them."""

MOST_KEPT = 8
"""Listings that are kept: one for each kind of caller and format that is in use."""


class Listings:
    """Answers requests for the listing. Only one listing is made at a time; it may take a tenth of a second."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._turn = asyncio.Lock()
        # A tag must not outlive this version of the program.
        self._salt = os.urandom(8).hex()

    async def answer(self, firewall: Firewall, ask: ListingAsk, identify: Identify) -> Result:
        """The answer to one request. Raises Refusal; either way its Record is written. It is no step of a run."""
        rules = firewall.regime.rules
        async with firewall.entries.open(ask.listener) as entry:
            entry.hailed(hail := ask.hail())
            principal = await identify(hail)
            entry.identified(principal, Run("", 0))
            firewall.halts.check(entry)
            wanted = ask.wanted()
            record = entry.record
            record.method, record.decision, record.revision = "GET", "allow", rules.revision
            record.notes.append(f"the tool listing as {wanted.form}")
            return await entry.follow(await self._answer(wanted, rules, principal, firewall.entries.known))

    async def _answer(self, wanted: Wanted, rules: Ruleset, principal: Principal, known: Known) -> Result:
        """The listing for one caller, or 304 where the caller has it already. Raises Refusal where it is too large."""
        tag = self.tag(rules, principal, wanted.form, wanted.pattern, wanted.hosted)
        quoted = f'"{tag}"'
        headers = [("Content-Type", "application/json"), ("ETag", quoted)]
        if not wanted.known.isdisjoint({quoted, "*"}):
            return Result(304, headers[1:], Body.of(b""))
        return Result(200, headers, Body.of(await self.kept(tag, partial(_made, wanted, rules, principal, known))))

    async def kept(self, tag: str, make: Callable[[], bytes]) -> bytes:
        """The listing with this tag, made in a thread where it is not kept. Raises what making it raises."""
        async with self._turn:
            if tag not in self._kept:
                self._kept[tag] = await asyncio.to_thread(make)
            self._kept.move_to_end(tag)
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
            return self._kept[tag]

    def tag(self, rules: Ruleset, principal: Principal, *asked: Any) -> str:
        """Differs for each revision and each caller: what one may see never answers another. `asked` is JSON."""
        chain = [(link.id, None if link.roles is None else sorted(link.roles)) for link in principal.chain]
        who = [principal.id, sorted(principal.roles), principal.agent, principal.user, chain]
        parts = [self._salt, rules.revision, asked, who]
        return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()


def _made(wanted: Wanted, rules: Ruleset, principal: Principal, known: Known) -> bytes:
    tools = listed(rules, principal, wanted.pattern, wanted.hosted)
    entries = (rendered([each], wanted.form)["tools"][0] for each in tools)
    return joined(entries, known, "Ask for some of the tools, as in `&tools=crm.get_*`.")


def joined(entries: Iterable[Mapping[str, Any]], known: Known, advice: str) -> bytes:
    """The listing of these entries. Raises Refusal where it is too large.

    A contract may hold a known secret, as in an example; the listing does not.
    """
    pieces, size = [], 0
    for entry in entries:
        pieces.append(json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))
        size += len(pieces[-1]) + 1
        if size > MOST_BYTES:
            raise Refusal("bad_request", f"The listing is larger than {MOST_BYTES} bytes.", suggestion=advice)
    return known.clean(b'{"tools":[' + b",".join(pieces) + b"]}\n", "application/json", None).value
