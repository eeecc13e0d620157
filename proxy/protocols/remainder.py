"""A request for the rest of a shaped reply: `GET /.toolwall/rest/HANDLE?from=N`. No I/O."""

from __future__ import annotations

import re
from typing import NamedTuple

from proxy.errors import Refusal
from proxy.protocols import target
from proxy.protocols.head import bad
from proxy.protocols.rest import RestAsk
from proxy.replies.remainders import PATH

_HANDLE = re.compile(r"([A-Za-z0-9_-]{1,64})-([0-9]{1,12})")
_NUMBER = re.compile(r"[0-9]{1,12}")
_HINT = f"Send `GET {PATH}HANDLE` as it stands in the reply, or in what was last given of it."


class Wanted(NamedTuple):
    """What is asked for: the part at `place` of what `handle` stands for, from character or item `since` on; None where
    the part was left.
    """

    handle: str
    place: int
    since: int | None


def named(handle: str, since: int | None = None) -> Wanted | None:
    """What a handle as it stands in a mark means; None where none looks like that."""
    found = _HANDLE.fullmatch(handle)
    return Wanted(found[1], int(found[2]), since) if found else None


class RemainderAsk(RestAsk):
    """The same head as that of a call, and a path and query of its own."""

    def wanted(self) -> Wanted | None:
        """None for a path that no handle has. Raises Refusal `bad_request` for anything but a plain GET."""
        if self._method != "GET":
            allow = (("Allow", "GET"),)
            raise Refusal("bad_request", "The rest of a reply is read with GET.", suggestion=_HINT, headers=allow)
        if self._head.get("content-length", "0") != "0" or "transfer-encoding" in self._head:
            raise bad("The rest of a reply is asked for without a body.", _HINT)
        path, query = target.split(self._target)
        return named(path.removeprefix(PATH), self._since(query))

    def _since(self, query: str) -> int | None:
        given = target.pairs(query)
        asked = dict(given)
        if len(asked) != len(given) or not asked.keys() <= {"from"}:
            raise bad("The query holds a name that is not known here, or one that comes twice.", _HINT)
        if "from" in asked and not _NUMBER.fullmatch(asked["from"]):
            raise bad("`from` is the number of a character or an item.", _HINT)
        return int(asked["from"]) if "from" in asked else None
