import pytest

from rules.lint.vocabulary import FINAL, READS, WRITES, words_of


@pytest.mark.parametrize("name", ["get_user_id", "getUserId", "get-user.id", "GET user id", "get__userId"])
def test_a_name_has_the_same_words_in_every_spelling(name):
    assert words_of(name) == ("get", "user", "id")


def test_a_verb_belongs_to_one_tier():
    assert READS & WRITES == READS & FINAL == WRITES & FINAL == frozenset()
