"""Outgoing: what a call would tell a backend is looked at as what comes back is. It may be refused or masked.

Besides arguments that is what goes on without being one: the headers that pass undeclared. They can only be refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from proxy.entry import Entry
from proxy.errors import Refusal
from proxy.model import Call, Result, Send
from proxy.scanning import CLOSELY_INLINE_BYTES, Scans
from redaction import operators
from redaction.known import KIND as KNOWN
from redaction.known import Known
from redaction.places import Place, places
from redaction.rewriting import NO_WAYS
from redaction.scanner import Scanner, Unreadable
from redaction.sparing import NOTHING_SPARED
from rules.decide import Decision
from rules.problems import pointer
from rules.tools import Cleaning, Tool

MOST_TOLD: Final = 8
"""Places of one refusal; more would not help to mend the call."""

_UNDECLARED: Final = frozenset({"accept", "accept-language", "content-type"})
_CONDITION: Final = "if-"
_USUAL: Final = frozenset(
    {"*/*", "application/json", "application/json; charset=utf-8", "text/event-stream",
     "application/json, text/event-stream"}
)  # fmt: skip
"""What nearly every client says there: not worth a look."""

_MADE: Final = re.compile("multipart/form-data; boundary=toolwall-[0-9a-f]{48}")
"""The type of parts that were written anew, whose boundary is a hash."""

Mask = Callable[[Call, "Masks"], Call | None]
"""The call with its arguments and its bytes masked, None where it would not mean the same call any more."""


class Outgoing:
    """The guard, with scanners for what the tools' rules speak of, known secrets, and the protocol's way to mask."""

    __name__ = "outgoing"

    def __init__(self, scanners: Mapping[Cleaning, Scanner], known: Known, mask: Mask, scans: Scans) -> None:
        self._scanners = scanners
        self._known = known
        self._mask = mask
        self._scans = scans

    def applies(self, tool: Tool, decision: Decision) -> bool:
        """Whether there is anything to look for."""
        wanted = tool.outgoing
        return bool(wanted.kinds or (self._known and KNOWN in wanted.refuse | wanted.mask))

    async def __call__(self, call: Call, entry: Entry, send: Send) -> Result:
        """Refuse a call that holds what may not be sent, or send it without that. Approvers see what is sent."""
        size = len(call.outgoing.body) + len(call.outgoing.target)
        try:
            if size > CLOSELY_INLINE_BYTES or any(scanner.needs_presidio for scanner in self._of(call.tool)):
                made = await self._scans.apart(self._looked_at, call)
            else:
                made = self._looked_at(call)
        except Unreadable as why:
            raise _refusal("The arguments could not be checked, so nothing was sent.", note=str(why)) from None
        if made is not call:
            entry.masked(made)
            await entry.show(made)
        entry.check(self.__name__)
        return await send(made, entry)

    def _of(self, tool: Tool) -> list[Scanner]:
        kinds = tool.outgoing.kinds
        return [self._scanners[kinds, NO_WAYS, NOTHING_SPARED]] if kinds else []

    def _looked_at(self, call: Call) -> Call:
        looking = _Looking(call.tool, self._of(call.tool), self._known)
        if beside := looking.in_headers(call):
            raise _refusal("A header holds what may not be sent to this backend. Nothing was sent.", beside)
        found = looking.in_all(call)
        if not found:
            return call
        refused = [(path, kinds & call.tool.outgoing.refuse) for path, kinds in found]
        if any(kinds for _, kinds in refused):
            raise _refusal("The arguments hold what may not be sent to this backend. Nothing was sent.", refused)
        made = self._mask(call, Masks(looking))
        if made is None or looking.in_all(made) or call.tool.contract.check(made.arguments):
            raise _refusal("The arguments hold what may not be sent, and it cannot be masked. Nothing was sent.", found)
        return made


class _Looking:
    """What one tool's arguments are looked at for."""

    def __init__(self, tool: Tool, scanners: list[Scanner], known: Known) -> None:
        self.scanners = scanners
        self.known = known if KNOWN in tool.outgoing.refuse | tool.outgoing.mask else Known()

    def in_all(self, call: Call) -> list[Place]:
        """In its arguments, and in what goes along."""
        return self._at(call.arguments) + (self._at(call.aside) if call.aside else [])

    def in_headers(self, call: Call) -> list[Place]:
        """In the headers that go on without being declared, but for the caller's own credential."""
        said: dict[str, str] = {}
        for name, value in call.outgoing.headers:
            if (name in _UNDECLARED or name.startswith(_CONDITION)) and value not in _USUAL:
                said[name] = f"{said[name]}, {value}" if name in said else value
        if call.outgoing.body and _MADE.fullmatch(said.get("content-type", "")):
            del said["content-type"]
        return self._at(said) if said else []

    def _at(self, values: Mapping[str, Any]) -> list[Place]:
        return places(dict(values), self._kinds)

    def _kinds(self, value: Any) -> frozenset[str]:
        kinds = {kind for scanner in self.scanners for kind in scanner.clean_json_value(value)[1]}
        if self.known and self.known.sees(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")):
            kinds.add(KNOWN)
        return frozenset(kinds)


class Masks:
    """Takes out what one tool's arguments may not hold."""

    def __init__(self, looking: _Looking) -> None:
        self._looking = looking

    def text(self, text: str, name: str) -> str:
        """Plain text that stands under a name."""
        text = self._looking.known.text(text)
        for scanner in self._looking.scanners:
            found = scanner.find(text, name)
            text = operators.splice(text, ((each.start, each.end, operators.kind(each)) for each in found))
        return text

    def markup(self, text: str, name: str) -> str:
        """XML or HTML, looked at as it stands."""
        return self.text(text, name)

    def json(self, body: bytes) -> bytes:
        """A JSON text; all around what is taken out stays as it is."""
        body = self._looking.known.clean(body, "application/json", None).value
        for scanner in self._looking.scanners:
            body = scanner.clean(body, "application/json", None).value
        return body


def _refusal(detail: str, found: list[Place] | None = None, note: str = "") -> Refusal:
    return Refusal(
        "unsafe_argument",
        detail,
        suggestion="Take it out of the arguments and call again; do not write it in another way.",
        errors=tuple(_said(path, kinds) for path, kinds in (found or [])[:MOST_TOLD] if kinds),
        note=note,
    )


def _said(path: tuple[str | int, ...], kinds: frozenset[str]) -> dict[str, Any]:
    return {"path": pointer(path), "problem": f"holds {', '.join(sorted(kinds))}"}
