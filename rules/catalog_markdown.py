"""The tool catalogue as Markdown (CommonMark with tables). Every text is escaped: it may come from a specification
that somebody else wrote, and must neither mark anything up nor link anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rules.catalog import LEGEND, RISKS, WORDS, Clause, Document, Entry

_SPECIAL: Final = re.compile(r"[\\`*\[\]<>|&~$@]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|^[-+=#]")
_NUMBERED: Final = re.compile(r"^(\d{1,9})([.)])")
_LINK: Final = re.compile(r"(?<=\w):(?=//)|(?<=[Ww]{3})\.")
"""Where GitHub's Markdown would make a link by itself."""


def markdown(document: Document) -> str:
    """The whole page."""
    lines = [*_head(document), *_matrix(document), *_who(document)]
    reachable = [entry for entry in document.entries if entry.reachable]
    if reachable:
        lines += ["## Tools", ""]
        lines += [line for entry in reachable for line in _tool(entry)]
    if hidden := [entry for entry in document.entries if not entry.reachable]:
        lines += ["## Tools that nobody may call", "", "No rule allows them, or a rule denies them to everybody.", ""]
        lines += [f"- {code(entry.tool.name)} ({entry.tool.effect}): {_purpose(entry)}" for entry in hidden]
    return "\n".join(lines).rstrip() + "\n"


def escaped(text: str) -> str:
    """Text of others on one line, without any meaning in Markdown or HTML."""
    line = " ".join(_visible(text).split())
    for special in (_SPECIAL, _LINK):
        line = special.sub(lambda found: "\\" + found[0], line)
    return _NUMBERED.sub(lambda found: f"{found[1]}\\{found[2]}", line)


def code(text: str) -> str:
    """A code span, also of a text that holds backticks (CommonMark 0.31, 6.1). Not for tables: `|` stays."""
    text = " ".join(_visible(text).split())
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _visible(text: str) -> str:
    return "".join(
        each if each.isprintable() or each.isspace() else each.encode("unicode_escape").decode() for each in text
    )


def _head(document: Document) -> Iterator[str]:
    yield "# Tool catalogue"
    yield ""
    yield (
        f"{len(document.entries)} tools of {len(document.backends)} backends under {document.rules} rules, "
        f"revision `{document.revision}`. Written by `toolwall catalog`; tools are sorted by risk."
    )
    yield ""
    for name, says, url in document.backends:
        yield f"- {code(name)}: {escaped(says)} {code(url)}" if says else f"- {code(name)}: {code(url)}"
    yield ""


def _matrix(document: Document) -> Iterator[str]:
    yield "## Risk matrix"
    yield ""
    yield "How many tools of each effect a caller may use; in brackets, how many of them only after an approval."
    yield ""
    yield from _table(["who", *(f"{effect} ({document.total(effect)})" for effect in RISKS)], _rows(document))
    yield ""
    if document.left_out:
        yield f"{document.left_out} more callers are not shown."
        yield ""


def _rows(document: Document) -> Iterator[Sequence[str]]:
    for column, audience in enumerate(document.audiences):
        counts = [document.counts(column, effect) for effect in RISKS]
        yield [escaped(audience.name), *(f"{some} ({asked})" if asked else str(some or "-") for some, asked in counts)]


def _who(document: Document) -> Iterator[str]:
    yield "## Who may use what"
    yield ""
    yield "; ".join(f"**{word}**: {says}" for word, says in LEGEND) + "."
    yield ""
    heads = ["tool", "effect", *(escaped(audience.name) for audience in document.audiences)]
    shown = len(document.audiences)
    rows = (
        [code(entry.tool.name), entry.tool.effect, *(WORDS[cell] or "-" for cell in entry.cells[:shown])]
        for entry in document.entries
        if entry.reachable
    )
    yield from _table(heads, rows)
    yield ""


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _tool(entry: Entry) -> Iterator[str]:
    tool = entry.tool
    yield f"### {code(tool.name)}: {tool.effect}{' (guessed)' if tool.guessed else ''}"
    yield ""
    yield _purpose(entry)
    yield ""
    yield f"- Call: {code(tool.call)}, declared in {code(f'{tool.file}:{tool.line}')}"
    for clause in entry.grants:
        yield f"- Allowed to {_clause(clause)}"
    for clause in entry.denies:
        yield f"- **Denied** to {_clause(clause)}"
    yield f"- Taken out of answers: {entry.redacted}"
    yield f"- Reply contract: {entry.contract}"
    yield f"- Limits: {entry.limits}"
    for note in entry.notes:
        yield f"- **Look:** {note}"
    yield ""


def _purpose(entry: Entry) -> str:
    return escaped(entry.tool.says) or "Nothing is said of its purpose."


def _clause(clause: Clause) -> str:
    parts = [escaped(clause.who)]
    if clause.condition:
        words = f"{escaped(clause.words)}: " if clause.words else ""
        parts.append(f"if {words}{code(clause.condition)}")
    if clause.needs:
        parts.append(f"after {escaped(clause.needs)}")
    if clause.limits:
        parts.append(escaped(clause.limits))
    if clause.waived:
        parts.append(f"**without the approval that its effect asks for**, because: {escaped(clause.waived)}")
    says = f". {escaped(clause.says)}" if clause.says else ""
    return f"{'; '.join(parts)} (rule {code(clause.rule)}, {code(clause.place)}){says}"
