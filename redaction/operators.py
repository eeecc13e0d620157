"""Ways to rewrite a finding."""

from collections.abc import Iterable
from typing import AnyStr

from redaction.finding import Finding


def kind(finding: Finding) -> str:
    """The kind in angle brackets: `<EMAIL_ADDRESS>`."""
    return f"<{finding.kind}>"


def splice(text: AnyStr, edits: Iterable[tuple[int, int, AnyStr]]) -> AnyStr:
    """`text` with each `(start, end, new)` put in place. The edits must be in order and must not overlap."""
    pieces: list[AnyStr] = []
    at = 0
    for start, end, new in edits:
        pieces += text[at:start], new
        at = end
    pieces.append(text[at:])
    return text[:0].join(pieces)
