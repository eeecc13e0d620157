"""Path templates such as `/customers/{id}`, `/files/{name}.json` and `/compare/{base}...{head}`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

MOST_SEGMENTS = 64
"""Of one template. Real APIs stay under 20."""

_LITERAL: Final = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})*")
"""`pchar` of RFC 3986, 3.3: what may stand in a path segment on the wire."""
_SAFE: Final = "-._~!$&'()*+,;=:@{}"
_PARAM: Final = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment: a literal, or parameters (`names`) with texts before, between and after them.

    There is always one text more than there are names; between two parameters the text is not empty.
    """

    texts: tuple[str, ...]
    names: tuple[str, ...] = ()

    @property
    def weight(self) -> tuple[int, int, tuple[str, ...]]:
        """Sorts segments: the more literal text, the more one speaks of, and at its beginning more than elsewhere."""
        return -sum(map(len, self.texts)), -len(self.texts[0]), self.texts

    def loosely(self) -> Segment:
        """The same as servers have it that decode a path before they look at it, or that do not tell case apart."""
        return Segment(tuple(map(loose, self.texts)), self.names)

    def values(self, text: str) -> tuple[str, ...] | None:
        """The parameters' parts of a wire segment, byte for byte, or None where it does not match.

        A text that could be split in two ways matches nothing: the backend might split it the other way.
        """
        first, last = self.texts[0], self.texts[-1]
        end = len(text) - len(last)
        if end <= len(first) or not text.startswith(first) or not text.endswith(last):
            return None
        middle = text[len(first) : end]
        return (middle,) if len(self.names) == 1 else self._split(middle)

    def _split(self, text: str) -> tuple[str, ...] | None:
        """Each separator has to stand there once, also when what is percent-encoded is read."""
        values: list[str] = []
        separators = self.texts[1:-1]
        rest = text
        for separator in separators:
            value, _, rest = rest.partition(separator)
            values.append(value)
        values.append(rest)
        from_the_end: list[str] = []
        rest = text
        for separator in reversed(separators):
            rest, _, value = rest.rpartition(separator)
            from_the_end.append(value)
        if not all(values) or values != [rest, *reversed(from_the_end)]:
            return None
        held = any(separator in unquote(value) for value in values for separator in separators)
        return None if held else tuple(values)


def loose(text: str) -> str:
    """Text of a path, decoded and without case."""
    return (unquote(text) if "%" in text else text).casefold()


def trimmed(segments: list[str]) -> list[str]:
    """Segments as old versions of Spring and servers on Windows have them: without spaces around, or dots behind."""
    return [segment.lstrip(" ").rstrip(" .") or segment for segment in segments]


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
    if any(not one.names and one.texts[0] in ("", ".", "..") for one in segments[:-1]) or texts[-1] in (".", ".."):
        raise ValueError("has an empty segment, a . or a ..")
    names = [name for one in segments for name in one.names]
    if len(set(names)) != len(names):
        raise ValueError("uses a parameter twice")
    return segments


def _segment(text: str) -> Segment:
    pieces = _PARAM.split(text)
    segment = Segment(tuple(pieces[::2]), tuple(pieces[1::2]))
    if any("{" in one or "}" in one for one in segment.texts):
        raise ValueError(f"holds a {{ or }} that is no {{parameter}}: {text}")
    if "" in segment.texts[1:-1]:
        raise ValueError(f"needs some text between two {{parameters}} of a segment: {text}")
    if not all(map(_LITERAL.fullmatch, segment.texts)):
        raise ValueError(f"holds a character that has to be percent-encoded on the wire: {quote(text, safe=_SAFE)}")
    return segment
