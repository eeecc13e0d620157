"""What real texts show, where the corpora lie at hand."""

import gzip
import json
import os
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from redaction import keys, walk
from redaction.detector import all_patterns
from redaction.engine import Engine
from redaction.finding import Finding
from redaction.profiles import kinds_of
from redaction.report import findings_json
from redaction.scanner import Scanner
from redaction.search import search_text
from tests.redaction import plain

CORPORA = Path(os.environ.get("TOOLWALL_CORPORA", "/nonexistent"))
STANDARD = Scanner(kinds_of("standard"))
STRICT = Scanner(kinds_of("strict"))
# The patterns alone: what names give away is no part of the plain definition.
ENGINE = Engine(all_patterns())
pytestmark = pytest.mark.skipif(not CORPORA.is_dir(), reason="TOOLWALL_CORPORA names no folder of corpora")


def records(name: str) -> Iterator[dict[str, Any]]:
    for path in sorted(CORPORA.glob(f"{name}/*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def test_real_tool_answers_hold_no_secret_and_little_else_is_touched() -> None:
    kinds: Counter[str] = Counter()
    for record in records("benign/tool_results"):
        text = record["text"]
        found = [row["kind"] for row in findings_json(text, STANDARD)]
        kinds.update(found)
        if walk.is_document(text) and not found:
            assert STANDARD.clean_json(text).value == text
    assert set(kinds) <= {"EMAIL_ADDRESS", "PHONE_NUMBER"} | keys.kinds()


def test_every_address_and_number_that_tools_return_under_its_key_is_found() -> None:
    missed = Counter[str]()
    for record in records("pii/tool_json"):
        found = {row["pointer"] for row in findings_json(json.dumps(record["json"]), STANDARD)}
        gold = [
            (kind, pointer) for kind, pointer, _ in record["gold"] if kind in ("EMAIL", "EMAIL_ADDRESS", "PHONE_NUMBER")
        ]
        missed.update(kind for kind, pointer in gold if pointer not in found)
    assert missed == Counter()


@cache
def sentences() -> list[tuple[list[Any], list[Finding]]]:
    """Of each sentence what is to be found, and what is."""
    return [(record["spans"], STRICT.find(record["text"])) for record in records("pii/presidio_synth")]


@pytest.mark.parametrize(
    ("kind", "least"),
    [("EMAIL_ADDRESS", 0.99), ("IBAN_CODE", 0.99), ("US_SSN", 0.99), ("IP_ADDRESS", 0.99), ("CREDIT_CARD", 0.95)],
)
def test_recall_in_sentences(kind: str, least: float) -> None:
    total = found = 0
    for spans, findings in sentences():
        for _, start, end in (span for span in spans if span[0] == kind):
            total += 1
            found += any(f.start < end and start < f.end for f in findings)
    assert total
    assert found >= least * total


def texts_of(name: str, step: int) -> Iterator[str]:
    for number, record in enumerate(records(name)):
        if number % step == 0:
            yield json.dumps(record)
            yield from (value for value in record.values() if isinstance(value, str))


@pytest.mark.parametrize("name", ["pii/*", "secrets/*", "benign/*"])
@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.full), 900])
def test_the_quick_way_finds_what_the_plain_definition_says(name: str, step: int) -> None:
    texts = list(texts_of(name, step))
    assert texts
    for text in texts:
        assert ENGINE.find(text) == plain.find(text)
        if walk.is_document(text):
            assert outside(search_text(text, ENGINE), text) == outside(plain.hits(text), text)


def outside(hits: list[Any], text: str) -> list[Any]:
    """Those that do not lie in JSON within a string, which is read as JSON: see test_search."""
    return [hit for hit in hits if text[hit.start] not in "[{"]
