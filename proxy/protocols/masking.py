"""Masking what a request says: the request that is sent is made anew piece by piece, and read again as it was read.

So the arguments of the masked call are those that its own bytes mean. Path, headers and cookies never change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from re import Pattern, compile
from typing import Final, NamedTuple, Protocol
from urllib.parse import quote

from proxy.errors import Refusal
from proxy.model import Call, Outgoing
from proxy.protocols import bodies, mcpparams, multipart, placing, target
from proxy.protocols.placing import Placed
from rules.tools import Tool
from rules.wire import FORM_TYPE, MULTIPART_TYPE

_JOINTS: Final = compile("([,|])")  # what stands raw between the items of a value
_MOST_DEPTH = 200  # what is read again was read before, within the door's own bound


class Masks(Protocol):
    """Takes out what may not be sent, or puts in what is meant."""

    def text(self, text: str, name: str) -> str:
        """Plain text that stands under a name."""

    def markup(self, text: str, name: str) -> str:
        """XML or HTML that stands under a name."""

    def json(self, body: bytes) -> bytes:
        """A JSON text; all around what is taken out stays as it is."""


class _Sent(NamedTuple):
    """A body with its Content-Type, empty where that stays."""

    body: bytes
    kind: str = ""


def masked(call: Call, masks: Masks) -> Call | None:
    """The call without what may not be sent, in its arguments and in its bytes alike.

    None where the masked request would not mean the same call any more. What `masks` raises passes through.
    """
    try:
        made = remade(call, masks)
    except Refusal:  # its words are for a caller who wrote this
        return None
    return None if made.problems or made.arguments.keys() != call.arguments.keys() else made


def remade(call: Call, masks: Masks) -> Call:
    """The call with query and body made anew and read again. Raises Refusal where they may not be sent so."""
    if call.tool.mcp:
        return mcpparams.remade(call, masks)
    outgoing = call.outgoing
    path, mark, query = outgoing.target.partition("?")
    query = _pairs(query, masks, call.tool.slots.query)
    content_type = next((value for name, value in outgoing.headers if name == "content-type"), "")
    sent = _body(outgoing.body, content_type, masks)
    placed = Placed(_MOST_DEPTH)
    placing.query(placed, call.tool, query)
    if sent.body:
        bodies.read(placed, call.tool, sent.kind or content_type, sent.body)
    headers = outgoing.headers
    if sent.kind:
        headers = (("content-type", sent.kind), *(pair for pair in headers if pair[0] != "content-type"))
    arguments = {**_fixed(call), **placed.arguments}
    made = Outgoing(outgoing.method, f"{path}{mark}{query}", headers, sent.body)
    return call._replace(arguments=arguments, problems=tuple(placed.problems), outgoing=made)


def _fixed(call: Call) -> dict[str, object]:
    """The arguments that travel in path, headers and cookies."""
    names = _elsewhere(call.tool)
    return {name: value for name, value in call.arguments.items() if name in names}


def _elsewhere(tool: Tool) -> set[str]:
    return {param.name for param in tool.params if param.place != "query"}


def _pairs(text: str, masks: Masks, untouched: frozenset[str] = frozenset()) -> str:
    """A query or form with its values masked; a pair in which nothing is stays byte for byte."""
    return "&".join(_pair(part, masks, untouched) for part in text.split("&"))


def _pair(part: str, masks: Masks, untouched: frozenset[str]) -> str:
    raw, mark, value = part.partition("=")
    name = target.decode_plus(raw)
    if name in untouched:
        return part
    return f"{raw}{mark}{encoded(value, name, masks, target.decode_plus, _JOINTS)}"


def encoded(raw: str, name: str, masks: Masks, decode: Callable[[str], str], joints: Pattern[str]) -> str:
    """Percent-encoded text, masked; what stands between its items stays raw where each is masked by itself."""
    text = decode(raw)
    new = masks.text(text, name)
    if new == text:
        return raw
    items = [(item, decode(item)) for item in joints.split(raw)]
    masked = [(item, plain, masks.text(plain, name)) for item, plain in items]
    if "".join(each for *_, each in masked) == new:
        return "".join(item if each == plain else quote(each, safe="") for item, plain, each in masked)
    return quote(new, safe="")


def _body(body: bytes, content_type: str, masks: Masks) -> _Sent:
    kind, _, parameters = content_type.partition(";")
    kind = kind.strip().lower()
    if not body:
        return _Sent(body)
    if kind == FORM_TYPE:
        return _Sent(_pairs(body.decode("latin-1"), masks).encode("latin-1"))
    if kind == MULTIPART_TYPE:
        parts = multipart.parse(body, parameters)
        return _Sent(*multipart.made([replace(part, data=_part(part, masks)) for part in parts]))
    return _Sent(_media(kind)(body, masks, ""))


def _part(part: multipart.Part, masks: Masks) -> bytes:
    """A file stays as it is: as an argument it is base64 text, in which nothing can be put."""
    return (_text if part.is_text else _media(part.media_type, text=False))(part.data, masks, part.name)


def _media(kind: str, text: bool = True) -> Callable[[bytes, Masks, str], bytes]:
    if kind == "application/json" or kind.endswith("+json"):
        return lambda data, masks, name: masks.json(data)
    if text and kind in ("text/xml", "text/html"):
        return lambda data, masks, name: masks.markup(data.decode("utf-8"), name).encode()
    return _text if text and kind.startswith("text/") else lambda data, masks, name: data


def _text(data: bytes, masks: Masks, name: str) -> bytes:
    text = data.decode("utf-8")  # it was read so before
    return masks.text(text, name).encode()
