"""What the rules say, tool by tool: the content of the tool catalogue and its risk matrix.

Everything is in a fixed order and nothing depends on the clock, so that two catalogues can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from textwrap import shorten
from typing import Final

from redaction.profiles import PROFILES
from rules.decide import Ruleset, terms
from rules.facts import Principal
from rules.obligations import Approval, lasting, only
from rules.rule import EVERYBODY, Effect, Rule, To
from rules.spoken import spoken
from rules.tools import Tool

RISKS: Final = ("admin", "irreversible", "write", "read")
"""The effects, the gravest first."""

MOST_AUDIENCES: Final = 40
"""Columns of a matrix that people can read."""

MOST_SAID: Final = 300
"""Characters of a backend's purpose at the head of the catalogue; specifications put whole manuals there."""

MOST_NAMED: Final = 1_000
"""Combinations of role, agent, user and principal of one rule that are looked at."""

NOBODY, FREE, BOUND, ASKED, BOTH, SOMETIMES = range(6)
"""How an audience may use a tool: not at all, freely, under conditions, after an approval, both, and under conditions
some of which need an approval."""

WORDS: Final = ("", "yes", "if", "approval", "approval, if", "if, some approval")
LEGEND: Final = (
    ("yes", "allowed whenever the arguments fit the contract"),
    ("if", "allowed under conditions, which the tool's own section names"),
    ("approval", "allowed after a human has approved the call"),
    ("some approval", "some of the conditions lead to an approval"),
)


@dataclass(frozen=True, slots=True)
class Audience:
    """Somebody whom rules speak of, and a caller who is just that."""

    name: str
    principal: Principal


