"""Restoring: values stand again where an agent wrote what stands for them, in all that is an argument.

As in masking, the request is made anew piece by piece and read again: what the values make of it has to keep the rules
that the agent's own text would have to keep, and the arguments are those that the bytes mean.
"""

from __future__ import annotations

import re
from typing import Final

from proxy.model import Call, Headers
from proxy.protocols import head, jsontext, mcpparams, placing, target
from proxy.protocols.again import segments
from proxy.protocols.masking import encoded, remade
from proxy.protocols.placing import Placed
from redaction.pseudonyms import Restoring
from rules.tools import Catalog

_MOST_DEPTH = 200  # what is read again was read before, within the door's own bound
_JOINTS: Final = re.compile(r"([,;=.|])")  # what stands raw between the items of a path segment
# RFC 9110, 5.5, and 6265, 4.1.1: what a header's value may hold, and a cookie's.
_HEADER: Final = re.compile(r"(?:[^\x00-\x20\x7f](?:[^\x00-\x08\x0a-\x1f\x7f]*[^\x00-\x20\x7f])?)?")
_COOKIE: Final = re.compile(r"[!#-+\--:<-\[\]-~]*")


class Marks:
    """The run's values, as what makes a request anew asks for them."""

    def __init__(self, restoring: Restoring) -> None:
        self.text = restoring.text
        self.markup = restoring.markup
        self._restoring = restoring

    def json(self, body: bytes) -> bytes:
        """A JSON text; a string that stands for a number becomes that number."""
        text = body.decode("utf-8")  # it was read so before
        return jsontext.written(text, self._restoring).encode() if self._restoring.may_hold(text) else body


def restored(call: Call, restoring: Restoring, catalog: Catalog) -> Call:
    """The call as it is meant. Raises Refusal where a value cannot stand where it is written; its words are for one
    who wrote the value there. What `restoring` raises passes through.
    """
    marks = Marks(restoring)
    if call.tool.mcp:
        made = remade(call, marks)
        mcpparams.refuse_another(made.tool, made.arguments, catalog)
        return made
    path, mark, query = call.outgoing.target.partition("?")
    new_path = _path(path, marks)
    headers, jar = _headers(call, marks)
    outgoing = call.outgoing._replace(target=f"{new_path}{mark}{query}", headers=headers)
    placed = Placed(_MOST_DEPTH)
    if new_path != path:
        target.split(new_path)
        placing.path(placed, call.tool, segments(call.tool, new_path, catalog))
    changed = {name for name, _ in set(headers) - set(call.outgoing.headers)}
    if changed:
        placing.headers(placed, call.tool, [pair for pair in headers if pair[0] in changed], jar)
    return remade(call._replace(arguments={**call.arguments, **placed.arguments}, outgoing=outgoing), marks)


def _path(path: str, marks: Marks) -> str:
    return "/".join(encoded(segment, "", marks, target.decode, _JOINTS) for segment in path.split("/"))


def _headers(call: Call, marks: Marks) -> tuple[Headers, dict[str, str]]:
    """The headers, declared ones and cookies restored, and the cookies."""
    tool, jar = call.tool, dict[str, str]()
    if not tool.headers and not tool.cookies:
        return call.outgoing.headers, jar
    made: list[tuple[str, str]] = []
    for name, value in call.outgoing.headers:
        if name == "cookie" and tool.cookies:
            jar = {
                crumb: _checked(text, marks.text(text, crumb), _COOKIE) if crumb in tool.cookies else text
                for crumb, text in head.cookies(value).items()
            }
            made.append((name, "; ".join(f"{crumb}={text}" for crumb, text in jar.items())))
        elif name in tool.headers:
            made.append((name, _checked(value, marks.text(value, name), _HEADER)))
        else:
            made.append((name, value))
    return tuple(made), jar


def _checked(old: str, new: str, allowed: re.Pattern[str]) -> str:
    if new != old and not allowed.fullmatch(new):
        raise head.bad("A value holds a character that may not stand in a header.")
    return new
