"""Lint: the questions of a good review, asked of every tool and rule. `toolwall check` prints the answers.

One purpose? A strict schema? Permission? A time limit? A safe retry? Idempotent, if it has effects? Audited and
cleaned? An approval where it is risky? Testable without a model? And: does each rule do what it looks like?
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final

from rules.decide import Ruleset
from rules.lint.files import about_files
from rules.lint.findings import Finding
from rules.lint.inputs import about_inputs
from rules.lint.places import Places
from rules.lint.policy import about_policy
from rules.lint.tools import about_tools
from rules.lint.words import about_words
from rules.source import Node

__all__ = ["Finding", "lint"]

EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""When examples are run where nobody says when."""
_NONE: Final[Mapping[str, Node]] = MappingProxyType({})


def lint(
    ruleset: Ruleset, folder: Path | None = None, now: datetime = EPOCH, documents: Mapping[str, Node] = _NONE
) -> tuple[Finding, ...]:
    """All findings, the gravest first, then by file and line.

    With `folder`, where the rules were loaded from, findings name exact lines, and the files are searched for secrets.
    `documents` are those of its files that were read already.
    """
    places = Places(folder, documents)
    tools = [tool for tool in ruleset.catalog.tools.values() if tool.is_chosen]
    found = [*about_policy(ruleset, places, now), *about_tools(ruleset, places)]
    found += [*about_words(tools, places), *about_inputs(tools, places)]
    found += about_files(folder) if folder else ()
    return tuple(sorted(set(found), key=lambda one: (one.rank, one)))
