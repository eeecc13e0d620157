"""`toolwall import diff`: what a newer document changes, and taking it over without losing edits."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from proxy.commands.common import FINDINGS, USAGE, fail, rules_folder, say

if TYPE_CHECKING:
    from rules.compare.tools import Contracts
    from rules.compare.update import Update
    from rules.decide import Ruleset
    from rules.source import LoadProblem

_STATE = ("backend", "tools", "schemas", "calls", "notes")
_SCHEMA_FILE = r"schemas/[A-Za-z0-9_-]+/[^/\\\0]+\.json"
MOST_BASE = 64 * 1024 * 1024
"""Bytes of the file that says what was generated."""


def diff(
    spec: Annotated[Path, typer.Argument(help="The newer OpenAPI document.")],
    folder: Annotated[Path, typer.Argument(help="The rules folder into which the older one was imported.")] = Path(
        "rules"
    ),
    backend: Annotated[str, typer.Option(help="The backend, where the folder holds several imported ones.")] = "",
    write: Annotated[
        bool, typer.Option("--write", help="Take over what does not conflict with edits by hand.")
    ] = False,
    keep_mine: Annotated[
        bool, typer.Option("--keep-mine", help="The same, and settle conflicts for the edits by hand.")
    ] = False,
) -> None:
    """Compare a newer document with an imported folder: what is new, removed, tightened, and above all loosened.

    Exit code 1 where something was loosened or has to be looked at.
    """
    from rules.compare.edit import NotEditable
    from rules.compare.report import needs_a_look, report
    from rules.compare.update import update

    name, given, base = _base(folder, backend)
    before = f"{name}: {given.get('title', '')} {given.get('version', '')}"
    theirs = _theirs(spec, name, given)
    rules = _load(folder)
    file = next((tool.file for tool in rules.catalog.tools.values() if tool.backend == name), "")
    if not file:
        fail(f"{folder} has no tools of {name} any more: import the document anew.", FINDINGS)
    texts = _texts(folder, file, base, theirs)
    try:
        done = update(base, theirs, file, texts, _mentions(rules, name), keep_mine)
    except NotEditable as error:
        fail(f"{file}:{error.line}: {error}", FINDINGS)
    allowed = _allowed(_tried(folder, done), name, done)
    say(f"{before} -> {given['title']} {given['version']}\n")
    say("\n".join(report(name, done, allowed)))
    if write or keep_mine:
        _write(folder, name, done, given)
    elif done.files:
        typer.echo("Nothing was written; --write takes over what does not conflict.")
    raise typer.Exit(FINDINGS if needs_a_look(done, allowed) else 0)


def _base(folder: Path, backend: str) -> tuple[str, dict[str, Any], Contracts]:
    """The backend's name, all that the import noted, and what it generated."""
    from rules.compare.tools import Contracts

    rules_folder(folder, "Name the one that `toolwall import openapi` wrote.")
    found = sorted((folder / ".import").glob("*.json"))
    if len(found) > 1 or backend:
        found = [file for file in found if file.stem == backend] if backend else []
    if not found:
        names = ", ".join(file.stem for file in sorted((folder / ".import").glob("*.json"))) or "none"
        fail(f"Which backend of {folder}? Imported there: {names}. Name one with --backend, or import first.", USAGE)
    try:
        with found[0].open("rb") as stream:
            noted = json.loads(stream.read(MOST_BASE))
        base = Contracts(**{key: dict(noted.get(key, {})) for key in _STATE})
        if not _is_sound(base):
            raise ValueError("it holds what no import writes")
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        fail(f"{found[0]} cannot be read ({error}): bring it back, or import anew into another folder.")
    return found[0].stem, noted, base


def _is_sound(base: Contracts) -> bool:
    """Whether a base is one: its paths are read and deleted below the folder."""
    tools = all(isinstance(tool, dict) and isinstance(tool.get("call"), str) for tool in base.tools.values())
    return tools and all(re.fullmatch(_SCHEMA_FILE, path) for path in base.schemas)


