"""Loading: a folder of YAML becomes a Ruleset, or an error that names everything that is wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from redaction.profiles import NO_MORE
from rules.backends import Loaded, clashes, digest, load_backend, load_tools
from rules.budgets import budget_problems, read_budgets
from rules.credentials import shared_wrongly
from rules.decide import Ruleset
from rules.detecting import read_detectors
from rules.documents import Library
from rules.examplefile import load_example
from rules.forms import form_of
from rules.mcp.backend import load_mcp, names_in
from rules.policies import duplicates, load_rule
from rules.relations import names_in as relations_in
from rules.relations import read_relations
from rules.rule import Example, Rule
from rules.shape import check
from rules.source import LoadProblem, Node, read
from rules.tools import Catalog, Tool

__all__ = ["LoadProblem", "RulesError", "load"]

MOST_FILES = 1_000
"""Of one rules folder. A file a backend and some for policies stay far below."""

MOST_BYTES = 16 * 1024 * 1024
"""Of one file: an API of 1,000 operations, each with a dozen arguments, takes 3 MB."""

REVISION_DIGITS = 16
"""Hex digits of a revision: it stands in every Record, and whoever could forge one writes the rules anyway."""

MOST_PROBLEMS = 500
"""More than anybody reads at once."""


class RulesError(Exception):
    """The rules cannot be used. `problems` holds all that is wrong; as text it is one line each."""

    def __init__(self, problems: Iterable[LoadProblem]) -> None:
        found = sorted(set(problems))
        self.problems = found[:MOST_PROBLEMS]
        rest = [f"... and {len(found) - MOST_PROBLEMS} more"] if len(found) > MOST_PROBLEMS else []
        super().__init__("\n".join([*map(str, self.problems), *rest]))


def load(folder: Path, more: frozenset[str] = NO_MORE, documents: dict[str, Node] | None = None) -> Ruleset:
    """Read every *.yaml and *.yml under a folder, and its detectors. Raises RulesError with all problems of all files.

    Names that begin with a dot are skipped at every level, so a mounted ConfigMap is read once. A folder without
    rules is not an error: it denies every call. `more` are kinds that recognizers of the operator's find. `documents`
    is given what stands in each file, for who wants to say where.
    """
    problems: list[LoadProblem] = []
    hashes: dict[str, Any] = {}
    roots = [_root(folder, file, hashes, problems) for file in _files(folder, problems)]
    if documents is not None:
        documents.update({root.file: root for root in roots if root})
    names = None if problems and None in roots else frozenset(_names(roots))
    good = [prune(root, problems) for root in roots if root]
    library = Library(folder)
    own = read_detectors(folder)
    hashes.update(own.hashes)
    problems += own.problems
    kinds = own.kinds | more
    loads = [_load_backend(root, library, kinds) for root in good if root.get("backend")]
    catalog = _catalog(loads, hashes, problems)
    rules, examples = _policies(good, catalog, names, kinds, problems)
    relations = read_relations(good, folder, hashes, problems)
    if problems:
        raise RulesError(problems)
    return Ruleset(digest(hashes)[:REVISION_DIGITS], catalog, rules, examples, own.patterns, relations)


def servers(folder: Path) -> dict[str, Node]:
    """The files of MCP servers in a folder by backend, as far as their shape is right; nothing else is loaded."""
    problems: list[LoadProblem] = []
    roots = [_root(folder, file, {}, problems) for file in _files(folder, problems)]
    good = [prune(root, problems) for root in roots if root]
    return {root.text("backend"): root for root in good if all(map(root.get, ("backend", "url", "mcp")))}


def _load_backend(root: Node, library: Library, kinds: frozenset[str]) -> Loaded:
    return load_backend(root, library, kinds, load_mcp if root.get("mcp") else load_tools)


def prune(root: Node, problems: list[LoadProblem]) -> Node:
    """A file without the tools, rules, examples and other keys whose shape is wrong, so that the rest can be read."""
    wrong = [problem.path for problem in problems if problem.file == root.file]

    def good(node: Node) -> bool:
        inside = (f"{node.path}.", f"{node.path}[")
        return not any(path == node.path or path.startswith(inside) for path in wrong)

    kept: dict[str, Node] = {}
    for key, node in root.items():
        if key in ("tools", "prompts", "resources", "budgets", "relations") and isinstance(node.value, dict):
            kept[key] = replace(node, value={name: below for name, below in node.items() if good(below)})
        elif node.path in wrong and key in ("rules", "examples"):
            continue  # in a file where the key does not belong, nobody looked at what stands under it
        elif key in ("rules", "examples") and isinstance(node.value, list):
            kept[key] = replace(node, value=[below for below in node.value if good(below)])
        elif good(node):
            kept[key] = node
    if root.get("mcp") and "mcp" not in kept:  # its tools are not those of an HTTP API
        kept = {key: node for key, node in kept.items() if key not in ("tools", "prompts", "resources")}
    return replace(root, value=kept)


def _names(roots: Iterable[Node | None]) -> Iterator[str]:
    """Every tool that the files name, also those of files with problems: a rule about one is not a second mistake."""
    for root in roots:
        if root and root.get("backend"):
            yield from names_in(root)


def _files(folder: Path, problems: list[LoadProblem]) -> list[Path]:
    """All rules files, sorted. A folder that is a symlink is followed, each real folder once."""
    if not folder.is_dir():
        problems.append(LoadProblem(str(folder), 1, 1, "", "is not a folder", "name the folder that holds the rules"))
        return []
    found: list[Path] = []
    seen: set[Path] = set()
    todo = [folder]
    while todo and len(found) <= MOST_FILES and len(seen) <= MOST_FILES:
        here = todo.pop()
        if here.resolve() not in seen:
            seen.add(here.resolve())
            below = _visible(here, problems)
            todo += [path for path in below if path.is_dir()]
            found += [path for path in below if path.suffix.lower() in (".yaml", ".yml") and not path.is_dir()]
    if len(found) > MOST_FILES or len(seen) > MOST_FILES:
        problems.append(LoadProblem(str(folder), 1, 1, "", f"holds more than {MOST_FILES} files or folders"))
    return sorted(found[:MOST_FILES])


def _visible(folder: Path, problems: list[LoadProblem]) -> list[Path]:
    """What lies in a folder, without names that begin with a dot."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        problems.append(LoadProblem(str(folder), 1, 1, "", f"cannot be read: {error}"))
        return []


