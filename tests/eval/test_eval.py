import json
import os

import pytest

from redaction.finding import Finding
from tests.eval import measures
from tests.eval.__main__ import BEGIN, END, PAGE
from tests.eval.measures import Score, Target, luhn, targets

# Targets that are not met yet, by name. A name that is met must go.
MISSED: set[str] = set()

needs_corpora = pytest.mark.skipif("TOOLWALL_CORPORA" not in os.environ, reason="TOOLWALL_CORPORA names no corpora")


def test_shares_of_counts() -> None:
    score = Score(gold=4, hit=3, found=2, right=1)
    assert (score.recall, score.precision, score.f1) == (0.75, 0.5, 0.6)
    assert (Score().recall, Score().precision) == (1.0, 1.0)
    assert Score(gold=1, found=1).f1 == 0.0


@pytest.mark.parametrize(("value", "at_least", "met"), [(0.9, True, True), (0.8, True, False), (0.8, False, True)])
def test_a_target_bounds_from_below_or_above(value: float, at_least: bool, met: bool) -> None:
    assert Target("x", value, 0.85, at_least).met is met


def test_luhn_is_that_of_the_standard() -> None:
    assert luhn("7992 7398 713")  # ISO/IEC 7812-1 calls the last digit the check digit
    assert not luhn("7992 7398 710")
    assert not luhn("")


def test_sentences_count_by_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    record = {"text": "ana@example.com 10.0.0.1", "spans": [["EMAIL_ADDRESS", 0, 15], ["IP_ADDRESS", 16, 24]]}
    monkeypatch.setattr(measures, "records", lambda name: [record])
    wrong = Finding("IP_ADDRESS", 0, 15, 0.9, "x")
    scores = measures.sentences(lambda text: [wrong])
    assert scores["EMAIL_ADDRESS"] == Score(gold=1, hit=1)
    assert scores["IP_ADDRESS"] == Score(gold=1, found=1)


def test_members_are_looked_up_by_pointer(monkeypatch: pytest.MonkeyPatch) -> None:
    record = {
        "json": {"a/b": [{"x": "ana@example.com"}, "kept"]},
        "gold": [["E", "/a~1b/0/x", ""], ["K", "/a~1b/1", ""]],
    }
    monkeypatch.setattr(measures, "records", lambda name: [record])
    scores = measures.members(measures.Scanner(measures.kinds_of("standard")))
    assert (scores["E"], scores["K"]) == (Score(gold=1, hit=1), Score(gold=1))
    assert json.dumps(record).count("kept") == 1


def test_the_page_has_a_place_for_the_tables() -> None:
    text = PAGE.read_text("utf-8")
    assert text.count(BEGIN) == text.count(END) == 1


@needs_corpora
@pytest.mark.full
def test_every_target_is_met() -> None:
    assert {each.says for each in targets() if not each.met} == MISSED
