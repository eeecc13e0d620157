"""Whether what a pattern matched is what it looks like: its check, its entropy, and no word of a placeholder."""

from collections.abc import Callable

from redaction.checking import check_named
from redaction.detector import Pattern
from redaction.entropy import entropy

Judge = Callable[[str], int]


def judge(pattern: Pattern) -> Judge:
    """Says how many characters of a match are the value, from the left; 0 for none. See `redaction.detector`."""
    check: Judge = check_named(pattern.check) if pattern.check else len
    if not pattern.entropy and not pattern.stop:
        return check
    stop = tuple(word.lower() for word in pattern.stop)

    def judged(value: str) -> int:
        length = check(value)
        if not length or entropy(value[:length]) < pattern.entropy:
            return 0
        lower = value[:length].lower()
        return 0 if any(word in lower for word in stop) else length

    return judged
