"""The cases of findings: folders of rules made from tests/rules/lint/cases/*.yaml."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rules.lint import Finding, lint
from rules.lint.kinds import LONGEST_SAYS
from rules.load import load
from rules.source import read
from tests.rules.helpers import CRM, write

FOLDER = Path(__file__).with_name("cases")
ALLOWED = "{rules: [{id: allowed, allow: 'crm.*', to: {roles: [x]}}], examples: [{as: {}, call: crm.n, expect: deny}]}"


def cases(*names: str) -> list[tuple[str, bool, dict[str, Any]]]:
    """Each case of these files as (kind of finding, whether it is to be found, what the case says)."""
    made = []
    for name in names:
        root, problems = read(name, (FOLDER / f"{name}.yaml").read_bytes())
        assert root is not None
        assert problems == []
        for kind, both in root.items():
            made += [(kind, word == "yes", one.plain()) for word in ("yes", "no") for one in both.under(word)]
    return made


def found(folder: Path, case: dict[str, Any]) -> tuple[Finding, ...]:
    """What is found in a case's rules."""
    write(folder, crm=_backend(case), policy=case.get("policy", ALLOWED))
    return lint(load(folder), folder)


def _backend(case: dict[str, Any]) -> str:
    if "tool" in case:
        tool = {**case["tool"]}
        if "says" in tool:
            tool["says"] = tool["says"].replace("{long}", "x" * LONGEST_SAYS)
        return json.dumps(
            {"backend": "crm", "url": "https://crm.test", "tools": {case.get("name", "t"): tool}}, ensure_ascii=False
        )
    if case.get("backend", "").startswith("{many: "):
        count = int(case["backend"][7:-1])
        tools = {f"t{index}": {"says": f"Look up thing {index}.", "call": f"GET /{index}"} for index in range(count)}
        return json.dumps({"backend": "crm", "url": "https://crm.test", "tools": tools})
    return str(case.get("backend", CRM))


def check(folder: Path, kind: str, wanted: bool, case: dict[str, Any]) -> None:
    """Hold a case to what it says."""
    mine = [one for one in found(folder, case) if one.id == kind]
    assert bool(mine) is wanted, mine or case
    if "at" in case:
        assert case["at"] in [one.place for one in mine]
    if "level" in case:
        assert {one.level for one in mine} == {case["level"]}
