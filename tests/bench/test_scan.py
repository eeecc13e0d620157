from collections import Counter

import pytest

from redaction.finding import Finding
from redaction.profiles import kinds_of
from redaction.scanner import Scanner
from tests.bench import scan
from tests.bench.scan import BEGIN, END, PAGE, SIZE, Race, Reply, replies


@pytest.mark.parametrize("reply", replies(), ids=lambda reply: reply.name)
def test_replies_have_their_size_and_the_findings_that_are_planted(reply: Reply) -> None:
    assert SIZE - 400 < len(reply.text) < SIZE + 400
    hits = Scanner(kinds_of("standard") | {"IP_ADDRESS"}).find_json(reply.text)
    assert sum(len(hit.findings) for hit in hits) == reply.planted
    assert len(reply.leaves()) == reply.text.count('": "')


def test_how_often_faster_is_what_theirs_takes_by_what_ours_takes() -> None:
    race = Race(replies()[0], 0.5, 200.0, 0, 0, Counter(), Counter())
    assert race.times == 400


def test_of_findings_that_overlap_the_surest_stays() -> None:
    url, mail = Finding("URL", 4, 15, 0.5, "x"), Finding("EMAIL_ADDRESS", 0, 15, 1.0, "x")
    assert scan._without_overlaps([url, mail]) == [mail]


def test_the_page_has_a_place_for_the_tables() -> None:
    text = PAGE.read_text("utf-8")
    assert text.count(BEGIN) == text.count(END) == 1
