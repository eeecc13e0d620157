import pytest
from hypothesis import given
from hypothesis import strategies as st

from redaction.linear import ANYWHERE, matcher
from redaction.words import Words, beginning, within

WORDS = ("phone", "social security")
PHONE = Words(WORDS)
BEGINNING, WITHIN = matcher(beginning(WORDS)), matcher(within(WORDS))


def may_stand_in(text: bytes) -> bool:
    begins, stands = (each(ANYWHERE, text, 0, len(text))[0] for each in (BEGINNING, WITHIN))
    assert begins < (0, 0) or stands > (-1, -1)
    return begins > (-1, -1)


@pytest.mark.parametrize(
    "text", [b"my phone is", b"Phone:", b"PHONES", b"home_phone=1", b"phone", b"a social security no"]
)
def test_a_whole_word_is_seen(text: bytes) -> None:
    assert PHONE.stand_in(text)


@pytest.mark.parametrize("text", [b"", b"telephony", b"phoneme", b"xylophone", b"social  life", b"phon e"])
def test_a_part_of_a_word_is_not(text: bytes) -> None:
    assert not PHONE.stand_in(text)


@pytest.mark.parametrize(
    "key",
    [
        "phone",
        "phones",
        "homePhone",
        "home_phone",
        "home-phone",
        "phoneNumber",
        "phone_no",
        "phone_2",
        "socialSecurity",
    ],
)
def test_a_key_that_ends_with_the_word_names_it(key: str) -> None:
    assert PHONE.end(key)


@pytest.mark.parametrize("key", ["", "phone_verified_at", "phoneType", "phoneme", "microphone", "phone_id", "\ud800"])
def test_a_key_that_goes_on_with_something_else_does_not(key: str) -> None:
    assert not PHONE.end(key)


@pytest.mark.parametrize(
    "text", [b'{"homePhone": 1}', b'{"social_security": 1}', b"SOCIAL SECURITY", b"a_phone", b"PHONES"]
)
def test_what_may_stand_somewhere_is_never_denied(text: bytes) -> None:
    assert may_stand_in(text)


def test_what_stands_nowhere_is_denied() -> None:
    assert not may_stand_in(b'{"id": 5551234567, "social": "insecurity", "a": "microphones, xphone"}')


KEYS = st.text(st.sampled_from("aAzZ0_ -sSé"), max_size=4)
FORMS = st.sampled_from(["phone", "Phone", "PHONE", "phones", "socialSecurity", "social_security", "Social Security"])


@given(KEYS, FORMS, KEYS)
def test_wherever_a_word_counts_it_may_stand(before: str, word: str, after: str) -> None:
    key = before + word + after
    if PHONE.end(key) or PHONE.stand_in(key.encode()):
        assert may_stand_in(f'{{"{key}": 1}}'.encode())


def test_a_word_beyond_ascii_is_seen() -> None:
    words = Words(("teléfono",))
    assert words.stand_in("mi Teléfono es".encode())
    assert words.end("teléfono")


def test_no_words_are_nowhere() -> None:
    words = Words(())
    assert not any([words.stand_in(b"anything"), words.end("any")])
