"""A review for people and programs: text, JSON, and SARIF 2.1.0 (OASIS standard)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, Final
from urllib.parse import quote

from rules.lint.findings import Finding, finding
from rules.lint.kinds import KINDS, LEVELS
from rules.source import LoadProblem

MOST_SHOWN: Final = 3
"""Places of one kind of finding that a text names, unless all are asked for."""

SARIF: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"


def of_problems(problems: Iterable[LoadProblem]) -> tuple[Finding, ...]:
    """What keeps rules from being loaded, as findings."""
    return tuple(finding("broken-file", (one.file, one.line), one.path, one.message, one.hint) for one in problems)


def counts(findings: Iterable[Finding]) -> dict[str, int]:
    """How many there are of each level."""
    levels = [one.level for one in findings]
    return {level: levels.count(level) for level in LEVELS}


def as_text(findings: Iterable[Finding], every: bool = False) -> Iterator[str]:
    """Lines for a terminal: each kind once, with its places, why it matters and the edit that mends it."""
    ordered = sorted(findings, key=lambda one: (one.rank, one.id, one))
    for (_, id), group in groupby(ordered, key=lambda one: (one.rank, one.id)):
        yield from _block(id, list(group), every)
        yield ""


def _block(id: str, found: list[Finding], every: bool) -> Iterator[str]:
    kind = KINDS[id]
    count = f" ({len(found)})" if len(found) > 1 else ""
    yield f"{found[0].level} {id}{count}: {kind.title}"
    shown = found if every or len(found) <= MOST_SHOWN + 1 else found[:MOST_SHOWN]
    edits = {one.advice for one in found}
    for one in shown:
        own = f" -> {one.advice}" if len(edits) > 1 else ""
        yield f"  {one.place}{': ' if one.place else ''}{one.text}{own}"
    if len(shown) < len(found):
        files = len({one.file for one in found[len(shown) :]})
        yield f"  ... and {len(found) - len(shown)} more in {files} file{'s' * (files > 1)} (--all shows them)"
    yield f"  why:  {kind.why}"
    if len(edits) == 1:
        yield f"  mend: {found[0].advice}"


def as_json(findings: Iterable[Finding], summary: Mapping[str, Any]) -> dict[str, Any]:
    """Everything, for programs."""
    listed = list(findings)
    return {**summary, "counts": counts(listed), "findings": [_row(one) for one in listed]}


def _row(one: Finding) -> dict[str, Any]:
    place = {"file": one.file or None, "line": one.line if one.file else None}
    return {"id": one.id, "level": one.level, **place, "about": one.about, "text": one.text} | {
        "why": one.kind.why,
        "edit": one.advice,
    }


def as_sarif(findings: Iterable[Finding], base: str, version: str = "") -> dict[str, Any]:
    """A SARIF log with one run. `base` is the rules folder as a URI reference, relative to the repository's root."""
    ids = list(KINDS)
    driver = {"name": "Toolwall", **({"version": version} if version else {}), "rules": [_rule(id) for id in ids]}
    results = [_result(one, ids.index(one.id), base) for one in findings]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SARIF, "version": "2.1.0", "runs": [run]}


def _rule(id: str) -> dict[str, Any]:
    kind = KINDS[id]
    return {
        "id": id,
        "name": "".join(word.capitalize() for word in id.split("-")),
        "shortDescription": {"text": _sentence(kind.title)},
        "fullDescription": {"text": kind.why},
        "help": {"text": f"{kind.why} To mend it: {kind.edit}."},
        "defaultConfiguration": {"level": kind.level},
    }


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _result(one: Finding, index: int, base: str) -> dict[str, Any]:
    seen = hashlib.sha256("\0".join((one.id, one.file, one.about, re.sub(r"\d+", "0", one.what))).encode()).hexdigest()
    found: dict[str, Any] = {
        "ruleId": one.id,
        "ruleIndex": index,
        "level": one.level,
        "message": {"text": f"{one.text}. {one.kind.why} To mend it: {one.advice}."},
        "partialFingerprints": {"finding/v1": seen},
    }
    if one.file:
        where = {"uri": f"{base.rstrip('/')}/{quote(one.file)}"} if base else {"uri": quote(one.file)}
        region = {"startLine": max(one.line, 1)}
        found["locations"] = [{"physicalLocation": {"artifactLocation": where, "region": region}}]
    return found
