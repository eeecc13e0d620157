"""A route says whom it is answered, or there is no route."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Any

from proxy import admin, routes
from proxy.routes import OURS, Route, Who
from proxy.transports import connection
from tests.house.source import ROOT, modules, tree

OPEN = {"/healthz"}
LATER = {"/.toolwall/approvals/"}
"""What a refusal names already, and nothing serves yet."""


def undeclared(table: Iterable[Any]) -> list[Any]:
    """The routes that do not say whom they are answered, or to what."""
    return [
        each
        for each in table
        if not isinstance(each, Route)
        or not isinstance(each.who, Who)
        or not each.path.startswith("/")
        or not each.methods
        or not all(method.isupper() for method in each.methods)
    ]


def texts(name: str) -> Iterator[str]:
    """The string literals of a module, without its docstrings."""
    nodes = list(ast.walk(tree(modules()[name])))
    docs = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def test_every_route_declares_whom_it_is_answered() -> None:
    assert undeclared(routes.ADMIN + routes.DOOR) == []


def test_one_that_does_not_is_found() -> None:
    wrong = [Route("/x", ("GET",), None), Route("/x", (), Who.ADMIN), ("/x", ("GET",), Who.ADMIN)]  # type: ignore[arg-type]
    assert undeclared(wrong) == wrong


def test_nothing_is_answered_to_anybody_but_what_is_meant_to_be() -> None:
    assert {each.path for each in routes.ADMIN if each.who is Who.ANYBODY} == OPEN
    assert {each.who for each in routes.DOOR} == {Who.CALLER}
    assert all(each.path.startswith(f"{OURS}/") for each in routes.DOOR)


def test_what_changes_something_needs_a_token_or_a_principal() -> None:
    for each in routes.ADMIN + routes.DOOR:
        assert set(each.methods) <= {"GET", "HEAD"} or each.who in (Who.TOKEN, Who.CALLER), each


def test_listeners_answer_exactly_what_the_tables_say() -> None:
    assert set(connection._KINDS) == set(routes.DOOR)
    nothing: Any = None
    assert {*admin.reading(nothing, dict), *admin.switching(nothing)} == set(routes.ADMIN)


def test_no_route_is_made_elsewhere() -> None:
    for name, path in modules().items():
        text = path.read_text(encoding="utf-8")
        if name != "proxy.routes" and ("Route" in text or OURS in text):
            calls = [node.func for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
            assert "Route" not in {ast.unparse(each).rpartition(".")[2] for each in calls}, name
            own = {each for each in texts(name) if each.startswith(f"{OURS}/")}
            assert own <= LATER, f"{path.relative_to(ROOT)}: a path below {OURS} that is not in proxy/routes.py"
