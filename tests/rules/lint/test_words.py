import pytest

from rules.lint.words import MOST_TEXTS, hidden, purposes, texts
from tests.rules.lint.tables import cases, check


@pytest.mark.parametrize(("kind", "wanted", "case"), cases("words"))
def test_findings_about_words(tmp_path, kind, wanted, case):
    check(tmp_path, kind, wanted, case)


def test_what_writing_and_emoji_need_is_not_hidden():
    assert hidden("caf\u00e9 \u2764\ufe0f \u0645\u06cc\u200c\u062e") == []
    assert hidden("a\u200db") == ["\u200d"]
    assert hidden("\u200d") == ["\u200d"]


def test_verbs_that_are_joined():
    assert purposes("Creates orders and deletes customers.") == []
    assert purposes("Create and delete orders.") == ["create", "delete"]


def test_all_texts_of_a_schema_are_read_up_to_a_bound():
    schema = {"title": "a", "properties": {"x": {"description": "b", "items": [{"title": "c"}]}}}
    assert sorted(text for _, text in texts(schema)) == ["a", "b", "c"]
    assert sum(1 for _ in texts([{"title": "x"}] * (2 * MOST_TEXTS))) < MOST_TEXTS
