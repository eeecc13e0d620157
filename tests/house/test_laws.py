"""The laws of the house: what a reviewer would otherwise have to look for."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from tests.house.source import ROOMS, ROOT, functions, imports, modules, top_level_imports

PURE = ("redaction", "rules", "proxy.protocols")
IMPURE = {"asyncio", "aiohttp", "socket", "time", "os", "threading", "subprocess", "multiprocessing", "requests"}
# Who may import whom inside `proxy`, by what each knows: the first names are the lowest.
LOWEST = {"proxy.model", "proxy.body", "proxy.errors", "proxy.record", "proxy.outcomes", "proxy.entry"}
OURS = tuple(f"{room}." for room in ROOMS)


def inside(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


@pytest.mark.parametrize("name", sorted(modules()))
def test_imports_point_left(name: str) -> None:
    right_of = {"redaction": ("rules", "proxy"), "rules": ("proxy",), "proxy": ()}[name.split(".")[0]]
    wrong = [each for each in imports(modules()[name]) if each.split(".")[0] in right_of]
    assert wrong == []


def test_there_are_no_import_cycles() -> None:
    graph = {name: top_level_imports(path) for name, path in modules().items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name not in done:
            for each in graph[name]:
                visit(each, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("name", [name for name in sorted(modules()) if any(inside(name, each) for each in PURE)])
def test_pure_rooms_touch_no_clock_socket_or_system(name: str) -> None:
    assert {each.split(".")[0] for each in imports(modules()[name])}.isdisjoint(IMPURE)


@pytest.mark.parametrize("name", [name for name in sorted(modules()) if inside(name, "proxy.guards")])
def test_guards_do_not_know_each_other(name: str) -> None:
    others = {each for each in imports(modules()[name]) if inside(each, "proxy.guards") and each != name}
    assert name == "proxy.guards" or others == set()


@pytest.mark.parametrize(
    ("package", "hidden"),
    [
        ("proxy.protocols", ("proxy.transports", "proxy.guards", "proxy.upstream", "proxy.app", "proxy.entry")),
        ("proxy.guards", ("proxy.transports", "proxy.protocols", "proxy.upstream", "proxy.firewall", "proxy.app")),
        ("proxy.firewall", ("proxy.transports", "proxy.protocols", "proxy.guards", "proxy.upstream", "proxy.app")),
        ("proxy.transports", ("proxy.guards", "proxy.upstream", "proxy.ledger", "proxy.app")),
        ("proxy.upstream", ("proxy.transports", "proxy.protocols", "proxy.guards", "proxy.app")),
    ],
)
def test_parts_of_the_proxy_know_only_what_lies_below(package: str, hidden: tuple[str, ...]) -> None:
    for name, path in modules().items():
        if inside(name, package):
            wrong = [each for each in imports(path) if any(inside(each, one) for one in hidden)]
            assert wrong == [], name


def test_only_the_composition_root_knows_everybody() -> None:
    rooms = ("proxy.transports", "proxy.guards", "proxy.ledger", "proxy.upstream", "proxy.telemetry")
    for name, path in modules().items():
        known = [room for room in rooms if any(inside(each, room) for each in imports(path))]
        assert len(known) < len(rooms) or name == "proxy.app", name


@pytest.mark.parametrize("name", sorted(modules()))
def test_a_file_has_at_most_400_lines(name: str) -> None:
    assert modules()[name].read_text(encoding="utf-8").count("\n") <= 400


def test_functions_are_short() -> None:
    lengths = sorted(functions(), key=lambda each: -each[1])
    sizes = [size for _, size in lengths]
    assert statistics.median(sizes) <= 8
    assert sum(size <= 30 for size in sizes) / len(sizes) >= 0.9, lengths[:20]


@pytest.mark.parametrize("name", [name for name, path in sorted(modules().items()) if path.name != "__init__.py"])
def test_every_module_has_its_test(name: str) -> None:
    path = modules()[name].relative_to(ROOT)
    own = ROOT / "tests" / path.parent / f"test_{path.name}"
    assert own.exists(), f"{own.relative_to(ROOT)} is missing"
    assert "def test_" in own.read_text(encoding="utf-8")


def test_every_obligation_has_a_guard() -> None:
    import typing

    from rules import obligations

    kinds = typing.get_args(obligations.Obligation) or (obligations.Obligation,)
    guards = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "proxy" / "guards").glob("*.py"))
    for kind in kinds:
        assert f"import {kind.__name__}" in guards, kind


def test_no_test_uses_mocks() -> None:
    for path in (ROOT / "tests").rglob("*.py"):
        if path != Path(__file__):
            assert "unittest.mock" not in path.read_text(encoding="utf-8"), path
