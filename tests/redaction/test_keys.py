import pytest

from redaction import keys
from redaction.keys import Family, Keys
from redaction.scanner import Scanner

ALL = Scanner(keys.kinds())
EXAMPLES = [(family, text) for family in keys.families() for text in family.yes]
OTHERS = [(family, text) for family in keys.families() for text in family.no]


@pytest.mark.parametrize(("family", "text"), EXAMPLES)
def test_each_family_finds_its_examples(family: Family, text: str) -> None:
    assert family.kind in ALL.clean_json(text).counts


@pytest.mark.parametrize(("family", "text"), OTHERS)
def test_and_leaves_the_others(family: Family, text: str) -> None:
    assert ALL.clean_json(text).counts[family.kind] == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("first_name", "first name"),
        ("firstName", "first name"),
        ("First-Name", "first name"),
        ("DOB", "dob"),
        ("ZIPCode", "zip code"),
        ("address1", "address 1"),
        ("прізвище", "прізвище"),
        ("a" * 101, ""),
        ("", ""),
    ],
)
def test_a_name_is_taken_apart(name: str, words: str) -> None:
    assert keys.words_of(name) == words


@pytest.mark.parametrize("name", ["customer_first_name", "firstName2", "FIRST NAME", "guest-first-names"])
def test_a_name_may_say_more_before_and_a_number_behind(name: str) -> None:
    role = Keys(frozenset({"PERSON"})).role(name)
    assert role
    assert role.judge
    assert role.judge.kind == "PERSON"


@pytest.mark.parametrize(
    "name", ["filename", "hostname", "name_server", "first_name_verified", "user_agent", "id", "unzip", "dobby"]
)
def test_other_names_mean_nothing(name: str) -> None:
    assert Keys(keys.kinds()).role(name) is None


def test_only_families_of_the_kinds_asked_for_are_looked_for() -> None:
    assert (
        Scanner(frozenset({"CVV"})).clean_json('{"first_name":"Ana","cvv":"516"}').value
        == '{"first_name":"Ana","cvv":"<CVV>"}'
    )
    assert not Keys(frozenset({"EMAIL_ADDRESS"}))
    assert Keys(frozenset({"CVV"}))
