"""The next piece of what was left out of a reply, as long as the reply itself might be, and where to go on."""

from __future__ import annotations

import json
from typing import Final

from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.protocols.remainder import Wanted
from proxy.replies.remainders import ASKED, Kept, Owner, Remainders
from proxy.scanning import Scans
from redaction.scanner import Unreadable
from redaction.shaping import Links, Part, Piece, Unfit, next_items, next_text

_INLINE_CHARACTERS: Final = 8 * 1024
_HEAD_ROOM: Final = 256
"""Bytes of an answer besides its items."""


class Pieces:
    """Gives the rest of replies, whichever door asks for it."""

    def __init__(self, remainders: Remainders, scans: Scans) -> None:
        self._remainders = remainders
        self._scans = scans

    async def given(self, entry: Entry, wanted: Wanted | None, owner: Owner, way: str) -> bytes:
        """A JSON object with the next piece. `way` is how the one behind it is asked for. Raises Refusal."""
        kept = wanted and self._remainders.find(wanted.handle, owner)
        part = kept and wanted and kept.parts.get(wanted.place)
        if not (wanted and kept and part):
            raise _unknown()
        entry.record.notes.append(f"the rest of what call {kept.call} gave, from place {part.start}")
        since = part.shown if wanted.since is None else wanted.since
        link = f"{way}{wanted.handle}-{part.start}{'?' if way == ASKED else ' and '}from="
        piece = await self._piece(kept, part, since, self._remainders.links(wanted.handle, kept, way), link)
        if piece is None:
            what = "items" if part.is_list else "characters"
            code = "bad_request" if way == ASKED else "schema_violation"  # of an argument, a model is to know
            raise Refusal(code, f"It has no {what} from {since} on.", suggestion="You have all of it.")
        self._remainders.extend(wanted.handle, kept, piece.short.parts)
        counts = {"items": piece.short.items, "texts": piece.short.texts}
        entry.record.shaped = {what: count for what, count in counts.items() if count}
        return _body(kept, part, since, piece, link)

    async def _piece(self, kept: Kept, part: Part, since: int, links: Links, link: str) -> Piece | None:
        try:
            if len(kept.text) <= _INLINE_CHARACTERS:
                return _piece(kept, part, since, links)
            return await self._scans.apart(_piece, kept, part, since, links)
        except (Unfit, Unreadable) as why:
            raise _refused(why, f"{link}{since + 1}") from None


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
    more = f', "next": "{link}{since + piece.shown}"' if piece.left else ""
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
        suggestion=f"Go on behind it: `{link}`." if isinstance(why, Unfit) else "Try again later.",
        executed="no",
    )
