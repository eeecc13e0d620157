"""Known secrets in every way in which they may be written, and in none in which they are not."""

import json
import pickle
import re
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from html import escape
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from redaction.known import KIND, LEAST, MOST_VALUES, Known, trivial
from redaction.scanner import Unreadable
from redaction.streams import stage
from tests.counts import examples

MARK = f"<{KIND}>"
SECRETS = ['aX9/ke+Y z"q\\t&<7é!', "kq7-31aZ-wU", "38201749560", "-----KEY\nab/9+\nxY\n-----", "pass word: ß€😀1"]
KNOWN = Known(SECRETS)
Write = Callable[[str], str]


def percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def escaped(text: str) -> str:
    """Each character as JSON's `\\uXXXX`."""
    wide = text.encode("utf-16-be")
    return "".join(f"\\u{wide[at]:02x}{wide[at + 1]:02x}" for at in range(0, len(wide), 2))


WAYS: dict[str, Write] = {
    "as it is": str,
    "reversed": lambda text: text[::-1],
    "upper case": str.upper,
    "lower case": str.lower,
    "the other case": str.swapcase,
    "hex": lambda text: text.encode().hex(),
    "upper hex": lambda text: text.encode().hex().upper(),
    "base64": lambda text: b64encode(text.encode()).decode(),
    "base64 behind one byte": lambda text: b64encode(b":" + text.encode()).decode(),
    "base64 behind two bytes": lambda text: b64encode(b"a:" + text.encode()).decode(),
    "base64 before others": lambda text: b64encode(b"user:" + text.encode() + b"@host").decode(),
    "base64url": lambda text: urlsafe_b64encode(text.encode()).decode(),
    "base64url in others": lambda text: urlsafe_b64encode(b"user:" + text.encode() + b"??").decode().rstrip("="),
    "percent": lambda text: quote(text, safe=""),
    "percent in a path": quote,
    "percent everywhere": percent,
    "small percent everywhere": lambda text: percent(text).lower(),
    "form": quote_plus,
    "twice percent": lambda text: quote(quote(text, safe="")),
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON as UTF-8": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON everywhere": escaped,
    "JSON in JSON": lambda text: json.dumps(json.dumps({"a": text})),
    "HTML": escape,
    "percent of base64": lambda text: quote(b64encode(text.encode()).decode(), safe=""),
}
TYPES: dict[str, Write] = {
    "application/json": lambda text: json.dumps({"a": [f"to {text}.", 1.10], text: None}),
    "application/problem+json": lambda text: json.dumps([f"{text}"], ensure_ascii=False),
    "application/x-ndjson": lambda text: f"{json.dumps(text)}\n{json.dumps([text])}\n",
    "text/plain": lambda text: f"it is {text}, is it?",
    "text/html": lambda text: f"<b title='x'>{escape(text)}</b>",
    "application/x-www-form-urlencoded": lambda text: f"a={quote_plus(text)}&b=1",
    "text/event-stream": lambda text: f"data: {json.dumps({'a': text})}\n\n",
    "application/x-unheard-of": lambda text: f"<{text}>",
}


@pytest.mark.parametrize("media_type", TYPES)
@pytest.mark.parametrize("way", WAYS)
def test_no_way_to_write_a_secret_hides_it(way: str, media_type: str) -> None:
    for secret in SECRETS:
        written = WAYS[way](secret)
        cleaned = KNOWN.clean(TYPES[media_type](written).encode(), media_type, None)
        text = cleaned.value.decode()
        assert cleaned.counts[KIND] >= 1, secret
        assert written not in text
        assert not KNOWN.sees(cleaned.value)
        if "json" in media_type:
            assert [json.loads(line) for line in text.splitlines()]


def test_all_around_it_stays_as_it_is() -> None:
    body = '{ "id": 12345678901234567890, "a":"\\u0041 kq7-31aZ-wU \\u0042" ,"n":1.10}'
    cleaned = KNOWN.clean(body.encode(), "application/json", "utf-8")
    assert cleaned.value.decode() == body.replace("kq7-31aZ-wU", MARK)
    assert cleaned.counts == {KIND: 1}


def test_a_number_becomes_a_string_and_a_name_is_cleaned() -> None:
    body = b'{"n": 38201749560, "x38201749560": [-3820174956.00]}'
    assert (
        KNOWN.clean(body, "application/json", None).value
        == b'{"n": "<KNOWN_SECRET>", "x<KNOWN_SECRET>": [-3820174956.00]}'
    )


