"""JSON pointers (RFC 6901) into documents that somebody else wrote."""

from __future__ import annotations

from typing import Any, Final

NOTHING: Final = object()


def at(document: Any, pointer: str) -> Any:
    """What lies at a pointer; NOTHING, which is no value, where there is nothing."""
    for name in pointer.split("/")[1:]:
        name = name.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict):
            document = document.get(name, NOTHING)
        elif isinstance(document, list) and name.isascii() and name.isdecimal() and len(name) < 10:
            document = document[int(name)] if int(name) < len(document) else NOTHING
        else:
            return NOTHING
    return document
