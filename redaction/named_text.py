"""The values in tables, forms and markup that their columns, fields and elements give away."""

import re
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import unquote_plus

from redaction.finding import Finding
from redaction.keys import DETECTOR, SCORE, Judge, Keys
from redaction.unwrap import read_html

# RFC 4180: a field in quotation marks (1) or without (2), and what ends it.
_FIELD = r'(?:"((?:[^"]|"")*+)"|([^"{0}\r\n][^{0}\r\n]*+)?)({0}|\r?\n|$)'
_FORM = re.compile(r"(?:^|&)([^=&]{1,100})=([^&]{1,1200})")
# An element without elements in it: its name, the text.
_ELEMENT = re.compile(r"<(?:[A-Za-z][\w.\-]{0,60}:)?([A-Za-z][\w.\-]{0,100})(?:\s[^<>]{0,500})?>([^<>]{1,1200})</")
_ATTRIBUTE = re.compile(
    r"""\s(?:[A-Za-z][\w.\-]{0,60}:)?([A-Za-z][\w.\-]{0,100})=(?:"([^"<>]{1,1200})"|'([^'<>]{1,1200})')"""
)

# A tag: its name (1), its attributes (2), and the text behind it or behind one more tag (3), up to an element's end.
_TAG = re.compile(
    r"<([A-Za-z][\w.:\-]{0,60})(\s[^<>]{1,1500})>(?=(?:\s{0,40}(?:<[A-Za-z][^<>]{0,200}>)?([^<>]{1,1200})</)?)"
)
# Elements that hold no text, or none that is a value.
_EMPTY = frozenset({"input", "meta", "link", "img", "br", "hr", "select", "button", "form", "fieldset", "a"})
# Attributes that say what an element holds: of forms, lists of fields, SAML, microdata (HTML, 5.2) and RDFa. An `id` is
# an anchor.
_SAYS = frozenset({"name", "key", "field", "label", "itemprop", "property", "friendlyname", "autocomplete"})


def in_table(text: str, keys: Keys, mark: str) -> Iterator[Finding]:
    """What the first row of comma-separated values (RFC 4180; `mark` stands between them, or what the first row has
    instead) says of the others.
    """
    head = text.partition("\n")[0]
    mark = next((each for each in (mark, ";", "\t", "|") if each in head), mark)
    judges: list[tuple[Judge, str] | None] = []
    header: list[str] = []
    column, in_header = 0, True
    for match in _field(mark).finditer(text):
        group = 1 if match[1] is not None else 2
        value = (match[group] or "").replace('""', '"')
        if in_header:
            header.append(value)
        elif column < len(judges) and (judge := judges[column]) and judge[0].fits(value, judge[1]):
            yield _finding(judge[0], *match.span(group))
        column += 1
        if match[3] != mark:
            if in_header:
                judges = columns(header, keys)
                if not any(judges):
                    return
            in_header, column = False, 0


def in_form(text: str, keys: Keys) -> Iterator[Finding]:
    """What the names of a form's fields say of their values."""
    for match in _FORM.finditer(text):
        name = unquote_plus(match[1])
        judge = _certain(name, keys)
        if judge and judge.fits(unquote_plus(match[2]), name):
            yield _finding(judge, *match.span(2))


def in_markup(text: str, keys: Keys) -> Iterator[Finding]:
    """What the names of elements and attributes say of their texts, in order, and attributes such as `name` of values
    beside them and of the element's text: `<input name="zip" value="85025">`, `<field name="zip">85025</field>`.
    """
    found = [*_in_tags(text, keys)]
    for expression in (_ELEMENT, _ATTRIBUTE):
        for match in expression.finditer(text):
            judge = _certain(match[1], keys)
            value, place = _read(match)
            if judge and judge.fits(value, match[1]):
                found.append(_finding(judge, *place))
    yield from sorted(found, key=lambda each: each.start)


def _in_tags(text: str, keys: Keys) -> Iterator[Finding]:
    for tag in _TAG.finditer(text):
        attributes = {each[1].lower(): each for each in _ATTRIBUTE.finditer(text, *tag.span(2))}
        says = [_read(attributes[name])[0] for name in _SAYS & attributes.keys()]
        told = next(((judge, name) for name in says if (judge := _certain(name, keys))), None)
        if told is None:
            continue
        judge, name = told
        if value := attributes.get("value") or attributes.get("content"):
            shown, place = _read(value)
            if judge.fits(shown, name):
                yield _finding(judge, *place)
        elif tag[3] and tag[1].lower() not in _EMPTY and judge.fits_text(read_html(tag[3]).strip(), name):
            yield _finding(judge, *_stripped(tag))


def _read(attribute: re.Match[str]) -> tuple[str, tuple[int, int]]:
    """What an attribute holds, and where."""
    group = 2 if attribute[2] is not None else 3
    return read_html(attribute[group]), attribute.span(group)


def _stripped(tag: re.Match[str]) -> tuple[int, int]:
    """Where the text behind a tag stands, without the space around it."""
    start = tag.end(3) - len(tag[3].lstrip())
    return start, start + len(tag[3].strip())


def _certain(name: str, keys: Keys) -> Judge | None:
    role = keys.role(name)
    return role.judge if role and not role.alone else None


def columns(header: list[str], keys: Keys) -> list[tuple[Judge, str] | None]:
    """What judges the values of each column of a table, with its name. Bare names count beside a sign of a person."""
    roles = [keys.role(name) for name in header]
    person = any(role and role.beside for role in roles)
    known = zip(roles, header, strict=True)
    return [(role.judge, name) if role and role.judge and (person or not role.alone) else None for role, name in known]


@lru_cache
def _field(mark: str) -> re.Pattern[str]:
    return re.compile(_FIELD.format(re.escape(mark)))


def _finding(judge: Judge, start: int, end: int) -> Finding:
    return Finding(judge.kind, start, end, SCORE, DETECTOR)