def _theirs(spec: Path, name: str, noted: dict[str, Any]) -> Contracts:
    """What the newer document would generate."""
    from proxy.commands.imports import document_of
    from rules.compare.tools import Contracts
    from rules.openapi import Options, contracts

    try:
        made = contracts(document_of(spec), name, Options(url=noted.get("given_url", "")))
    except ValueError as error:
        fail(str(error))
    noted.update(source=made.source, title=made.title, version=made.version)
    return Contracts(made.backend, made.tools, made.schemas, made.calls, made.notes)


def _load(folder: Path) -> Ruleset:
    from rules.load import RulesError, load

    try:
        return load(folder)
    except RulesError as error:
        fail(f"{error}\nMend the folder first.", FINDINGS)


def _texts(folder: Path, file: str, *sides: Contracts) -> dict[str, bytes]:
    paths = {file, *(path for side in sides for path in side.schemas)}
    return {path: (folder / path).read_bytes() for path in sorted(paths) if (folder / path).is_file()}


def _mentions(rules: Ruleset, name: str) -> dict[str, list[LoadProblem]]:
    """The tools of a backend that rules or examples name, each with the places that do."""
    from rules.source import LoadProblem

    found: dict[str, list[LoadProblem]] = {}
    places = [(pattern, rule.file, rule.line) for rule in rules.rules for pattern in rule.tools]
    places += [(example.tool, example.file, example.line) for example in rules.examples]
    for full, file, line in places:
        backend, _, short = full.partition(".")
        if backend == name:
            found.setdefault(short, []).append(LoadProblem(file, line, 1, "", ""))
    return found


def _tried(folder: Path, done: Update) -> Ruleset:
    """The folder as it would be, loaded from a copy. What does not load is not written."""
    from rules.load import RulesError, load

    with tempfile.TemporaryDirectory() as beside:
        copy = Path(beside) / "rules"
        try:
            shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(".*"), ignore_dangling_symlinks=True)
        except (OSError, shutil.Error) as error:
            fail(f"Cannot read {folder}: {error}.")
        _write_files(copy, done.files)
        try:
            return load(copy)
        except RulesError as error:
            fail(f"{error}\nThe folder would not load after the update, so nothing was written.", FINDINGS)


def _allowed(rules: Ruleset, name: str, done: Update) -> dict[str, list[str]]:
    """The new tools that some rule allows already, by a pattern."""
    from rules.rule import Effect

    new = [change.tool for change in done.changes if change.kind == "new"]
    found = {
        short: [rule.id for rule in rules.rules if rule.effect is Effect.ALLOW and rule.covers(f"{name}.{short}")]
        for short in new
    }
    return {short: ids for short, ids in found.items() if ids}


def _write(folder: Path, name: str, done: Update, noted: dict[str, Any]) -> None:

    state = {key: getattr(done.base, key) for key in _STATE}
    text = json.dumps({**noted, **state}, indent=2, ensure_ascii=False) + "\n"
    changed = {path: data for path, data in done.files.items() if data is not None}
    gone = {path: None for path, data in done.files.items() if data is None}
    _write_files(folder, {**changed, **gone, f".import/{name}.json": text.encode()})
    typer.echo(f"Written: {', '.join([*changed, *(f'{path} (deleted)' for path in gone)]) or 'nothing but the base'}.")


def _write_files(folder: Path, files: Mapping[str, bytes | None]) -> None:
    """Write files, each whole or not at all and in this order; None deletes one."""
    from proxy.commands.imports import replace_file

    try:
        for path, data in files.items():
            if data is None:
                (folder / path).unlink(missing_ok=True)
            else:
                replace_file(folder / path, data)
    except OSError as error:
        fail(f"Cannot write {error.filename or folder}: {error.strerror}.")
