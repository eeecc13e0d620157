"""How fast replies are scanned, beside Presidio's default recognizers on the same leaves in the same run.

Both look for the same kinds. What one finds and the other does not is listed, for a race between finders of different
things says nothing.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

from redaction.finding import Finding
from redaction.profiles import kinds_of, own_kinds
from redaction.scanner import Scanner
from tests.bench.processes import ROOT
from tests.bench.replies import LARGE, harmless, scenarios

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- begin of what `make bench ARGS=--scan` wrote -->", "<!-- end of it -->"
SIZE = 10 * 1024
"""Bytes of a reply that both read."""

REPEATS = 5
_TEXT = (
    "order shipped parcel returned invoice plan upgrade export failed ticket closed waiting customer asked again before"
)
_WORDS = _TEXT.split(" ")

Leaf = tuple[str, str]
"""A name and the text under it."""


@dataclass(frozen=True)
class Reply:
    """A JSON text, what it is called, how often faster it shall be scanned than by Presidio, and what is planted."""

    name: str
    times: float
    planted: int
    text: str

    def leaves(self) -> list[Leaf]:
        """Its strings."""
        return [(name, text) for record in json.loads(self.text) for name, text in record.items()]


@dataclass(frozen=True)
class Race:
    """The milliseconds that one reply takes, and what only one of the two finds, by kind."""

    reply: Reply
    ours_ms: float
    theirs_ms: float
    ours_found: int
    theirs_found: int
    only_ours: Counter[str]
    only_theirs: Counter[str]

    @property
    def times(self) -> float:
        """How often faster ours is."""
        return self.theirs_ms / self.ours_ms


def replies() -> tuple[Reply, ...]:
    """One without findings, one with some, one full of them."""
    return (_reply("clean", 400, 0), _reply("mixed", 40, 60), _reply("dense", 30, 200))


def _reply(name: str, times: float, planted: int) -> Reply:
    dice = random.Random(planted)
    values = [_planted(dice, number) for number in range(planted)]
    records: list[dict[str, str]] = []
    while values or len(json.dumps(records)) < SIZE - 120:
        record = {}
        for member in ("contact", "note", "detail", "text"):
            # At the end of the room only what is planted is left to say.
            room = SIZE - len(json.dumps(records)) - 52 * len(values)
            words = " ".join(dice.choices(_WORDS, k=8 if room > 200 else 0))
            record[member] = f"{words} {values.pop()}".strip() if values else words
        records.append(record)
    return Reply(name, times, planted, json.dumps(records))


def _planted(dice: random.Random, number: int) -> str:
    """A value that leaves no doubt, in a range that is kept free for examples where there is one."""
    last = dice.randrange(100, 1000)
    return (
        f"ada.quill{last}@example.org",
        f"+1 202-555-0{last % 100 + 100}",
        "4111 1111 1111 1111",
        "GB82 WEST 1234 5698 7654 32",
        f"192.0.2.{last % 250 + 1}",
        f"SSN 489-36-{last + 8000}",
    )[number % 6]


def races() -> Iterator[Race]:
    """Each reply, read by both."""
    from tests.eval import presidio

    theirs_kinds = presidio.analyzer().get_supported_entities("en")
    scanner, find = Scanner(own_kinds() & frozenset(theirs_kinds)), presidio.finder(theirs_kinds)
    for reply in replies():
        yield _race(reply, scanner, find)


def _race(reply: Reply, scanner: Scanner, find: Callable[[str], list[Finding]]) -> Race:
    leaves = reply.leaves()
    ours = [{(f.kind, f.start, f.end) for f in scanner.find(text, name)} for name, text in leaves]
    theirs = [{(f.kind, f.start, f.end) for f in _without_overlaps(find(text))} for _, text in leaves]
    pairs = list(zip(ours, theirs, strict=True))
    return Race(
        reply,
        _milliseconds(lambda: scanner.find_json(reply.text), 200),
        _milliseconds(lambda: [find(text) for _, text in leaves], 1),
        sum(map(len, ours)),
        sum(map(len, theirs)),
        Counter(kind for our, their in pairs for kind, *_ in our - their),
        Counter(kind for our, their in pairs for kind, *_ in their - our),
    )


def _without_overlaps(found: list[Finding]) -> list[Finding]:
    """As Presidio's anonymizer would rewrite: of findings that overlap, the surest, then the longest."""
    kept: list[Finding] = []
    for each in sorted(found, key=lambda f: (-f.score, f.start - f.end)):
        if all(each.end <= other.start or other.end <= each.start for other in kept):
            kept.append(each)
    return kept


def _milliseconds(do: Callable[[], Any], times: int) -> float:
    do()
    return median(_once(do, times) for _ in range(REPEATS))


def _once(do: Callable[[], Any], times: int) -> float:
    started = time.process_time()
    for _ in range(times):
        do()
    return (time.process_time() - started) / times * 1000


def speeds() -> Iterator[tuple[str, float]]:
    """Megabytes per second of one core, with the profile `standard`, parsing included: a name, and the rate."""
    scanner = Scanner(kinds_of("standard"))
    large, bland = scenarios()[1].body, harmless()[1]
    record = json.loads(large)
    megabyte = json.dumps([record] * (1 + (1 << 20) // LARGE)).encode()
    for name, body in (
        ("64 KB, no finding", bland),
        ("64 KB, 12 findings", large),
        ("1 MB, a finding in 5 KB", megabyte),
    ):
        ms = _milliseconds(lambda body=body: scanner.clean(body, "application/json", None), 20)  # type: ignore[misc]
        yield name, len(body) / ms / 1000


def tables() -> Iterator[str]:
    """Both in Markdown."""
    lines = [
        "| 10 KB of JSON | findings | ms | Presidio's | ms | times | at least | |",
        "|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    found = list(races())
    for race in found:
        reply = race.reply
        verdict = "met" if race.times >= reply.times else "NOT MET"
        lines.append(
            f"| {reply.name} | {race.ours_found} | {race.ours_ms:.3f} | {race.theirs_found} | {race.theirs_ms:.1f} "
            f"| {race.times:.0f} | {reply.times:.0f} | {verdict} |"
        )
    yield "\n".join(lines)
    for race in found:
        if race.only_ours or race.only_theirs:
            ours, theirs = _said(race.only_ours), _said(race.only_theirs)
            yield f"Differences, {race.reply.name}: only ours {ours}; only Presidio's {theirs}."
    lines = ["| JSON, profile `standard` | MB/s of one core | at least | |", "|---|---:|---:|---|"]
    lines += [f"| {name} | {rate:.0f} | 50 | {'met' if rate >= 50 else 'NOT MET'} |" for name, rate in speeds()]
    yield "\n".join(lines)


def _said(kinds: Counter[str]) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())) or "nothing"


def write_docs(text: str) -> None:
    """Write the tables into docs/performance.md."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}", "utf-8")
