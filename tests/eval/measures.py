"""How much is found of what is there, and how much of what is found is right."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from redaction.finding import Finding
from redaction.profiles import kinds_of, own_kinds
from redaction.report import findings_json
from redaction.scanner import Scanner
from tests.eval.corpora import records, secret_sets

Find = Callable[[str], Iterable[Finding]]

FORMS = ("EMAIL_ADDRESS", "IBAN_CODE", "US_SSN", "IP_ADDRESS", "CREDIT_CARD", "PHONE_NUMBER")
"""The kinds for which targets are set, with recall and precision."""


@dataclass
class Score:
    """Counts of one kind or set: `gold` that are there, `hit` of them; `found` in all, `right` of them."""

    gold: int = 0
    hit: int = 0
    found: int = 0
    right: int = 0

    @property
    def recall(self) -> float:
        """The share of what is there that was found; 1 where nothing is."""
        return self.hit / self.gold if self.gold else 1.0

    @property
    def precision(self) -> float:
        """The share of what was found that is right; 1 where nothing was."""
        return self.right / self.found if self.found else 1.0

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        both = self.recall + self.precision
        return 2 * self.recall * self.precision / both if both else 0.0


@dataclass
class Scores:
    """Scores by name."""

    by: dict[str, Score] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Score:
        return self.by.setdefault(name, Score())


def luhn(text: str) -> bool:
    """Whether the digits in `text` pass the Luhn check."""
    figures = [int(each) for each in text if each.isdigit()][::-1]
    return bool(figures) and sum(sum(divmod(each * (1 + n % 2), 10)) for n, each in enumerate(figures)) % 10 == 0


def sentences(find: Find) -> Scores:
    """Labelled sentences. Found is what a finding of any kind touches; right is a finding that touches a label of its
    own kind. Card numbers that fail the Luhn check are no cards: not asked for, and right where found all the same.
    """
    scores = Scores()
    for record in records("pii/presidio_synth"):
        text, spans = record["text"], record["spans"]
        findings = list(find(text))
        for kind, start, end in spans:
            if kind in FORMS and not (kind == "CREDIT_CARD" and not luhn(text[start:end])):
                scores[kind].gold += 1
                scores[kind].hit += any(each.start < end and start < each.end for each in findings)
        for each in findings:
            if each.kind in FORMS:
                scores[each.kind].found += 1
                scores[each.kind].right += any(k == each.kind and each.start < e and s < each.end for k, s, e in spans)
    return scores


def cases(find: Find, kinds: frozenset[str]) -> Scores:
    """Strings that each recognizer of Presidio shall find, or not, by kind: `gold` and `hit` count the
    former, `found` and `right` the latter, those that were left alone being right.
    """
    scores = Scores()
    for record in records("pii/presidio_recognizers"):
        wanted = kinds.intersection(record["entities"])
        if not wanted:
            continue
        kind = min(wanted)
        hit = any(each.kind in wanted for each in find(record["text"]))
        if record["n"]:
            scores[kind].gold += 1
            scores[kind].hit += hit
        else:
            scores[kind].found += 1
            scores[kind].right += not hit
    return scores


def phones(find: Find) -> Scores:
    """Example numbers of all countries: in international form as such, and written nationally behind `phone:`."""
    scores = Scores()
    for record in records("pii/phones"):
        for name, text in (
            ("international", f"reach us on {record['e164']}."),
            ("national", f"phone: {record['national']}"),
        ):
            scores[name].gold += 1
            scores[name].hit += any(each.kind == "PHONE_NUMBER" for each in find(text))
    return scores


def members(scanner: Scanner) -> Scores:
    """JSON as tools return it: what the names of its members say is personal, and whether it is gone."""
    scores = Scores()
    for record in records("pii/tool_json"):
        cleaned = json.loads(scanner.clean_json(json.dumps(record["json"])).value)
        for kind, pointer, _ in record["gold"]:
            scores[kind].gold += 1
            scores[kind].hit += _at(cleaned, pointer) != _at(record["json"], pointer)
    return scores


def _at(value: Any, pointer: str) -> Any:
    """What stands at a JSON pointer (RFC 6901); None where nothing does."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        try:
            value = value[int(name)] if isinstance(value, list) else value[name]
        except (LookupError, TypeError, ValueError):
            return None
    return value