def test_an_escape_before_it_goes_along_so_that_the_document_stays_valid() -> None:
    known = Known(["nbX7-qR2w9"])
    event = "data: " + json.dumps({"a": "line\nbX7-qR2w9", "b": "x\\nbX7-qR2w9"})
    cleaned = known.clean(event.encode(), "text/event-stream", None).value.decode()
    assert json.loads(cleaned.removeprefix("data: ")) == {"a": f"line{MARK}", "b": f"x\\{MARK}"}


def test_the_longest_goes_first() -> None:
    known = Known(["kq7-31aZ-wU", "kq7-31aZ-wU-and-more", "xx-kq7-31aZ"])
    assert known.text("kq7-31aZ-wU-and-more") == MARK
    assert known.text("xx-kq7-31aZ-wU.") == f"{MARK}-wU."
    assert known.text("kq7-31aZ-wU-and-mor") == f"{MARK}-and-mor"


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "windows-1252"])
def test_charsets(charset: str) -> None:
    known = Known(["geheim-Ölüß-9"])
    cleaned = known.clean("ä geheim-Ölüß-9 é".encode(charset), "text/plain", charset)
    assert cleaned.value == f"ä {MARK} é".encode(charset)


@pytest.mark.parametrize("charset", ["iso-8859-1", "windows-1252"])
def test_utf_8_amid_what_is_none(charset: str) -> None:
    with pytest.raises(Unreadable, match="known secret that cannot be taken out"):
        Known(["geheim-Ölüß-9"]).clean(b"\xe9 " + "geheim-Ölüß-9".encode(), "text/plain", charset)


@pytest.mark.parametrize(
    ("body", "media_type", "charset"),
    [
        (b"\x89PNG\xff kq7-31aZ-wU", "image/png", None),
        ("kq7-31aZ-wU".encode("utf-16"), "text/plain", "utf-16"),
        ("kq7-31aZ-wU".encode("utf-16-be"), "text/plain", "utf-16be"),
        (b"\xff a3E3LTMxYVotd1U=", "application/octet-stream", None),
        (b"kq7-31aZ-wU", "text/plain", "x-unheard-of"),
        (b'{"a": "kq7-31aZ-wU"', "application/json", "x-unheard-of"),
        (b'["a","b1-c2"]', "application/json", None),
        ("kq7-31aZ-wU".encode("utf-16-le"), "text/plain", None),
        (b"x" + "kq7-31aZ-wU".encode("utf-16-le"), "image/png", "utf-16"),
        ("kq7-31aZ-wU".encode("utf-32-be"), "application/octet-stream", None),
        ("kq7\u200b-31\u00adaZ-\u2060wU".encode(), "text/plain", None),
        (rb'{"a": "kq7-\u200b31aZ-wU"}', "application/json", None),
    ],
)
def test_what_cannot_be_taken_out_is_not_shown(body: bytes, media_type: str, charset: str | None) -> None:
    with pytest.raises(Unreadable, match="known secret that cannot be taken out"):
        Known(["kq7-31aZ-wU", 'a","b1-c2']).clean(body, media_type, charset)


def test_what_holds_none_passes_whatever_it_is() -> None:
    for body in (b"\x89PNG\xff\0\0", b'{"a": "kq7"', b"", "kq7-31aZ".encode("utf-16"), b"%%%&&&\\\\\\"):
        assert KNOWN.clean(body, "application/json", None).value == body
    assert Known().clean(b"kq7-31aZ-wU", "text/plain", None).value == b"kq7-31aZ-wU"


def test_values_of_arguments() -> None:
    value = {"a": ["x kq7-31aZ-wU", 38201749560, 1.5, True, None], "kq7-31aZ-wU": {}}
    assert KNOWN.value(value) == {"a": [f"x {MARK}", MARK, 1.5, True, None], MARK: {}}
    with pytest.raises(Unreadable, match="too deep"):
        KNOWN.value([[[]]], 1)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "less than 8 bytes"),
        ("aX9-k2q", "less than 8 bytes"),
        ("aaaaaaaaaaaa", "different characters"),
        ("abababababcc", "different characters"),
        ("12345678", "a row"),
        ("87654321", "a row"),
        ("QWERTYUI", "a row"),
        ("password", "a word"),
        ("Password1!", "a word"),
        ("changeme", "a word"),
        ("postgres123", "a word"),
        ("your-api-key", "a word"),
        ("<your token>", "a word"),
        ("production", "a word"),
        ("Administrator", "a word"),
        ("DEVELOPMENT", "a word"),
        ("aX9-k2q8", ""),
        ("correct horse battery staple", ""),
        ("xkqzjwpvmt", ""),
        ("9f86d081", ""),
    ],
)
def test_which_values_are_trivial(value: str, why: str) -> None:
    said = trivial(value)
    assert (why in said) if why else not said
    assert [bool(left.why) for left in Known([value]).left_out] == [True] * bool(why)
    assert not value or value not in said