def _root(folder: Path, file: Path, hashes: dict[str, Any], problems: list[LoadProblem]) -> Node | None:
    """The document of one file, None where it has none; its hash and problems are noted."""
    name = file.relative_to(folder).as_posix()
    try:
        data = _bytes(file)
    except (OSError, ValueError) as error:
        problems.append(LoadProblem(name, 1, 1, "", f"cannot be read: {error}"))
        return None
    hashes[name] = hashlib.sha256(data).hexdigest()
    root, found = read(name, data)
    if root is not None:
        keys = frozenset(root.value) if isinstance(root.value, dict) else frozenset()
        found += check(root, form_of(keys))
    problems += found
    return root


def _bytes(file: Path) -> bytes:
    if not file.is_file():
        raise ValueError("it is no file")
    with file.open("rb") as stream:
        data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES} bytes")
    return data


def _catalog(loads: list[Loaded], hashes: dict[str, Any], problems: list[LoadProblem]) -> Catalog:
    tools: dict[str, Tool] = {}
    seen: dict[str, Node] = {}
    for loaded in loads:
        name = loaded.root.value["backend"]
        if name.value in seen:
            problems.append(name.problem(f"{name.value} is declared twice", f"first in {seen[name.value].file}"))
        seen.setdefault(name.value, name)
        problems += loaded.problems
        hashes.update(loaded.documents)
        for tool in loaded.tools:
            tools.setdefault(tool.name, tool)
    for first, second in clashes(tools.values()):
        hint = f"{first.file}:{first.line} has {first.method} {first.path}"
        problems.append(_at(second, f"{second.name} and {first.name} have the same call", hint))
    backends = [loaded.backend for loaded in loads if loaded.backend]
    problems += shared_wrongly({backend.name: (backend.url.host, backend.injects) for backend in backends})
    return Catalog(backends, tools.values())


def _policies(
    roots: list[Node],
    catalog: Catalog,
    names: Collection[str] | None,
    kinds: frozenset[str],
    problems: list[LoadProblem],
) -> tuple[list[Rule], list[Example]]:
    rules: list[Rule] = []
    examples: list[Example] = []
    purses, relations = read_budgets(roots, problems), relations_in(roots)
    for root in roots:
        for node in root.under("rules"):
            rule, found = load_rule(node, catalog, names, purses, relations)
            rules += [rule] if rule else []
            problems += found
        for node in root.under("examples"):
            example, found = load_example(node, names, kinds)
            examples.append(example)
            problems += found
    for first, second in duplicates(rules):
        problems.append(_at(second, f"the rule {second.id} stands twice", f"first in {first.file}:{first.line}"))
    if not problems:
        problems += budget_problems(purses, rules, catalog)
    return rules, examples


def _at(thing: Tool | Rule, message: str, hint: str) -> LoadProblem:
    return LoadProblem(thing.file, thing.line, 1, "", message, hint)