def secrets(find: Find) -> Scores:
    """Test strings of secret scanners, by set: `gold` and `hit` positives, `found` and `right` negatives left alone."""
    scores = Scores()
    for name in secret_sets():
        for record in records(f"secrets/{name}"):
            hit = any(True for _ in find(record["text"]))
            if record.get("label") == "positive":
                scores[name].gold += 1
                scores[name].hit += hit
            elif record.get("label") == "negative":
                scores[name].found += 1
                scores[name].right += not hit
    return scores


def benign(kinds: frozenset[str]) -> tuple[int, int, Counter[str]]:
    """Real answers of tools: how many there are, how many are touched, and the findings by kind."""
    scanner, total, touched, by_kind = Scanner(kinds), 0, 0, Counter[str]()
    for record in records("benign/tool_results"):
        found = Counter(row["kind"] for row in findings_json(record["text"], scanner))
        total, touched = total + 1, touched + bool(found)
        by_kind += found
    return total, touched, by_kind


@dataclass(frozen=True)
class Target:
    """One promise: `value` against `bound`."""

    says: str
    value: float
    bound: float
    at_least: bool = True

    @property
    def met(self) -> bool:
        """Whether it is kept."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound


def targets() -> list[Target]:
    """Every promise about what is found, measured now. Nothing here needs Presidio."""
    return [*_of_forms(), *_of_members(), *_of_secrets()]


_RECALL = dict.fromkeys(FORMS, 0.99) | {"CREDIT_CARD": 0.97, "PHONE_NUMBER": 0.90}
_SECRETS = {"gitleaks": 0.95, "kingfisher": 0.75, "noseyparker": 0.80, "secretlint": 0.85}
_MEMBERS = {
    "EMAIL_ADDRESS": 1.0,
    "PHONE_NUMBER": 1.0,
    "CVV": 1.0,
    "PERSON": 0.98,
    "STREET_ADDRESS": 0.98,
    "DATE_OF_BIRTH": 0.98,
}


def _of_forms() -> list[Target]:
    strict = Scanner(kinds_of("strict"))
    found = sentences(strict.find)
    rows = [Target(f"recall of {kind} in sentences", found[kind].recall, least) for kind, least in _RECALL.items()]
    together = _sum(found.by.values())
    rows.append(Target("precision of those in sentences", together.precision, 0.97))
    hit = _sum(cases(strict.find, own_kinds()).by.values())
    rows.append(Target("recognizers' negatives that are hit", 1 - hit.precision, 0.02, at_least=False))
    for name, score in phones(strict.find).by.items():
        rows.append(Target(f"recall of the world's phone numbers, {name} form", score.recall, 0.90))
    return rows


def _of_members() -> list[Target]:
    found = members(Scanner(kinds_of("standard")))
    return [Target(f"{kind} under its name in JSON", found[kind].recall, least) for kind, least in _MEMBERS.items()]


def _of_secrets() -> list[Target]:
    found = secrets(Scanner(kinds_of("secrets")).find)
    rows = [Target(f"secrets of {name}", found[name].recall, least) for name, least in _SECRETS.items()]
    total, touched, _ = benign(kinds_of("secrets"))
    return [*rows, Target("real answers of tools in which a secret is seen", touched / total, 0.005, at_least=False)]


def _sum(scores: Iterable[Score]) -> Score:
    all_of: Sequence[Score] = list(scores)
    return Score(*(sum(getattr(each, name) for each in all_of) for name in ("gold", "hit", "found", "right")))
