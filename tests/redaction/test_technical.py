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


@pytest.mark.parametrize(
    "text",
    [
        "-rwxr-xr-x 1 root root 121152 2024-11-21 20:01:54.123456789 +0000 pager -> less",
        "Copyright 2016-2020 Endless Mobile, Inc; fax 2012 - 2022",
        '{"Left": 0.5155559778213501, "phone_model_scores": [2.4999999999999996, 0.5588917345860708]}',
        "00000ed0: 2600 0000 0000 0000 a502 0000 1100 1a00",
        " 4050 4055 4061 4067 4073 4078 4084 4089\n 2244 2249 2254 2260 2265 2270",
        "pip/version.py,sha256=qaN-fw_htIgKUVXoAuAEVgKxQu3tZ9qE2eiKkWIS7LA,160",
        "    def test_encodeUnicode4BytesUTF8Highest(self):",
        "bfield_types[fname] = Ellipsis; fname = Path; full_name=Foo",
        "    address: A string or integer, the IP address. Either IPv4 or\n",
    ],
)
def test_numbers_and_names_of_machines_stay(text: str) -> None:
    assert changed([("it", text)]) == {}
    assert STANDARD.clean_json(json.dumps([text])).value == json.dumps([text])
    if text[0] == "{":
        assert STANDARD.clean_json(text).value == text


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1111 1229",
        "5500 0055 5555 5559 4111 1111 1111 1111",
        "n: 4111111111111111.0",
        "4242 4242 4242 4242 or 4111 1111 1111 1111",
    ],
)
def test_cards_among_other_numbers_go(text: str) -> None:
    assert "1111" not in STANDARD.clean(text.encode(), "text/plain", None).value.decode()
