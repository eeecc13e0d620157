"""The laws of the house: what a reviewer would otherwise have to look for."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path

from tests.house.source import ROOMS, ROOT, functions, imports, modules, source

PURE = ("redaction", "rules", "proxy.protocols")
IMPURE = {"asyncio", "aiohttp", "socket", "time", "os", "threading", "subprocess", "multiprocessing", "requests"}
# Who may import whom inside `proxy`, by what each knows: the first names are the lowest.
LOWEST = {"proxy.model", "proxy.body", "proxy.errors", "proxy.record", "proxy.outcomes", "proxy.entry"}
OURS = tuple(f"{room}." for room in ROOMS)


def inside(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def imported() -> Iterator[tuple[str, str]]:
    """Each module and what it imports, one by one."""
    for name, path in modules().items():
        for each in imports(path):
            yield name, each


def test_imports_point_left() -> None:
    right_of = {"redaction": ("rules", "proxy"), "rules": ("proxy",), "proxy": ()}
    assert [pair for pair in imported() if pair[1].split(".")[0] in right_of[pair[0].split(".")[0]]] == []


def test_there_are_no_import_cycles() -> None:
    graph = {name: source(path).at_once for name, path in modules().items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name not in done:
            for each in graph[name]:
                visit(each, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_pure_rooms_touch_no_clock_socket_or_system() -> None:
    pure = [pair for pair in imported() if any(inside(pair[0], room) for room in PURE)]
    assert pure
    assert [pair for pair in pure if pair[1].split(".")[0] in IMPURE] == []


def test_guards_do_not_know_each_other() -> None:
    guards = [pair for pair in imported() if inside(pair[0], "proxy.guards") and pair[0] != "proxy.guards"]
    assert guards
    assert [pair for pair in guards if inside(pair[1], "proxy.guards") and pair[0] != pair[1]] == []


HIDDEN = {
    "proxy.protocols": ("proxy.transports", "proxy.guards", "proxy.upstream.upstream", "proxy.app", "proxy.entry"),
    "proxy.guards": ("proxy.transports", "proxy.protocols", "proxy.upstream.upstream", "proxy.firewall", "proxy.app"),
    "proxy.firewall": ("proxy.transports", "proxy.protocols", "proxy.guards", "proxy.upstream.upstream", "proxy.app"),
    "proxy.transports": ("proxy.guards", "proxy.upstream.upstream", "proxy.ledger", "proxy.app"),
    "proxy.upstream.upstream": ("proxy.transports", "proxy.protocols", "proxy.guards", "proxy.app"),
}


def test_parts_of_the_proxy_know_only_what_lies_below() -> None:
    for package, hidden in HIDDEN.items():
        own = [pair for pair in imported() if inside(pair[0], package)]
        assert own, package
        assert [pair for pair in own if any(inside(pair[1], one) for one in hidden)] == []


def test_only_the_composition_root_knows_everybody() -> None:
    rooms = ("proxy.transports", "proxy.guards", "proxy.ledger", "proxy.upstream.upstream", "proxy.telemetry.telemetry")
    for name, path in modules().items():
        known = [room for room in rooms if any(inside(each, room) for each in imports(path))]
        assert len(known) < len(rooms) or name == "proxy.app", name


def test_a_file_has_at_most_400_lines() -> None:
    lines = {name: path.read_text(encoding="utf-8").count("\n") for name, path in modules().items()}
    assert {name: count for name, count in lines.items() if count > 400} == {}


def test_functions_are_short() -> None:
    lengths = sorted(functions(), key=lambda each: -each[1])
    sizes = [size for _, size in lengths]
    assert statistics.median(sizes) <= 8
    assert sum(size <= 30 for size in sizes) / len(sizes) >= 0.9, lengths[:20]


def test_every_module_has_its_test() -> None:
    for path in modules().values():
        inner = path.relative_to(ROOT)
        own = ROOT / "tests" / inner.parent / f"test_{path.name}"
        if path.name != "__init__.py":
            assert own.exists(), f"{own.relative_to(ROOT)} is missing"
            assert "def test_" in own.read_text(encoding="utf-8"), own


def test_every_obligation_has_a_guard() -> None:
    import typing

    from rules import obligations

    kinds = typing.get_args(obligations.Obligation) or (obligations.Obligation,)
    guards = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "proxy" / "guards").glob("*.py"))
    for kind in kinds:
        assert f"import {kind.__name__}" in guards, kind


def test_no_cancellation_is_lost() -> None:
    """Before Python 3.12 `asyncio.wait_for` loses one that comes when what is waited for is ready."""
    for folder in ("proxy", "rules", "redaction"):
        for path in (ROOT / folder).rglob("*.py"):
            assert "asyncio.wait_for" not in path.read_text(encoding="utf-8"), f"{path}: use asyncio.timeout"


def test_no_test_uses_mocks() -> None:
    for path in (ROOT / "tests").rglob("*.py"):
        if path != Path(__file__):
            assert "unittest.mock" not in path.read_text(encoding="utf-8"), path
