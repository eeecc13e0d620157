"""What tools say holds nothing that `standard` takes out, and comes back as it is."""

import json
from collections import Counter
from collections.abc import Iterable

import pytest

from redaction.checks import card
from redaction.profiles import kinds_of
from redaction.scanner import Scanner
from tests.corpora.technical import invented
from tests.corpora.technical.machine import Document
from tests.corpora.technical.make import LEAST, documents

STANDARD = Scanner(kinds_of("standard"))


def changed(some: Iterable[Document]) -> dict[str, Counter[str]]:
    """The documents that are changed as text, or inside of JSON, and by which kinds."""
    found = {}
    for name, text in some:
        body = text.encode("utf-8", "replace")
        plain = STANDARD.clean(body, "text/plain", None)
        inside = STANDARD.clean(json.dumps({"output": text}).encode(), "application/json", None)
        if counts := plain.counts | inside.counts:
            found[name] = counts
        assert counts or plain.value == body
    return found


def test_forms_of_tools_come_back_unchanged() -> None:
    assert changed(invented.documents()) == {}


@pytest.mark.full
def test_what_tools_say_comes_back_unchanged() -> None:
    made = list(documents())
    assert len(made) >= LEAST
    assert changed(made) == {}


def test_the_beginning_of_a_uuid_is_no_card() -> None:
    assert card("42262356-3381-4167") == 0
    assert card("4226 2356 3381 4167") == card("4226-2356-3381-4167") == 19


def test_two_columns_of_numbers_are_no_card() -> None:
    assert card("3836261170 8199") == 0
    assert card("3836 261170 8199") == 16
    assert card("38362611708199") == 14
