"""The tool catalogue as one HTML page that needs nothing else: no script, no font, no picture from anywhere.

It reads with a screen reader (tables have captions and scopes, nothing is said by colour alone), in light and dark,
and on paper.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Final

from rules.catalog import ASKED, BOTH, BOUND, FREE, LEGEND, NOBODY, RISKS, SOMETIMES, WORDS, Clause, Document, Entry

_CLASSES: Final = {NOBODY: "none", FREE: "free", BOUND: "bound", ASKED: "asked", BOTH: "asked", SOMETIMES: "bound"}
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --soft: #57606a; --line: #d0d7de; --tint: #f6f8fa;
  --link: #0a58ca; --admin: #a40e26; --irreversible: #953800; --write: #6a5200; --read: #116329; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --soft: #9aa4af; --line: #3d444d;
  --tint: #161b22; --link: #79b8ff; --admin: #ff8182; --irreversible: #ffa657; --write: #e3b341; --read: #56d364; } }
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
main { max-width: 72rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.9rem; margin: 0 0 .3rem; } h2 { margin: 2.2rem 0 .6rem; } h3 { margin: 0; font-size: 1.05rem; }
p { margin: .4rem 0; } a { color: var(--link); } .soft { color: var(--soft); }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; } th code { overflow-wrap: normal; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; padding: .5rem .7rem; color: var(--soft); }
th, td { padding: .4rem .7rem; border-top: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { background: var(--tint); } tbody th { font-weight: 500; }
.badge { display: inline-block; padding: 0 .5rem; border: 1px solid currentColor; border-radius: 1rem;
  font-size: .85rem; }
.admin { color: var(--admin); } .irreversible { color: var(--irreversible); } .write { color: var(--write); }
.read { color: var(--read); } .none { color: var(--soft); } .free { font-weight: 600; }
article { border: 1px solid var(--line); border-left-width: .35rem; border-radius: .5rem; padding: .8rem 1rem;
  margin: .8rem 0; break-inside: avoid; scroll-margin-top: 1rem; }
article.risk-admin { border-left-color: var(--admin); }
article.risk-irreversible { border-left-color: var(--irreversible); }
article.risk-write { border-left-color: var(--write); } article.risk-read { border-left-color: var(--read); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: .6rem 0 0; }
dt { color: var(--soft); } dd { margin: 0; } dd + dd { grid-column: 2; }
.look { font-weight: 600; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; } dd + dd { grid-column: 1; } dt { margin-top: .4rem; } }
@media print { :root { color-scheme: light; --ink: #000; --paper: #fff; --soft: #444; --line: #999; --tint: #eee;
  --link: #000; --admin: #000; --irreversible: #000; --write: #000; --read: #000; }
  main { max-width: none; padding: 0; } .scroll { overflow: visible; border: 0; } body { font-size: 10pt; }
  thead { display: table-header-group; } tr { break-inside: avoid; } a { text-decoration: none; } }
"""


def html(document: Document) -> str:
    """The whole page."""
    lines = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        "<title>Tool catalogue</title>",
        f"<style>{_STYLE}</style>",
        "</head>",
        "<body>",
        "<main>",
        *_head(document),
        *_matrix(document),
        *_who(document),
        *_tools(document),
        "</main>",
        "</body>",
        "</html>",
    ]
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    """Text of others: what does not print stands as an escape, so that nothing hides or turns the line around."""
    shown = (each if each.isprintable() or each in "\n\t" else each.encode("unicode_escape").decode() for each in text)
    return escape("".join(shown))


def _code(text: str) -> str:
    return f"<code>{_text(text)}</code>"


def _head(document: Document) -> Iterator[str]:
    yield "<h1>Tool catalogue</h1>"
    yield (
        f'<p class="soft">{len(document.entries)} tools of {len(document.backends)} backends under {document.rules} '
        f"rules, revision {_code(document.revision)}. Written by <code>toolwall catalog</code>; tools are sorted by "
        "risk.</p>"
    )
    yield "<ul>"
    for name, says, url in document.backends:
        yield f"<li>{_code(name)}: {_text(says)} {_code(url)}</li>"
    yield "</ul>"


def _matrix(document: Document) -> Iterator[str]:
    yield '<h2 id="matrix">Risk matrix</h2>'
    heads = ["Who", *(f'<span class="{effect}">{effect}</span> ({document.total(effect)})' for effect in RISKS)]
    says = "How many tools of each effect a caller may use; in brackets, how many of them only after an approval."
    yield from _table("Risk matrix", says, heads, _rows(document))
    if document.left_out:
        yield f'<p class="soft">{document.left_out} more callers are not shown.</p>'


