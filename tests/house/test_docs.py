"""What the program knows, its documentation knows: codes, commands, configuration keys, obligations, kinds."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from functools import cache

import typer

from proxy.cli import app
from proxy.config import CONFIG
from proxy.errors import CODES
from redaction.profiles import PROFILES, own_kinds
from rules.grammar import BACKEND, POLICY
from rules.mcp.grammar import MCP_BACKEND
from rules.shape import Either, Form, Many, Shape, Table
from tests.house.source import ROOT


@cache
def docs() -> str:
    paths = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def commands(group: typer.Typer, prefix: str = "toolwall") -> Iterator[str]:
    for command in group.registered_commands:
        assert command.callback is not None
        yield f"{prefix} {command.name or command.callback.__name__}"
    for each in group.registered_groups:
        assert each.typer_instance is not None
        yield from commands(each.typer_instance, f"{prefix} {each.name}")


def keys(shape: Shape) -> Iterator[str]:
    match shape:
        case Form():
            for name, key in shape.keys.items():
                yield name
                yield from keys(key.shape)
        case Many() | Table():
            yield from keys(shape.item)
        case Either():
            yield from keys(shape.simple)
            yield from keys(shape.mapping)


def test_every_refusal_code_is_documented() -> None:
    assert [code for code in CODES if f"`{code}`" not in docs()] == []


def test_every_command_is_documented() -> None:
    assert [command for command in commands(app) if command not in docs()] == []


def test_every_key_is_documented() -> None:
    known = set(keys(CONFIG)).union(*(keys(shape) for shape in (BACKEND, MCP_BACKEND, POLICY)))
    missing = [k for k in known if not re.search(rf"`{k}`|^\s*(- |\{{)?{k}:|[{{ ]{k}: ", docs(), re.MULTILINE)]
    assert missing == []


def test_every_profile_and_kind_is_documented() -> None:
    assert [name for name in {*PROFILES, *own_kinds()} if f"`{name}`" not in docs()] == []


def test_links_between_pages_lead_somewhere() -> None:
    for page in [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]:
        for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_reference_pages_are_what_the_code_says() -> None:
    pages = runpy.run_path(str(ROOT / "docs" / "generate.py"))["pages"]()
    for name, text in pages.items():
        assert (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8") == text, "run `make docs`"
