"""Ways to rewrite a finding."""

from collections.abc import Iterable

from redaction.finding import Finding


def kind(finding: Finding) -> str:
    """The kind in angle brackets: `<EMAIL_ADDRESS>`."""
    return f"<{finding.kind}>"


def splice(text: str, edits: Iterable[tuple[int, int, str]]) -> str:
    """`text` with each `(start, end, new)` put in place. The edits must be in order and must not overlap."""
    pieces: list[str] = []
    at = 0
    for start, end, new in edits:
        pieces += text[at:start], new
        at = end
    return "".join([*pieces, text[at:]])