@dataclass(frozen=True, slots=True)
class Clause:
    """What one rule says of a tool. `condition` is CEL, `words` says the same or is empty. `needs`, `waived` (a
    reason) and `limits` are empty for a rule that denies.
    """

    rule: str
    place: str
    says: str
    who: str
    condition: str
    words: str
    needs: str = ""
    waived: str = ""
    limits: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One tool. `cells` are its standings with each audience, as indexes into WORDS. `reachable`: somebody may use it.
    `notes` deserve a second look.
    """

    tool: Tool
    grants: tuple[Clause, ...]
    denies: tuple[Clause, ...]
    redacted: str
    contract: str
    limits: str
    cells: tuple[int, ...]
    reachable: bool
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """The whole catalogue: entries by risk, the gravest and the most open first. `left_out` audiences are not shown."""

    revision: str
    rules: int
    backends: tuple[tuple[str, str, str], ...]
    audiences: tuple[Audience, ...]
    left_out: int
    entries: tuple[Entry, ...]

    def counts(self, column: int, effect: str) -> tuple[int, int]:
        """How many tools of an effect an audience may use, and how many of them only after an approval."""
        cells = [entry.cells[column] for entry in self.entries if entry.tool.effect == effect]
        return sum(map(bool, cells)), sum(cell in (ASKED, BOTH) for cell in cells)

    def total(self, effect: str) -> int:
        """How many tools of an effect there are."""
        return sum(entry.tool.effect == effect for entry in self.entries)


def catalog(ruleset: Ruleset) -> Document:
    """The catalogue of a set of rules."""
    found = _audiences(ruleset)
    shown = tuple(found[:MOST_AUDIENCES])
    tools = [tool for name, tool in ruleset.catalog.tools.items() if tool.is_chosen or ruleset.plans[name].allows]
    entries = [_entry(ruleset, tool, shown) for tool in tools]
    backends = sorted(
        (one.name, shorten(one.says, MOST_SAID, placeholder=" ..."), str(one.url))
        for one in ruleset.catalog.backends.values()
    )
    ordered = tuple(sorted(entries, key=_risk))
    return Document(ruleset.revision, len(ruleset.rules), tuple(backends), shown, len(found) - len(shown), ordered)


def _risk(entry: Entry) -> tuple[int, int, str]:
    reached = [cell for cell in entry.cells if cell]
    openness = min((reached and [cell in (ASKED, BOTH) for cell in reached]) or [2])
    return RISKS.index(entry.tool.effect), int(openness), entry.tool.name


def _audiences(ruleset: Ruleset) -> list[Audience]:
    """Everybody of whom a rule that allows speaks, once, by name; who is nobody in particular comes first."""
    grants = [rule for rule in ruleset.rules if rule.effect is Effect.ALLOW]
    seen = {one.name: one for rule in grants for one in _each(rule.to)}
    return sorted(seen.values(), key=lambda one: (one.name != "anyone", one.name))


def _each(to: To) -> Iterator[Audience]:
    """The single callers that a `to` names, one of each of its parts, at most MOST_NAMED.

    What it does not name is known and is none that any rule names: what holds for callers of whom less is known, the
    rules that deny say themselves.
    """
    parts = [[(word, name) for name in sorted(names)] or [(word, "")] for word, names in _parts(to)]
    for chosen in islice(product(*parts), MOST_NAMED):
        known = {word: value or "\x00" for word, value in chosen}
        name = ", ".join(f"{word} {value}" for word, value in chosen if value) or "anyone"
        roles = frozenset({known["role"]} - {"\x00"})
        yield Audience(name, Principal(known["principal"], roles, known["agent"], known["user"]))


def _parts(to: To) -> tuple[tuple[str, frozenset[str]], ...]:
    return ("role", to.roles), ("agent", to.agents), ("user", to.users), ("principal", to.principals)


_LINKS: Final = {"caller": "", "all": ", as has each who acts for another", "any": ", or one who acts for another"}


def whom(to: To) -> str:
    """Whom a rule is about, in words."""
    if to == EVERYBODY:
        return "anyone"
    said = [f"{word}{'s' * (len(names) > 1)} {' or '.join(sorted(names))}" for word, names in _parts(to) if names]
    return ", ".join(said) + _LINKS[to.links]


def _entry(ruleset: Ruleset, tool: Tool, audiences: Sequence[Audience]) -> Entry:
    plan = ruleset.plans[tool.name]
    return Entry(
        tool,
        grants=tuple(_grant(rule, tool) for rule in plan.allows),
        denies=tuple(_clause(rule) for rule in plan.denies),
        redacted=_redacted(tool),
        contract=_contract(tool),
        limits=_limits(tool),
        cells=tuple(standing(ruleset, tool, one.principal) for one in audiences),
        reachable=any(ruleset.visible(one.principal, tool) for rule in plan.allows for one in _each(rule.to)),
        notes=tuple(_notes(tool)),
    )


def _clause(rule: Rule, needs: str = "", waived: str = "") -> Clause:
    condition, words = (rule.when.text, spoken(rule.when)) if rule.when else ("", "")
    who = whom(rule.to) + (_doubt(rule.to) if rule.effect is Effect.DENY else "")
    return Clause(rule.id, f"{rule.file}:{rule.line}", rule.says, who, condition, words, needs, waived)


def _doubt(to: To) -> str:
    """To whom else a rule that denies applies: doubt is a no."""
    unknown = [word for word, names in (("agent", to.agents), ("user", to.users)) if names]
    return f", and whoever's {' or '.join(unknown)} is unknown" if unknown else ""


def _grant(rule: Rule, tool: Tool) -> Clause:
    obligations, waived = terms(tool, [rule])
    needs = " and ".join(one.as_text() for one in only(Approval, obligations))
    limits = ", ".join(one.as_text() for one in rule.obligations if not isinstance(one, Approval))
    return replace(_clause(rule, needs, waived.get("approval", "")), limits=limits)


def _asked(tool: Tool, rules: Sequence[Rule]) -> bool:
    """Whether a human has to say yes to what these rules grant."""
    return bool(only(Approval, terms(tool, rules)[0]))


def standing(ruleset: Ruleset, tool: Tool, principal: Principal) -> int:
    """How a caller may use a tool, whatever the arguments: one of NOBODY to SOMETIMES."""
    if not ruleset.visible(principal, tool):
        return NOBODY
    plan = ruleset.plans[tool.name]
    grants = [rule for rule in plan.allows if rule.to.matches(principal)]
    always = [rule for rule in grants if rule.when is None]
    limited = any(rule.to.matches(principal) is not False for rule in plan.denies)
    # More rules only ever add to what is needed, so those without a condition say what is needed at least.
    if always and _asked(tool, always):
        return BOTH if limited else ASKED
    asked = [_asked(tool, [*always, rule]) for rule in grants if rule.when]
    if any(asked):
        return BOTH if all(asked) and not always else SOMETIMES
    return BOUND if limited or not always else FREE


def _redacted(tool: Tool) -> str:
    kinds = tool.reply.redact
    name = next((name for name, members in PROFILES.items() if frozenset(members) == kinds), "")
    if not kinds:
        return "nothing: answers are not scanned"
    return f"the profile {name}" if name else ", ".join(sorted(kinds))


def _limits(tool: Tool) -> str:
    took = f"the backend may take {lasting(tool.timeout_s)}, an answer may have {_bytes(tool.reply.most_bytes)}"
    return ", ".join((took, *(f"{one.as_text()} ({one.owner})" for one in tool.limits)))


def _contract(tool: Tool) -> str:
    if tool.replies is None:
        return "none: answers may look like anything"
    known = ", ".join(sorted(tool.replies.by_status))
    said = {"enforce": "enforced", "report": "only reported", "off": "declared, but off"}[tool.reply.contract]
    return f"{said}, for {known}"


def _bytes(size: int) -> str:
    for unit, factor in (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if size >= factor and size % factor == 0:
            return f"{size // factor} {unit}"
    return f"{size} bytes"


def _notes(tool: Tool) -> Iterator[str]:
    if tool.guessed:
        yield "its effect was guessed by the importer; nobody has confirmed it"
    if not tool.reply.redact:
        yield "its answers are not cleaned"
    if tool.reply.shaping:
        yield f"of its answers is given: {tool.reply.shaping.as_text()}"
    if tool.reply.on_error == "pass":
        yield "answers that cannot be checked pass"
    if tool.undo:
        yield f"it is undone by {tool.undo.tool}, within {lasting(tool.undo.within_s)}"
    if tool.settle_by:
        yield f"{tool.settle_by.tool} tells whether it was done, where its answer was lost"
    if tool.body_open:
        yield "it takes arguments that are not declared"
    if not tool.says:
        yield "it does not say what it is for"
