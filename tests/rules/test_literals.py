"""What stands in quotes in a condition and can never be read is found at load."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.cel import BadCondition
from rules.when import When
from tests.rules.helpers import CRM, problems


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("args.a.matches('a(?=b)')", "matches() takes no such pattern as 'a(?=b)'"),
        ("matches(args.a, '(')", "matches() takes no such pattern as '('"),
        ("args.l.exists(one, one.matches('['))", "matches() takes no such pattern as '['"),
        ("args.b || args.a.matches('(')", "matches() takes no such pattern"),
        ("related(args.a, 'owner', 'x') && args.a.matches('(')", "matches() takes no such pattern"),
        ("time.getHours('Europe/Berln') > 8", "getHours() knows no such time zone as 'Europe/Berln'"),
        ("time.getDayOfWeek('CEST!') in [1, 2]", "getDayOfWeek() knows no such time zone"),
        ("time > timestamp('2026-13-01T00:00:00Z')", "timestamp() reads no such time"),
        ("time - timestamp('2026-01-01T00:00:00Z') > duration('5 minutes')", "duration() reads no such duration"),
    ],
)
def test_what_can_never_be_read_is_refused(text: str, says: str) -> None:
    with pytest.raises(BadCondition, match="can never be answered") as told:
        When(text)
    assert says in str(told.value)
    assert told.value.hint


@pytest.mark.parametrize(
    "text",
    [
        r"args.a.matches(r'^\d{1,3}$') || args.a.matches('(?i)://|www[.]')",
        "args.a.matches(args.b)",
        "args.a == 'matches(' || args.a.contains('(')",
        "time.getHours() > 8 && time.getHours('UTC') > 8 && time.getHours('+02:00') > 8",
        "time.getHours('Europe/Berlin') >= 8 && time.getFullYear('America/New_York') == 2026",
        "time > timestamp('2026-01-01T00:00:00Z') && time < timestamp(args.until)",
        "time - timestamp(args.since) > duration('1h30m')",
    ],
)
def test_what_can_be_read_is_taken(text: str) -> None:
    assert When(text).text == text


def test_the_place_of_the_rule_is_told(tmp_path: Path) -> None:
    policy = "rules: [{id: a, deny: crm.search, when: \"args.q.matches('(?!x)')\"}]"
    (found,) = problems(tmp_path, crm=CRM, policy=policy)
    assert found.path == "rules[0].when"
    assert "no look-around" in str(found)
