"""What a model would get to read of an answer that an example shows: the cleaning of the sidecar, without a sidecar."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from redaction import streams
from redaction.detector import Pattern
from redaction.profiles import UnknownKind
from redaction.scanner import Foreign, Scanner, Unreadable
from redaction.shaping import Links
from rules.mcp.shaping import shaped as result_shaped
from rules.problems import pointer
from rules.replies import Deviation, is_own_error
from rules.shaping import Answer, Shaping, Unshapable, shaped
from rules.tools import Tool

BODILESS: Final = frozenset({204, 205, 304})
"""Statuses whose answers have no body (RFC 9110, 15.3.5, 15.3.6 and 15.4.5)."""

_BASE64: Final = re.compile(rb'"(?:data|blob)"\s*:\s*"')

Redacted = Mapping[str, frozenset[str]]
"""The kinds that were taken out, by the JSON pointer (RFC 6901) of the string, number or object that held them. The
pointer of a text that is no JSON is empty."""


class _Pairs(tuple[tuple[str, Any], ...]):
    """A JSON object in the order in which it was written; cleaned names may be equal."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as a backend might give it. `body` is in UTF-8; `media_type` has no parameters."""

    status: int = 200
    media_type: str = ""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Returned:
    """What comes of an answer: `refused` says why nothing of it is given out, else `redacted` what is missing in it.

    `notes` are for people and change nothing.
    """

    redacted: Redacted = field(default_factory=dict)
    refused: str = ""
    notes: tuple[str, ...] = ()

    def fits(self, expected: Returned) -> bool:
        """Whether it is what an example expects: refused for whatever reason, or exactly these findings gone."""
        return bool(self.refused) == bool(expected.refused) and self.redacted == expected.redacted

    def as_text(self) -> str:
        """A few words for people, without any value."""
        notes = "".join(f" ({note})" for note in self.notes)
        if self.refused:
            return f"refused: {self.refused}{notes}"
        gone = [f"{', '.join(sorted(kinds))} at {place or 'the top'}" for place, kinds in sorted(self.redacted.items())]
        return f"redacted {'; '.join(gone)}{notes}" if gone else f"unchanged{notes}"


def returned(tool: Tool, reply: Reply, own: tuple[Pattern, ...] = (), foreign: Foreign | None = None) -> Returned:
    """Treat an answer as the sidecar treats what the tool's backend sends. `own` are detectors of the author's,
    `foreign` makes what finds other kinds."""
    body = b"" if tool.method == "HEAD" or reply.status in BODILESS else reply.body
    if len(body) > tool.reply.most_bytes:
        return Returned(refused=f"it is larger than {tool.reply.most_bytes} bytes")
    off = _deviations(tool, reply, body)
    if off and tool.reply.contract == "enforce" and not is_own_error(reply.status, off):
        return Returned(refused=f"it is off its contract: {_listed(off)}")
    notes: tuple[str, ...] = (f"off its contract, which is only reported: {_listed(off)}",) if off else ()
    if tool.mcp and tool.reply.redact and _BASE64.search(body):
        notes += (f"images, sounds and blobs are not judged here; `binary: {tool.reply.binary}` holds for them",)
    back, left = _cleaned(tool, reply, body, own, foreign)
    if left and not back.refused and tool.reply.shaping:
        back = _shaped(tool, tool.reply.shaping, reply, left, back)
    return replace(back, notes=(*notes, *back.notes))


def _shaped(tool: Tool, shaping: Shaping, reply: Reply, body: bytes, back: Returned) -> Returned:
    """The same, and what is left out of it; that is no finding, so an example need not expect it."""
    try:
        work = result_shaped if tool.mcp else shaped
        counts = work(shaping, Answer(body, reply.media_type, None, reply.status >= 300), Links()).counts
    except (Unshapable, Unreadable) as why:
        return Returned(refused=f"only a part of it may be given, and {why}", notes=back.notes)
    left_out = ", ".join(f"{count} {what}" for what, count in counts.items())
    return replace(back, notes=(*back.notes, f"left out: {left_out}")) if counts else back


def _deviations(tool: Tool, reply: Reply, body: bytes) -> tuple[Deviation, ...]:
    if tool.replies is None or tool.reply.contract == "off" or reply.status == 304:
        return ()
    bare = tool.method == "HEAD" or reply.status in BODILESS
    return tool.replies.judge(reply.status, reply.media_type, None, None if bare else body)


def _listed(off: tuple[Deviation, ...]) -> str:
    return ", ".join(f"{each.where} ({each.what})" for each in off)


def _cleaned(
    tool: Tool, reply: Reply, body: bytes, own: tuple[Pattern, ...], foreign: Foreign | None
) -> tuple[Returned, bytes]:
    """What comes of it, and what is left of the body."""
    if not tool.reply.redact:
        return Returned(notes=("the contract turns cleaning off",)), body
    try:
        scanner = Scanner(tool.reply.redact, own=own, foreign=foreign).sparing(tool.reply.sparing)
        cleaned = streams.clean(scanner, body, reply.media_type, None)
    except UnknownKind as why:
        return Returned(refused=str(why)), b""
    except Unreadable as why:
        if tool.reply.on_error == "pass":
            return Returned(notes=(f"passed unchecked: {why}",)), b""
        return Returned(refused=str(why)), b""
    return Returned(_differences(body.decode(), cleaned.value.decode(), cleaned.counts)), cleaned.value


def _differences(before: str, after: str, counts: Counter[str]) -> Redacted:
    """Where the two texts differ, and by which kinds."""
    if not counts:
        return {}
    try:
        changed = list(_changed(_read(before), _read(after), ()))
    except (ValueError, RecursionError):  # a text that is no JSON, or one that is nested too deep to tell places
        return {"": frozenset(counts)}
    found: dict[str, frozenset[str]] = {}
    for place, was, now in changed:
        where = pointer(place)
        found[where] = found.get(where, frozenset()) | {kind for kind in counts if _more(f"<{kind}>", was, now)}
    return found


def _read(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_Pairs, parse_int=str, parse_float=str)


def _more(mark: str, was: Any, now: Any) -> bool:
    return str(now).count(mark) > str(was).count(mark)


def _changed(old: Any, new: Any, place: Sequence[str | int]) -> Iterator[tuple[Sequence[str | int], Any, Any]]:
    """The strings, numbers and names of two documents of one structure that are not the same."""
    if isinstance(old, _Pairs):
        for (was, inner), (now, cleaned) in zip(old, new, strict=True):
            if was != now:
                yield place, was, now
            yield from _changed(inner, cleaned, (*place, now))
    elif isinstance(old, list):
        for index, (was, now) in enumerate(zip(old, new, strict=True)):
            yield from _changed(was, now, (*place, index))
    elif old != new:
        yield place, old, new
