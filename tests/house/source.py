"""The project's own source, as the laws of the house look at it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("redaction", "rules", "proxy")


@cache
def modules() -> dict[str, Path]:
    """Every module of the three rooms, by its dotted name; a package by its own."""
    found = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Source:
    """What the laws need to know of one module. Its tree is dropped: to keep all costs more than to parse them."""

    imports: tuple[str, ...]
    """What it imports when it is run: not what stands under TYPE_CHECKING."""
    at_once: frozenset[str]
    """What it imports as soon as it is imported, of our own modules."""
    functions: tuple[tuple[str, int], ...]
    """Where each function of it is, and its length in lines."""


@cache
def source(path: Path) -> Source:
    whole = tree(path)
    at_once = frozenset(_at_once(whole) & modules().keys())
    return Source(tuple(_imports(whole)), at_once, tuple(_functions(path, whole)))


def imports(path: Path) -> tuple[str, ...]:
    return source(path).imports


def functions() -> Iterator[tuple[str, int]]:
    """Each function of the rooms and its length in lines."""
    for path in modules().values():
        yield from source(path).functions


def _statements(whole: ast.AST, within: Callable[[ast.AST], bool] = lambda _: True) -> Iterator[ast.AST]:
    """Each statement, however deep; what `within` refuses is left out with all that stands in it."""
    todo = [whole]
    while todo:
        node = todo.pop()
        if within(node):
            yield node
            # No statement stands in an expression, and most nodes of a tree are expressions.
            todo += [below for below in ast.iter_child_nodes(node) if not isinstance(below, ast.expr)]


def _is_run(node: ast.AST) -> bool:
    return not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))


def _imports(whole: ast.AST) -> Iterator[str]:
    known = modules()
    for node in _statements(whole, _is_run):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in known else node.module


def _at_once(whole: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in whole.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (names & modules().keys()) or {node.module}
    return found


def _functions(path: Path, whole: ast.AST) -> Iterator[tuple[str, int]]:
    for node in _statements(whole):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1
