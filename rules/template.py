"""Path templates such as `/customers/{id}` and `/files/{name}.json`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

MOST_SEGMENTS = 64
"""Of one template. Real APIs stay under 20."""

_LITERAL: Final = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})*")
"""`pchar` of RFC 3986, 3.3: what may stand in a path segment on the wire."""
_SAFE: Final = "-._~!$&'()*+,;=:@{}"
_PARAM: Final = re.compile(r"([^{}]*)\{([^{}]+)\}([^{}]*)")


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment: a literal (`name` empty, all of it in `prefix`), or a parameter between a prefix and a suffix."""

    prefix: str
    name: str = ""
    suffix: str = ""

    @property
    def shape(self) -> tuple[str, bool, str]:
        """What decides which texts match: two segments of the same shape match the same."""
        return self.prefix, bool(self.name), self.suffix

    def value(self, text: str) -> str | None:
        """The parameter's part of a wire segment, byte for byte, or None where it does not match."""
        end = len(text) - len(self.suffix)
        if end <= len(self.prefix) or not text.startswith(self.prefix) or not text.endswith(self.suffix):
            return None
        return text[len(self.prefix) : end]


def parse(path: str) -> tuple[Segment, ...]:
    """The segments of a template. Raises ValueError with what is wrong, for the author."""
    texts = path.split("/")[1:]
    if not path.startswith("/"):
        raise ValueError("must begin with /")
    if len(texts) > MOST_SEGMENTS:
        raise ValueError(f"has more than {MOST_SEGMENTS} segments")
    if "?" in path or "#" in path:
        raise ValueError("must end before ? and #: declare query names as arguments")
    segments = tuple(_segment(text) for text in texts)
    if any(not one.name and one.prefix in ("", ".", "..") for one in segments[:-1]) or texts[-1] in (".", ".."):
        raise ValueError("has an empty segment, a . or a ..")
    names = [one.name for one in segments if one.name]
    if len(set(names)) != len(names):
        raise ValueError("uses a parameter twice")
    return segments


def _segment(text: str) -> Segment:
    found = _PARAM.fullmatch(text)
    segment = Segment(found[1], found[2], found[3]) if found else Segment(text)
    if not found and ("{" in text or "}" in text):
        raise ValueError(f"may hold at most one {{parameter}} in a segment: {text}")
    if not (_LITERAL.fullmatch(segment.prefix) and _LITERAL.fullmatch(segment.suffix)):
        raise ValueError(f"holds a character that has to be percent-encoded on the wire: {quote(text, safe=_SAFE)}")
    return segment
