"""The rest of a shaped reply as an answer: the next piece, as long as the reply itself might be, and where to go on."""

from __future__ import annotations

import json
from time import monotonic

from proxy.body import Body
from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.firewall import Firewall
from proxy.identity import Identify
from proxy.model import Result
from proxy.protocols.remainder import RemainderAsk, Wanted
from proxy.remainders import PATH, Kept, Owner, Remainders
from proxy.scanning import Scans
from redaction.scanner import Unreadable
from redaction.shaping import Links, Part, Piece, Unfit, next_items, next_text
from rules.facts import Run

_INLINE_CHARACTERS = 8 * 1024
_HEAD_ROOM = 256
"""Bytes of an answer besides its items."""


class Fetching:
    """Answers requests for the rest of replies."""

    def __init__(self, remainders: Remainders, scans: Scans) -> None:
        self._remainders = remainders
        self._scans = scans

    async def answer(self, firewall: Firewall, ask: RemainderAsk, identify: Identify) -> Result:
        """The answer to one request. Raises Refusal; either way its Record is written. It is no step of a run."""
        async with firewall.entries.open(ask.listener) as entry:
            entry.hailed(hail := ask.hail())
            principal = await identify(hail)
            run = firewall.runs.current(principal.id, hail.run, monotonic())
            entry.identified(principal, Run(run, 0))
            firewall.halts.check(entry)
            wanted = ask.wanted()
            revision = firewall.regime.rules.revision
            record = entry.record
            record.method, record.revision = "GET", revision
            kept = wanted and self._remainders.find(wanted.handle, Owner(principal.id, run, revision))
            part = kept and wanted and kept.parts.get(wanted.place)
            if not (wanted and kept and part):
                record.decision = "deny"
                raise _unknown()
            record.decision = "allow"
            record.notes.append(f"the rest of what call {kept.call} gave, from place {part.start}")
            return await entry.follow(await self._given(entry, wanted, kept, part))

    async def _given(self, entry: Entry, wanted: Wanted, kept: Kept, part: Part) -> Result:
        since = part.shown if wanted.since is None else wanted.since
        links = self._remainders.links(wanted.handle, kept)
        try:
            if len(kept.text) <= _INLINE_CHARACTERS:
                piece = _piece(kept, part, since, links)
            else:
                piece = await self._scans.apart(_piece, kept, part, since, links)
        except (Unfit, Unreadable) as why:
            raise _refused(why, f"{PATH}{wanted.handle}-{part.start}?from={since + 1}") from None
        if piece is None:
            what = "items" if part.is_list else "characters"
            raise Refusal("bad_request", f"It has no {what} from {since} on.", suggestion="You have all of it.")
        self._remainders.extend(wanted.handle, kept, piece.short.parts)
        counts = {"items": piece.short.items, "texts": piece.short.texts}
        entry.record.shaped = {what: count for what, count in counts.items() if count}
        body = _body(kept, part, since, piece, f"{PATH}{wanted.handle}-{part.start}")
        return Result(200, [("Content-Type", "application/json")], Body.of(body))


def _piece(kept: Kept, part: Part, since: int, links: Links) -> Piece | None:
    if part.is_list:
        fit = kept.bounds.fit and kept.bounds.fit - _HEAD_ROOM
        return next_items(kept.text, part, since, kept.bounds._replace(most=part.shown, fit=fit), links)
    return next_text(kept.text, part, since, part.shown, kept.is_json)


def _body(kept: Kept, part: Part, since: int, piece: Piece, link: str) -> bytes:
    """A JSON object. What is given of JSON stands in it byte for byte."""
    text = piece.short.text
    if not part.is_list:
        text = f'"{text}"' if kept.is_json else json.dumps(text, ensure_ascii=False)
    more = f', "next": "GET {link}?from={since + piece.shown}"' if piece.left else ""
    name = "items" if part.is_list else "text"
    return f'{{"{name}": {text}, "from": {since}, "left": {piece.left}{more}}}\n'.encode("utf-8", "replace")


def _unknown() -> Refusal:
    return Refusal(
        "unknown_rest",
        "Nothing is kept for you under this handle, or no longer.",
        suggestion="What is left out of a reply is kept for a short time, for the run that got it. If the call only "
        "reads, repeat it: the new reply has new handles. Else read what you need with another tool.",
    )


def _refused(why: Exception, link: str) -> Refusal:
    told = "too long for one answer" if isinstance(why, Unfit) else str(why)
    return Refusal(
        "reply_refused",
        f"The next piece cannot be given: {told}.",
        suggestion=f"Go on behind it, with `GET {link}`." if isinstance(why, Unfit) else "Try again later.",
        executed="no",
    )
