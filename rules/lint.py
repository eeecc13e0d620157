"""Lint: what is allowed in rules and still deserves a second look. `toolwall check` prints it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rules.decide import Ruleset
from rules.rule import EVERYBODY, Effect, Rule
from rules.tools import Tool

Level = Literal["warning", "note"]


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing to look at: where, why it matters, and the edit that settles it."""

    file: str
    line: int
    level: Level
    why: str
    edit: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: " if self.file else ""
        return f"{where}{self.level}: {self.why} ({self.edit})"


def lint(ruleset: Ruleset) -> tuple[Finding, ...]:
    """All findings, sorted by file and line."""
    found = [*_whole(ruleset)]
    for tool in ruleset.catalog.tools.values():
        found += _tool(tool, ruleset)
    for rule in ruleset.rules:
        found += _rule(rule)
    return tuple(sorted(found))


def _whole(ruleset: Ruleset) -> Iterator[Finding]:
    if not ruleset.rules:
        yield Finding("", 0, "warning", "there are no rules, so every call is refused", "add a file with `rules:`")
    elif not ruleset.examples:
        yield Finding(
            "", 0, "note", "there are no examples", "add `examples:`, so that `toolwall test` can guard edits"
        )


def _tool(tool: Tool, ruleset: Ruleset) -> Iterator[Finding]:
    def finding(level: Level, why: str, edit: str) -> Finding:
        return Finding(tool.file, tool.line, level, f"{tool.name} {why}", edit)

    if ruleset.rules and not ruleset.plans[tool.name].allows:
        yield finding("warning", "is allowed by no rule", "allow it to somebody, or remove the tool")
    if not tool.says:
        yield finding("note", "does not say what it is for", "add `says`: a model chooses tools by it")
    if tool.effect == "read" and tool.method not in ("GET", "HEAD", "OPTIONS"):
        yield finding("note", f"is a {tool.method} with the effect read", "make sure that it changes nothing")
    if tool.body_open:
        yield finding("warning", "takes arguments that are not declared", "say additionalProperties: false")
    if tool.reply.on_error == "pass":
        yield finding("warning", "passes answers that could not be checked", "say on_error: refuse")
    elif not tool.reply.redact:
        yield finding("note", "has answers that are not cleaned", "say redact: standard, unless that is meant")


def _rule(rule: Rule) -> Iterator[Finding]:
    def finding(level: Level, why: str, edit: str) -> Finding:
        return Finding(rule.file, rule.line, level, f"{rule.id} {why}", edit)

    if rule.effect is Effect.ALLOW and rule.to == EVERYBODY:
        edit = "add `to:`, unless every caller is meant"
        yield finding("warning" if "*" in rule.tools else "note", "allows its tools to everybody", edit)
    for name, reason in rule.waive.items():
        yield finding("note", f"waives {name}: {reason}", "remove the waiver when its reason is gone")
