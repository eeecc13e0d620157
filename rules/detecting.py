"""Detectors of the author's own: `detectors/*.toml` in the rules folder, in the form of `redaction/detector.py`.

Each pattern is tried on its own examples when the rules are loaded, so none is in force that does not do what it says.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple, get_type_hints

import re2

from redaction.checking import check_named
from redaction.detector import Pattern, all_patterns
from redaction.engine import Engine, ScanError
from redaction.fill import fill
from rules.source import LoadProblem

FOLDER: Final = "detectors"

MOST_FILES: Final = 100
MOST_BYTES: Final = 1024 * 1024
"""Of one file."""

MOST_PATTERNS: Final = 1_000
"""Of all files together. All kinds of this package take some 500."""

MOST_CHARACTERS: Final = 4_000
"""Of one expression."""

_SEEDS: Final = 3  # random fillings of an example that are tried
_KIND: Final = re.compile(r"[A-Z][A-Z0-9_]{1,63}")
_NAME: Final = re.compile(r"[a-z][a-z0-9\-]{0,63}")
_NEEDED: Final = ("name", "kind", "says", "regex", "yes", "no")


class Detectors(NamedTuple):
    """The author's patterns, the hashes of their files by name, what is wrong with them, and the kinds that they name,
    those of patterns with problems as well: a rule that names one is not a second mistake."""

    patterns: tuple[Pattern, ...]
    hashes: Mapping[str, str]
    problems: list[LoadProblem]
    kinds: frozenset[str]


def read_detectors(folder: Path) -> Detectors:
    """The patterns under a rules folder; none where it has no such folder. Raises nothing."""
    patterns: list[Pattern] = []
    hashes: dict[str, str] = {}
    problems: list[LoadProblem] = []
    kinds: set[str] = set()
    for file in _files(folder / FOLDER, problems):
        name = f"{FOLDER}/{file.name}"
        try:
            data = _bytes(file)
            blocks = tomllib.loads(data.decode()).get("pattern", [])
        except (OSError, ValueError) as error:  # of TOML and of UTF-8 as well
            problems.append(LoadProblem(name, *_place_of(error), "", f"cannot be read: {error}"))
            continue
        hashes[name] = hashlib.sha256(data).hexdigest()
        patterns += _patterns(name, data.decode(), blocks, problems)
        kinds |= set(_named(blocks))
    problems += _repeated(patterns)
    if len(patterns) > MOST_PATTERNS:
        problems.append(LoadProblem(FOLDER, 1, 1, "", f"holds more than {MOST_PATTERNS} patterns"))
    return Detectors(tuple(patterns), hashes, problems, frozenset(kinds))


def _files(folder: Path, problems: list[LoadProblem]) -> list[Path]:
    if not folder.is_dir():
        return []
    found = sorted(path for path in folder.glob("*.toml") if not path.name.startswith("."))
    if len(found) > MOST_FILES:
        problems.append(LoadProblem(FOLDER, 1, 1, "", f"holds more than {MOST_FILES} files"))
    return found[:MOST_FILES]


def _bytes(file: Path) -> bytes:
    with file.open("rb") as stream:
        data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES} bytes")
    return data


def _place_of(error: Exception) -> tuple[int, int]:
    """Where TOML is broken, as its error says."""
    found = re.search(r"at line (\d+), column (\d+)", str(error))
    return (int(found[1]), int(found[2])) if found else (1, 1)


def _patterns(file: str, text: str, blocks: Any, problems: list[LoadProblem]) -> Iterator[Pattern]:
    if not isinstance(blocks, list):
        problems.append(LoadProblem(file, 1, 1, "pattern", "must be blocks of [[pattern]]"))
        return
    lines = [number for number, line in enumerate(text.split("\n"), 1) if line.strip().startswith("[[pattern]]")]
    for number, block in enumerate(blocks):
        line = lines[number] if number < len(lines) else 1
        path = f"pattern {block.get('name', number + 1)}" if isinstance(block, dict) else f"pattern {number + 1}"
        found = list(_wrong_in(block))
        problems += [LoadProblem(file, line, 1, path, *each) for each in found]
        if not found:
            fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in block.items()}
            pattern = Pattern(**fields)
            unfit = list(_unfit(pattern))
            problems += [LoadProblem(file, line, 1, path, *each) for each in unfit]
            if not unfit:
                yield pattern


def _named(blocks: Any) -> Iterator[str]:
    for block in blocks if isinstance(blocks, list) else ():
        kind = block.get("kind") if isinstance(block, dict) else None
        if isinstance(kind, str):
            yield kind


def _wrong_in(block: Any) -> Iterator[tuple[str, str]]:
    """What is wrong with the form of a block, and what to do."""
    if not isinstance(block, dict):
        yield "must be a block", "[[pattern]]"
        return
    known = get_type_hints(Pattern)
    for key in sorted(set(block) - set(known)):
        yield f"{key} is no field of a pattern", f"one of: {', '.join(known)}"
    for key in _NEEDED:
        if not block.get(key):
            yield f"needs the field {key}", ""
    for key, value in block.items():
        if key in known and not _is(value, known[key]):
            yield f"{key} has the wrong type", ""


def _is(value: Any, kind: Any) -> bool:
    if kind is bool or isinstance(value, bool):
        return kind is bool and isinstance(value, bool)
    if kind is float:
        return isinstance(value, int | float) and 0 <= value <= 64
    if kind is str:
        return isinstance(value, str)
    return isinstance(value, list) and all(isinstance(each, str) and each for each in value)


def _unfit(pattern: Pattern) -> Iterator[tuple[str, str]]:
    """Why a pattern cannot be used."""
    if not _NAME.fullmatch(pattern.name):
        yield f"name must match {_NAME.pattern}", ""
    if not _KIND.fullmatch(pattern.kind):
        yield f"kind must match {_KIND.pattern}", ""
    if not 0 < pattern.score <= 1:
        yield "score must be above 0 and at most 1", ""
    bad = [key for key in ("regex", "gate") if not _compiles(getattr(pattern, key))]
    yield from ((f"{key} is no expression of RE2", "no look-around, no back-references") for key in bad)
    try:
        _ = pattern.check and check_named(pattern.check)
    except ValueError as error:
        bad.append("check")
        yield str(error), ""
    if not bad:
        yield from _tried(pattern)


def _compiles(expression: str) -> bool:
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(expression, options)
    except re2.error:
        return False
    return len(expression) <= MOST_CHARACTERS


def _tried(pattern: Pattern) -> Iterator[tuple[str, str]]:
    engine = Engine([pattern])
    try:
        for number, template in enumerate(pattern.yes, 1):
            texts = [fill(template, seed) for seed in range(_SEEDS)]
            found = [(text, each) for text in texts for each in engine.find(text)]
            if any(not engine.find(text) for text in texts):
                yield f"finds nothing in example {number} of yes", ""
            if any('"' in text[each.start : each.end] for text, each in found):
                yield (
                    f"takes a quotation mark for a part of example {number} of yes",
                    'use [^"] where any sign may stand',
                )
        for number, template in enumerate(pattern.no, 1):
            if any(engine.find(fill(template, seed)) for seed in range(_SEEDS)):
                yield f"finds something in example {number} of no", ""
    except ScanError as error:
        yield f"cannot be searched for: {error}", "make the expression smaller"


def _repeated(patterns: list[Pattern]) -> Iterator[LoadProblem]:
    seen = set(_our_names())
    for pattern in patterns:
        if pattern.name in seen:
            yield LoadProblem(FOLDER, 1, 1, f"pattern {pattern.name}", "the name is taken", "names are unique")
        seen.add(pattern.name)


@cache
def _our_names() -> frozenset[str]:
    return frozenset(pattern.name for pattern in all_patterns())