def test_bounds() -> None:
    with pytest.raises(ValueError, match="longer than"):
        Known(["aX9-" * 5_000])
    with pytest.raises(ValueError, match="more than"):
        Known(f"aX9-{number:08}" for number in range(MOST_VALUES + 1))


def test_nothing_shows_them() -> None:
    assert repr(KNOWN) == str(KNOWN) == f"Known({sum(len(part.forms) for part in KNOWN._parts)} forms)"
    assert "kq7" not in repr(KNOWN)
    with pytest.raises(TypeError):
        pickle.dumps(KNOWN)


_VALUES = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=LEAST, max_size=30).filter(
    lambda value: not trivial(value) and value == value.strip()
)


@settings(max_examples=examples(150))
@given(_VALUES, st.sampled_from(sorted(WAYS)), st.sampled_from(sorted(TYPES)), st.text('ab\\"%&é/+ ', max_size=5))
def test_any_value_in_any_way(value: str, way: str, media_type: str, around: str) -> None:
    # Behind a backslash `\\ud800\\udc00` is text and half a character: no reader sees the value.
    assume(value[0] <= "\uffff" or (len(around) - len(around.rstrip("\\"))) % 2 == 0)
    known = Known([value])
    body = TYPES[media_type](around + WAYS[way](value) + around).encode()
    try:
        cleaned = known.clean(body, media_type, None)
    except Unreadable:
        return
    assert not known.sees(cleaned.value)
    if way in ("as it is", "reversed", "hex", "base64", "percent everywhere", "JSON everywhere"):
        assert cleaned.counts
    if "json" in media_type:
        assert [json.loads(line) for line in cleaned.value.decode().split("\n") if line]


@pytest.mark.parametrize(
    "hostile",
    [b"sk-proj-0a1b2c" * 70_000, b"%2525" * 200_000, b"&amp;amp;" * 110_000, rb"\\\\" * 250_000, rb"\u0025" * 160_000],
    ids=["beginnings", "percent", "entities", "backslashes", "escapes"],
)
def test_hostile_text_costs_little(hostile: bytes) -> None:
    known = Known(f"sk-proj-0a1b2c3d{number:05}{'x' * (number % 40)}" for number in range(500))
    began = time.perf_counter()
    known.clean(b'"' + hostile + b'"', "application/json", None)
    assert time.perf_counter() - began < 5  # some 0.1 s


def _deltas(*pieces: str) -> str:
    return "".join(f"data: {json.dumps({'delta': {'content': piece}})}\n\n" for piece in pieces)


STREAMS = {
    "text/event-stream": _deltas("so: kq7-", "31aZ-", "wU and ", "on")
    + 'data: {"x": "Zt5!hGq0pR"}\n\nid: kq7-31aZ-wU\n\n',
    "application/x-ndjson": '{"a": "kq7-31aZ-wU"}\n{"b": [1, "x Zt5!hGq0pR"]}\n',
    "text/plain": "It is kq7-31aZ-wU, or Zt5!hGq0pR; " + "and so on " * 60 + "a3E3LTMxYVotd1U= " + "to the end " * 40,
}


@pytest.mark.parametrize("media_type", STREAMS)
def test_streams_hold_none_wherever_they_are_cut(media_type: str) -> None:
    known = Known(["kq7-31aZ-wU", "Zt5!hGq0pR"])
    body = STREAMS[media_type].encode()
    outputs = set()
    for cut in range(len(body) + 1):
        made = stage(known, media_type, None)
        outputs.add(b"".join([*made.feed(body[:cut]), *made.feed(body[cut:]), *made.close()]))
        assert made.counts[KIND] >= 2
    (output,) = outputs
    assert not known.sees(output)
    joined = re.sub(rb'"\}\}\n\ndata: \{"delta": \{"content": "', b"", output)
    assert not known.sees(joined)
    assert joined.count(MARK.encode()) >= 2


def test_sets_that_become_one_find_what_each_found_and_tell_whose_it_was() -> None:
    one, two, both = Known(["kestrel-9Xw4pQ7t"], {"kestrel-9Xw4pQ7t": "one"}), Known(["osprey-3Vb8nK1s"]), Known()
    both.become(one, two)
    text = "osprey-3Vb8nK1s, kestrel-9Xw4pQ7t"
    assert both.clean_text(text).value == "<KNOWN_SECRET>, <KNOWN_SECRET>"
    assert both.whose(text.encode()) == {"one", ""}
    both.become(two)
    assert both.clean_text(text).value == "<KNOWN_SECRET>, kestrel-9Xw4pQ7t"
    both.become()
    assert not both
    assert not both.sees(text.encode())
