"""Known secrets of several words in streams: none of their words goes out before it is known what they are part of."""

import json
import random
import string
from urllib.parse import quote

import pytest

from redaction.begun import Begun
from redaction.known import Known
from redaction.streams import stage
from tests.redaction.hostile import seconds

DICE = random.Random(5)


def word(size: int) -> str:
    return "".join(DICE.choices(string.ascii_letters + string.digits, k=size))


PHRASE = "correct horse battery staple"
SPACED = {
    "a phrase": PHRASE,
    "many lines": "\n".join(word(64) for _ in range(12)),
    "JSON": json.dumps({"type": "service_account", "id": word(20), "key": [word(80) for _ in range(4)]}, indent=2),
    "other scripts": "秘密のパスワードは「" + "".join(chr(DICE.randrange(0x3041, 0x3090)) for _ in range(300)) + "」",
}


def test_where_what_a_text_ends_with_begins() -> None:
    begun = Begun([b"correct horse", b"correct horse battery", b"oneword1"])
    for text, place in {
        "it is ": 6,
        "it is c": 6,
        "é is CORRECT ho": 5,
        "correct horse": 0,
        "correct horse b": 0,
        "correct horse battery": 21,
        "correct horses": 14,
        "cc": 1,
        "onewo": 5,
    }.items():
        assert begun.place(text) == place, text
    assert not Begun([b"oneword1"])


@pytest.mark.parametrize("pause", [False, True])
@pytest.mark.parametrize("step", [1, 7, 100, 300])
@pytest.mark.parametrize("name", SPACED)
def test_none_is_shown_in_parts(name: str, step: int, pause: bool) -> None:
    secret = SPACED[name]
    for written in (secret, secret[::-1], secret.upper(), json.dumps(secret)[1:-1], quote(secret, safe=" \n")):
        text = f"so it is {written} and that is all of it, " + "and so on " * 100
        pieces = [text[at : at + step] for at in range(0, len(text), step)]
        for media_type, bodies in {
            "text/plain": [each.encode() for each in pieces],
            "text/event-stream": [b"data: %b\n\n" % json.dumps({"delta": each}).encode() for each in pieces],
        }.items():
            way, given = stage(Known([secret]), media_type, None), b""
            for body in bodies:
                given += b"".join([*way.feed(body), *(way.pause() if pause else ())])
            told = (given + b"".join(way.close())).decode()
            if media_type != "text/plain":
                told = "".join(json.loads(each[6:])["delta"] for each in told.split("\n\n") if each)
            assert told == text.replace(written, "<KNOWN_SECRET>"), media_type


def test_what_only_begins_like_one_goes_on() -> None:
    way = stage(Known([PHRASE]), "text/plain", None)
    assert b"".join([*way.feed(b"a correct horse "), *way.pause()]) == b"a "
    assert b"".join([*way.feed(b"is not it, "), *way.pause()]) == b"correct horse is not it, "
    assert b"".join(way.close()) == b""


def test_many_that_begin_alike_cost_little() -> None:
    known = Known([f"correct horse {word(12)} {word(40)}" for _ in range(3_000)])
    text = "correct horse " * 500

    def feed() -> None:
        way = stage(known, "text/plain", None)
        for at in range(0, len(text), 70):
            list(way.feed(text[at : at + 70].encode()))
            list(way.pause())

    assert seconds(feed, 0.5) <= 0.5