def _rows(document: Document) -> Iterator[Sequence[str]]:
    for column, audience in enumerate(document.audiences):
        counts = [document.counts(column, effect) for effect in RISKS]
        yield [_text(audience.name), *(f"{some} ({asked})" if asked else str(some or "–") for some, asked in counts)]


def _who(document: Document) -> Iterator[str]:
    yield '<h2 id="who">Who may use what</h2>'
    yield "<p>" + "; ".join(f"<b>{word}</b>: {says}" for word, says in LEGEND) + ".</p>"
    heads = ["Tool", "Effect", *(_text(audience.name) for audience in document.audiences)]
    shown = len(document.audiences)
    rows = (
        [_link(entry), _badge(entry), *map(_cell, entry.cells[:shown])] for entry in document.entries if entry.reachable
    )
    yield from _table("Who may use what", "Tools by risk, with what each caller may do.", heads, rows)


def _table(name: str, caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table that scrolls by itself where it is wide; the first cell of a row is its head."""
    yield f'<div class="scroll" role="region" aria-label="{escape(name)}" tabindex="0">'
    yield f"<table><caption>{caption}</caption>"
    yield "<thead><tr>" + "".join(f'<th scope="col">{head}</th>' for head in heads) + "</tr></thead>"
    yield "<tbody>"
    for first, *rest in rows:
        yield f'<tr><th scope="row">{first}</th>' + "".join(f"<td>{cell}</td>" for cell in rest) + "</tr>"
    yield "</tbody></table></div>"


def _cell(cell: int) -> str:
    return f'<span class="{_CLASSES[cell]}">{WORDS[cell] or "–"}</span>'


def _link(entry: Entry) -> str:
    return f'<a href="#{escape(entry.tool.name)}">{_code(entry.tool.name)}</a>'


def _badge(entry: Entry) -> str:
    tool = entry.tool
    return f'<span class="badge {tool.effect}">{tool.effect}</span>{" (guessed)" if tool.guessed else ""}'


def _tools(document: Document) -> Iterator[str]:
    yield '<h2 id="tools">Tools</h2>'
    for entry in document.entries:
        if entry.reachable:
            yield from _article(entry)
    hidden = [entry for entry in document.entries if not entry.reachable]
    if hidden:
        yield '<h2 id="nobody">Tools that nobody may call</h2>'
        yield "<p>No rule allows them, or a rule denies them to everybody.</p>"
        yield "<ul>"
        for entry in hidden:
            yield f"<li>{_code(entry.tool.name)} {_badge(entry)} {_purpose(entry)}</li>"
        yield "</ul>"


def _article(entry: Entry) -> Iterator[str]:
    tool = entry.tool
    yield f'<article id="{escape(tool.name)}" class="risk-{tool.effect}">'
    yield f"<h3>{_code(tool.name)} {_badge(entry)}</h3>"
    yield f"<p>{_purpose(entry)}</p>"
    yield "<dl>"
    place = f"{tool.file}:{tool.line}"
    yield f"<dt>Call</dt><dd>{_code(tool.call)}, declared in {_code(place)}</dd>"
    yield from _clauses("Allowed to", entry.grants)
    yield from _clauses("Denied to", entry.denies)
    yield f"<dt>Taken out of answers</dt><dd>{entry.redacted}</dd>"
    yield f"<dt>Reply contract</dt><dd>{entry.contract}</dd>"
    yield f"<dt>Limits</dt><dd>{entry.limits}</dd>"
    if entry.notes:
        yield "<dt>Look</dt>" + "".join(f'<dd class="look">{note}</dd>' for note in entry.notes)
    yield "</dl>"
    yield "</article>"


def _purpose(entry: Entry) -> str:
    return _text(entry.tool.says) or "Nothing is said of its purpose."


def _clauses(word: str, clauses: Iterable[Clause]) -> Iterator[str]:
    found = "".join(f"<dd>{_clause(clause)}</dd>" for clause in clauses)
    if found:
        yield f"<dt>{word}</dt>{found}"


def _clause(clause: Clause) -> str:
    parts = [f"<b>{_text(clause.who)}</b>"]
    if clause.condition:
        words = f"{_text(clause.words)}: " if clause.words else ""
        parts.append(f"if {words}{_code(clause.condition)}")
    if clause.needs:
        parts.append(f"after {_text(clause.needs)}")
    if clause.limits:
        parts.append(_text(clause.limits))
    if clause.waived:
        why = _text(clause.waived)
        parts.append(f'<span class="look">without the approval that its effect asks for</span>, because: {why}')
    says = f" {_text(clause.says)}" if clause.says else ""
    rule = f'<span class="soft">(rule {_code(clause.rule)}, {_code(clause.place)})</span>'
    return f"{'; '.join(parts)} {rule}{says}"
