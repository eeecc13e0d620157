"""What is found by the plain definition: each pattern searched in each string, name and number, without short cuts."""

from collections.abc import Iterator
from functools import cache

import re2

from redaction.detector import Pattern, all_patterns
from redaction.engine import CONTEXT_AFTER, CONTEXT_BEFORE, RETRY_BYTES, UNLESS_BEFORE
from redaction.finding import Finding, resolve
from redaction.judge import judge
from redaction.search import Hit
from redaction.walk import scan
from redaction.words import Words


def hits(text: str) -> list[Hit]:
    """The leaves of a JSON text that hold findings. U+0001 reads as a quotation mark there, see `search`."""
    return scan(text, lambda leaf, key, number: find(leaf.replace("\x01", '"'), key, number))


def find(text: str, key: str = "", number: bool = False) -> list[Finding]:
    """The findings in a text that stands under `key`. Which of two is longer is told in bytes of UTF-8."""
    data = text.encode("utf-8", "replace")
    seen = [
        Finding(pattern.kind, start, end, pattern.score, pattern.name)
        for pattern in all_of_them()
        if pattern.numbers or not number
        for start, end in _spans(pattern, data)
        if _surroundings_fit(pattern, data, key, start, end)
    ]
    found = resolve(one for one in seen if not any(_makes_a_host_of(other, one, data) for other in seen))
    return [f._replace(start=_characters(data, f.start), end=_characters(data, f.end)) for f in found]


def _makes_a_host_of(other: Finding, mail: Finding, data: bytes) -> bool:
    """Whether what looks like an e-mail address is a secret of an address, an `@` and a host."""
    if mail.detector != "email" or other.detector == "email" or data[other.end : other.end + 1] != b"@":
        return False
    before = data[: other.start].rpartition(b"://")
    is_user = before[1] != b"" and not before[2].strip().count(b"/") and len(before[2].split()) < 2
    return is_user and other.start <= mail.start < other.end < mail.end


@cache
def all_of_them() -> tuple[Pattern, ...]:
    return tuple(all_patterns())


def _spans(pattern: Pattern, data: bytes) -> Iterator[tuple[int, int]]:
    regex, check, at = _compiled(pattern.regex), judge(pattern), 0
    while hit := regex.search(data, at) if at < len(data) else None:
        group = min(1, regex.groups)
        value = hit.group(group).decode("utf-8", "replace")
        length = check(value)
        if length:
            at = hit.start(group) + len(value[:length].encode())
            yield hit.start(group), at
        else:
            at = hit.end() if hit.end() - hit.start() > RETRY_BYTES else hit.start() + 1


def _surroundings_fit(pattern: Pattern, data: bytes, key: str, start: int, end: int) -> bool:
    unless, context = _words(pattern.unless), _words(pattern.context)
    if unless and (unless.end(key) or unless.stand_in(data[max(0, start - UNLESS_BEFORE) : start])):
        return False
    around = data[max(0, start - CONTEXT_BEFORE) : start] + b" | " + data[end : end + CONTEXT_AFTER]
    # A word that the edge of what is around cuts off is none.
    if context is None or context.end(key):
        return True
    return not pattern.keyed and context.stand_in(data) and context.stand_in(around)


@cache
def _compiled(regex: str) -> "re2._Regexp":
    return re2.compile(regex.encode())


@cache
def _words(words: tuple[str, ...]) -> Words | None:
    return Words(words) if words else None


def _characters(data: bytes, offset: int) -> int:
    return len(data[:offset].decode("utf-8", "replace"))
