"""What the tests of rules share: a folder of rules from texts, and facts about one call."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from rules.decide import Ruleset
from rules.facts import Facts, Principal, Run
from rules.load import LoadProblem, RulesError, load

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)

CRM = """
    backend: crm
    url: https://crm.test/api
    tools:
      get_customer:
        says: Look up one customer.
        call: GET /customers/{customer_id}
        args: {customer_id: {type: integer, minimum: 1}}
      search:
        says: Find customers.
        call: GET /customers
        args: {q: {type: string}, limit: {type: integer, optional: true}}
      rename:
        says: Rename a customer.
        call: PATCH /customers/{id}
        args: {id: {type: integer}, name: {type: string}}
        effect: write
      refund:
        says: Pay money back.
        call: POST /refunds
        args: {order_id: {type: integer}, amount_cents: {type: integer, minimum: 1, examples: [4999]}}
        effect: irreversible
      wipe:
        says: Delete everything.
        call: DELETE /everything
        effect: admin
"""


def write(folder: Path, **files: str) -> Path:
    """Write rules files given as `name=text` (`.yaml` is added) into a folder."""
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(dedent(text).lstrip("\n"))
    return folder


def ruleset(folder: Path, policy: str, crm: str = CRM) -> Ruleset:
    """Load the tools of CRM with a policy."""
    return load(write(folder, crm=crm, policy=policy))


def problems(folder: Path, **files: str) -> list[LoadProblem]:
    """What is wrong with these files; they have to be wrong."""
    with pytest.raises(RulesError) as caught:
        load(write(folder, **files))
    return caught.value.problems


def facts(rules: Ruleset, tool: str, args: Mapping[str, Any], *roles: str, **principal: str) -> Facts:
    """One call of a tool by somebody with these roles."""
    who = Principal(principal.pop("id", "p1"), frozenset(roles), **principal)
    return Facts(rules.catalog.tools[tool], args, who, Run("r1", 1), NOW, "10.0.0.9")


def corpus(name: str) -> Iterator[Any]:
    """The records of a real-world set; skips where the corpora are not there."""
    root = os.environ.get("TOOLWALL_CORPORA")
    if not root:
        pytest.skip("TOOLWALL_CORPORA names no folder with the real-world corpora")
    with gzip.open(Path(root) / name, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)
