"""A request for the tool listing: `GET /.toolwall/tools`. No I/O."""

from __future__ import annotations

import re
from typing import NamedTuple

from proxy.errors import Refusal
from proxy.protocols import head, target
from proxy.protocols.head import bad
from proxy.protocols.rest import RestAsk
from proxy.routes import TOOLS
from rules.grammar import PATTERN
from rules.listing import FORMATS, Format

PATH = TOOLS.path

_DEFAULT: Format = "json"
_HINT = f"Send `GET {PATH}?format=` with one of {', '.join(FORMATS)}, and `&tools=crm.*` for some of the tools."


class Wanted(NamedTuple):
    """What is asked for. `hosted` is the backend that the Host chose, or empty; `known` the tags of listings that the
    caller has (If-None-Match).
    """

    form: Format
    pattern: str
    hosted: str
    known: frozenset[str]


class ListingAsk(RestAsk):
    """The same head as that of a call, and a query of its own."""

    def wanted(self) -> Wanted:
        """Raises Refusal `bad_request` for anything but a plain GET with names and values that are known."""
        if self._method != "GET":
            allow = (("Allow", "GET"),)
            raise Refusal("bad_request", "The tool listing is read with GET.", suggestion=_HINT, headers=allow)
        if self._head.get("content-length", "0") != "0" or "transfer-encoding" in self._head:
            raise bad("The tool listing takes no body.", _HINT)
        _, query = target.split(self._target)
        given = target.pairs(query)
        asked = dict(given)
        if len(asked) != len(given) or not asked.keys() <= {"format", "tools"}:
            raise bad("The query holds a name that is not known here, or one that comes twice.", _HINT)
        form, pattern = asked.get("format", _DEFAULT), asked.get("tools", "*")
        for known in FORMATS:
            if form == known and re.fullmatch(PATTERN, pattern):
                return Wanted(known, pattern, self._hosted(), _tags(self._head.get("if-none-match", "")))
        raise bad("The query asks for a format or for tools that cannot be.", _HINT)

    def _hosted(self) -> str:
        return self._door.hosts.get(head.host_name(self._head["host"]), "")


def _tags(header: str) -> frozenset[str]:
    """The entity tags of an If-None-Match (RFC 9110, 13.1.2), which are compared weakly."""
    return frozenset(tag.strip().removeprefix("W/") for tag in header.split(",") if tag.strip())
