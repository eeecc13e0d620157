"""Bodies that are no text: what they are told from, whatever their media type says, and what can be said of them."""

import hashlib
import json
import re
from typing import Final

from redaction.scanner import Unreadable

# Bytes that no text holds (WHATWG MIME Sniffing, 3): control characters but for tab, ends of lines and pages, escape.
_NO_TEXT: Final = bytes([*range(9), 11, *range(14, 27), *range(28, 32)])
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}")
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")
_SEEN: Final = 4096
_MOSTLY: Final = 0.7


def charset_of(body: bytes) -> str | None:
    """How a body reads if it is text after all, None if it is none. Raises Unreadable for text that is not read."""
    try:
        body.decode()
        return "utf-8"
    except UnicodeDecodeError:  # it holds the body
        pass
    if len(body.translate(None, _NO_TEXT)) == len(body):
        return "iso-8859-1"
    if body.startswith(_WIDE) or _is_wide(body[:_SEEN]):
        raise Unreadable("the body is text of two or four bytes a character")
    return None


def _is_wide(body: bytes) -> bool:
    """Whether every other byte is nothing and the rest reads: UTF-16 of mostly ASCII."""
    return any(
        others.count(0) > len(others) * _MOSTLY and len(some.translate(None, _NO_TEXT)) > len(some) * _MOSTLY
        for some, others in ((body[::2], body[1::2]), (body[1::2], body[::2]))
    )


def described(body: bytes, media_type: str) -> bytes:
    """What a model learns instead: the SHA-256, the length and the type, as JSON."""
    said = media_type if _MEDIA_TYPE.fullmatch(media_type) else ""
    told = {"sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body), "media_type": said}
    return json.dumps(told).encode()
