"""Where messages of MCP hold what is no text: images, sounds and blobs in base64. No I/O.

The protocol has it in `content`, `contents` and `messages` of results, and of what a server asks for.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator
from itertools import chain
from typing import Any, Final, NamedTuple

from proxy.errors import Refusal
from proxy.protocols import jsonrpc
from rules.tools import Tool

_KEYS: Final = ("data", "blob")
_PLACES: Final = ("content", "contents", "messages")
_ROOTS: Final = (*_PLACES, "result", "inputRequests")
"""What holds such places; a task has its result in it."""

_BELOW: Final = ("content", "resource")
_KNOWN: Final = frozenset({*_KEYS, *_BELOW, "type", "text", "mimeType", "uri", "role"})
_UNTYPED: Final = "application/octet-stream"


class BadContent(ValueError):
    """What is no base64, or could be read in two ways. The text says which, and holds nothing of it."""


class Part(NamedTuple):
    """Some base64: the member `key` of an object, and the media type that it says."""

    holder: dict[str, Any]
    key: str
    media_type: str

    def decoded(self) -> bytes:
        """The bytes. Each text has one way to be written (RFC 4648, 3.5), so readers cannot differ in it. Raises
        BadContent.
        """
        text = self.holder[self.key]
        try:
            raw = b64decode(text, validate=True)
        except ValueError:
            raw = b""
        if b64encode(raw).decode() != text:
            raise BadContent("what should be base64 is none")
        return raw


def parts(said: Any) -> Iterator[Part]:
    """Those of a message, or of its result or params, in the order of its text. Raises BadContent."""
    if not isinstance(said, dict):
        return
    result = said.get("result", said)
    roots = [result]
    if isinstance(result, dict):
        roots.append(result.get("result"))  # of a task
        asked = result.get("inputRequests")
        roots += (
            [one.get("params") for one in asked.values() if isinstance(one, dict)] if isinstance(asked, dict) else []
        )
    for root in roots:
        if isinstance(root, dict):
            if jsonrpc.likened(root, _ROOTS):
                raise BadContent("it has a member that some readers take for another")
            yield from chain.from_iterable(_below(root[name]) for name in _PLACES if name in root)


def refuse_binary(sampling: Tool | None, said: Any) -> None:
    """Raise Refusal for answers of a client's to a server, by name, that hold what may not pass unread. `sampling` is
    the method that asks for such answers.
    """
    answers = [each for each in said.values() if not _is_form(each)] if isinstance(said, dict) else []
    try:
        for part in chain.from_iterable(map(parts, answers)):
            if part.decoded() and (sampling is None or sampling.reply.binary != "pass"):
                raise _refusal("The answer holds what is no text.")
    except BadContent as bad:
        raise _refusal(f"The answer cannot be read: {bad}.") from None


def _is_form(answer: Any) -> bool:
    """Whether it is what a human filled in: fields of any name."""
    return isinstance(answer, dict) and "action" in answer and "model" not in answer


def _refusal(detail: str) -> Refusal:
    return Refusal("unsafe_argument", f"{detail} Nothing was sent.", suggestion="Answer with text.")


def _below(value: Any) -> Iterator[Part]:
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, dict):
            continue
        if jsonrpc.likened(one, _KNOWN):
            raise BadContent("a part has a member that some readers take for another")
        for key in _KEYS:
            if isinstance(one.get(key), str):
                kind = one.get("mimeType")
                yield Part(one, key, kind if isinstance(kind, str) and kind else _UNTYPED)
        yield from chain.from_iterable(_below(one[name]) for name in _BELOW if name in one)
