"""Values in characters that show nothing, or look like others."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redaction.disguise import DISGUISE, SIGN
from redaction.profiles import kinds_of
from redaction.scanner import Scanner
from redaction.unwrap import read_json, unwrap
from tests.redaction.hostile import seconds

STANDARD = Scanner(kinds_of("standard"))
NOTHING = "\0\x07\x0e\x1f\x7f\u00ad\u200b\u200d\u2060\ufeff\u202e\ufe0f"
MAIL = "ana.quill@example.org"
TOKEN = "g" + "hp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
VALUES = {"EMAIL_ADDRESS": MAIL, "GITHUB_TOKEN": TOKEN, "CREDIT_CARD": "4242424242424242"}


def wide(text: str) -> str:
    return "".join(chr(ord(each) + 0xFEE0) for each in text)


def bold(text: str) -> str:
    return "".join(chr(0x1D41A + ord(each) - ord("a")) if "a" <= each <= "z" else each for each in text)


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("nothing", NOTHING)
def test_what_shows_nothing_hides_nothing_wherever_it_stands(kind: str, nothing: str) -> None:
    value = VALUES[kind]
    for at in range(1, len(value)):
        text = f"see {value[:at]}{nothing}{value[at:]} there"
        assert STANDARD.clean_text(text).value == f"see <{kind}> there"
        body = json.dumps({"a": text, "n": 1.10}).encode()
        clean = json.dumps({"a": f"see <{kind}> there", "n": 1.10}).encode()
        assert STANDARD.clean(body, "application/json", None).value == clean


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("twin", [wide, bold, lambda text: "\u2060".join(wide(text))])
def test_twins_are_read_as_what_they_look_like(kind: str, twin) -> None:
    text = f"see {twin(VALUES[kind])} there"
    assert STANDARD.clean_text(text).value == f"see <{kind}> there"


@pytest.mark.parametrize("space", "\u00a0\u2007\u2009\u202f\u3000")
@pytest.mark.parametrize("dash", "\u2010\u2011\u2012\u2013\u2212")
def test_numbers_are_found_however_their_groups_are_set(space: str, dash: str) -> None:
    spaced, dashed = space.join(["4242"] * 4), dash.join(["4242"] * 4)
    text = f"pay{space}{spaced}, {dashed}, SSN 078{dash}05{dash}1120, 4242 4242{space}4242 4242, SSN 078-05{dash}1120"
    after = f"pay{space}<CREDIT_CARD>, <CREDIT_CARD>, SSN <US_SSN>, <CREDIT_CARD>, SSN <US_SSN>"
    assert STANDARD.clean_text(text).value == after
    for each in (spaced, dashed, f"4242 4242{space}4242 4242"):
        assert STANDARD.clean_text(each).value == "<CREDIT_CARD>"


@pytest.mark.parametrize(
    "text",
    [
        "Pages 1200\u20131300, 5\u00a0kg \u2212 3\u202f000\u202fkm",
        "Donau\u00addampf\u00adschiff",
        "می\u200cخواهم",
        "ok \u2764\ufe0f 👩\u200d💻",
        "ＡＢＣ　１２３",
        "\ufeff",
        "x\u200b",
        "𝑥 = 42",
    ],
)
def test_what_holds_nothing_stays_as_it_is(text: str) -> None:
    body = json.dumps({"a": text}, ensure_ascii=False).encode()
    assert STANDARD.clean(body, "application/json", None).value == body
    assert STANDARD.clean_text(text).value == text


def test_beside_a_plain_value_each_is_found() -> None:
    text = MAIL + " and " + MAIL.replace("@", "\uff20") + ", 👩\u200d💻"
    assert STANDARD.clean_text(text).value == "<EMAIL_ADDRESS> and <EMAIL_ADDRESS>, 👩\u200d💻"


@given(st.text(alphabet="ab@\u200b\uff20\u2060\U0001d41a", max_size=30))
def test_places_lead_back_to_what_was_read(text: str) -> None:
    flat = unwrap(text, DISGUISE)
    for at in range(len(flat.text) + 1):
        start = flat.outer(at)
        assert unwrap(text[:start], DISGUISE).text[:at] == flat.text[:at]
    assert SIGN.search(text) is not None or flat.text == text


HOSTILE = {"nothing": "\u200b", "a letter and nothing": "a\u200b", "wide": "\uff20", "dots and nothing": "a.\u200b"}


@pytest.mark.parametrize("word", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("end", ["", MAIL])
def test_100_kb_of_it_cost_no_more_than_other_text(word: str, end: str) -> None:
    text = word * (100_000 // len(word.encode())) + end
    assert seconds(lambda: STANDARD.clean_text(text), 0.1) <= 0.1


@pytest.mark.parametrize("encoding", ["utf-16le", "utf-16be", "utf-32le"])
def test_text_that_is_read_in_another_encoding_than_its_own_hides_nothing(encoding: str) -> None:
    cleaned = STANDARD.clean(f"to {MAIL}.\n".encode(encoding), "text/plain", None).value
    assert b"<EMAIL_ADDRESS>" in cleaned
    assert b"quill" not in cleaned.replace(b"\0", b"")


def test_quotation_marks_of_json_in_json_are_no_disguise() -> None:
    text = json.dumps({"a": json.dumps({"b": ["ana", "quill"], "c": "@example.org"})})
    assert STANDARD.clean(text.encode(), "application/json", None).value == text.encode()
    assert not SIGN.search(read_json(text.encode()).decode())
