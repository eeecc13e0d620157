"""Headers that repeat what a message of MCP says: read, compared with it, and written from it. No I/O.

The message decides. Where a header says something else, one of those on the way has read another message.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from proxy.protocols.jsonrpc import HEADERS, Malformed
from rules.tools import Remote

NAME: Final = "mcp-name"
PARAM: Final = "mcp-param-"
"""Of headers; these two may be encoded."""

_OPEN, _CLOSE = "=?base64?", "?="
_PLAIN: Final = re.compile(r"(?:[!-~](?:[ -~]*[!-~])?)?")
_VISIBLE: Final = re.compile(r"[\t -~]*")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,15})(?:\.0{1,16})?")
_SAFE: Final = 2**53 - 1
"""What every reader of JSON takes for the same integer."""

_HINT: Final = "Send headers that say what the message says, each once."


def mismatch(detail: str) -> Malformed:
    """A header that is missing, or does not say what the message says."""
    return Malformed(detail, HEADERS, suggestion=_HINT)


def told(headers: Iterable[tuple[str, str]]) -> tuple[dict[str, str], str]:
    """The headers of MCP's own by name, and what is wrong with one, which comes twice or holds what no such can."""
    found: dict[str, str] = {}
    flaw = ""
    for name, value in headers:
        if name[:4] != "mcp-" and name != "last-event-id":
            continue
        if name in found:
            flaw = f"The header `{name}` is given more than once."
        if not _VISIBLE.fullmatch(value):
            flaw = f"The header `{name}` holds a character that has to be encoded."
        found.setdefault(name, value)
    return found, flaw


def decoded(name: str, value: str) -> str:
    """What the value of a header means. Raises Malformed where its encoding is broken."""
    if not (value.startswith(_OPEN) and value.endswith(_CLOSE)):
        return value
    text = value[len(_OPEN) : -len(_CLOSE)]
    try:
        data = b64decode(text, validate=True)
        if b64encode(data).decode() == text and len(value) >= len(_OPEN) + len(_CLOSE):
            return data.decode()
    except (Error, ValueError):
        pass
    raise mismatch(f"The header `{name}` is no Base64 of UTF-8 as the protocol has it.")


def encoded(value: str) -> str:
    """A text as the value of a header."""
    if _PLAIN.fullmatch(value) and not (value.startswith(_OPEN) and value.endswith(_CLOSE)):
        return value
    return f"{_OPEN}{b64encode(value.encode()).decode()}{_CLOSE}"


def agree(head: Mapping[str, str], name: str, said: Any, required: bool) -> None:
    """Raise Malformed unless a header says the same as the message, which says None where it says nothing. One that
    is not required may be left out."""
    value = head.get(name)
    if value is None:
        if required:
            raise mismatch(f"The header `{name}` is missing.")
    elif (decoded(name, value) if name == NAME else value) != said:
        raise mismatch(f"The header `{name}` does not say what the message says.")


def check_mirrors(head: Mapping[str, str], remote: Remote, arguments: Mapping[str, Any], required: bool) -> None:
    """Raise Malformed unless the headers that repeat arguments say the same as the arguments. Where they are required,
    each that repeats a given one is there."""
    for end, path in remote.mirrors:
        name = PARAM + end.lower()
        value, said = head.get(name), _at(arguments, path)
        if value is None and said is not None and required:
            raise mismatch(f"The header `{name}` is missing.")
        if value is not None and not _is_same(said, decoded(name, value)):
            raise mismatch(f"The header `{name}` does not say what the argument says.")


def mirrored(remote: Remote, arguments: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The headers that repeat arguments. What has no form there is off its contract and is not sent at all."""
    found = [(PARAM + end.lower(), _text(_at(arguments, path))) for end, path in remote.mirrors]
    return tuple((name, encoded(text)) for name, text in found if text is not None)


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _is_same(said: Any, text: str) -> bool:
    if isinstance(said, int | float) and not isinstance(said, bool):
        return _NUMBER.fullmatch(text) is not None and abs(said) <= _SAFE and Decimal(text) == Decimal(said)
    return _text(said) == text


def _text(said: Any) -> str | None:
    if isinstance(said, bool):
        return "true" if said else "false"
    if isinstance(said, int | float):
        return str(int(said)) if said == int(said) else str(said)
    return said if isinstance(said, str) else None
