import json
import random
from base64 import b64decode, b64encode, encodebytes, urlsafe_b64decode, urlsafe_b64encode
from urllib.parse import quote, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redaction.detector import all_patterns
from redaction.engine import Engine
from redaction.finding import kinds
from redaction.keys import Keys
from redaction.opening import GATES, MOST_OPENED, opening
from redaction.operators import Way
from redaction.profiles import kinds_of
from redaction.scanner import Scanner
from redaction.streams import stage
from tests.redaction.families import each_family
from tests.redaction.fill import fill
from tests.redaction.hostile import seconds

STANDARD = Scanner(kinds_of("standard"))
EVERY = Scanner(frozenset(pattern.kind for pattern in all_patterns()))
MAIL, HID = "ana@example.org", "<EMAIL_ADDRESS>"
NOTE = f"Write to {MAIL} today?>~ "
TYPES = ["application/json", "application/x-ndjson", "text/plain", "text/html", "text/csv", "application/xml"]


def clean(text, media_type="text/plain", scanner=STANDARD):
    cleaned = scanner.clean(text.encode(), media_type, None)
    return cleaned.value.decode(), dict(cleaned.counts)


def in_json(value, scanner=STANDARD):
    cleaned, counts = clean(json.dumps({"a": value}), "application/json", scanner)
    return json.loads(cleaned)["a"], counts


def encoded(text):
    return b64encode(text.encode()).decode()


@pytest.mark.parametrize("media_type", TYPES)
def test_base64_is_opened_and_closed_in_every_type(media_type):
    body = f'{{"a": "{encoded(NOTE)}", "b": 1.0}}' if "json" in media_type else f"a {encoded(NOTE)} b"
    cleaned, counts = clean(body, media_type)
    assert cleaned == body.replace(encoded(NOTE), encoded(NOTE.replace(MAIL, HID)))
    assert counts == {"EMAIL_ADDRESS": 1}


@pytest.mark.parametrize("tail", ["", "?", "?>", "?>~", "?>~~"])
def test_alphabet_and_padding_stay(tail):
    text = f"mail {MAIL} {tail}"
    for encode, decode in ((b64encode, b64decode), (urlsafe_b64encode, urlsafe_b64decode)):
        whole = encode(text.encode()).decode()
        for form in {whole, whole.rstrip("=")}:
            made, _ = in_json(f"data:text/plain;base64,{form}")
            head, _, new = made.partition(",")
            assert head == "data:text/plain;base64"
            assert decode(new + "=" * (-len(new) % 4)).decode() == text.replace(MAIL, HID)
            assert new.endswith("=") <= form.endswith("=") or len(form) % 4 == 0
            assert not set("+/") & set(new) or not set("-_") & set(form)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_stay_lines_however_deep_in_json(end):
    text = NOTE * 9
    lines = encodebytes(text.encode()).decode().replace("\n", end)
    value = lines
    for deep in range(3):
        made = in_json(value)[0]
        for _ in range(deep):
            made = json.loads(made)["b"]
        assert b64decode(made).decode() == text.replace(MAIL, HID)
        assert made.endswith(end)
        *full, last, rest = made.split(end)
        assert {len(line) for line in full} == {76}
        assert 0 < len(last) <= 76
        assert rest == ""
        value = json.dumps({"b": value})
    assert b64decode(clean(f"Body:{end}{lines}")[0].partition(end)[2]).decode() == text.replace(MAIL, HID)


def test_what_is_in_it_is_read_as_what_it_is():
    inner = json.dumps({"ssn": "078051120", "n": [1, 4111111111111111], "x": 1.10})
    made, counts = in_json(encoded(inner))
    assert b64decode(made).decode() == '{"ssn": "<US_SSN>", "n": [1, "<CREDIT_CARD>"], "x": 1.1}'
    assert counts == {"US_SSN": 1, "CREDIT_CARD": 1}
    ways = frozenset({("EMAIL_ADDRESS", Way("hash")), ("CREDIT_CARD", Way("mask", "#"))})
    hashing = Scanner(STANDARD.kinds, ways, b"k" * 32)
    token = in_json(MAIL, hashing)[0]
    assert b64decode(in_json(encoded(NOTE), hashing)[0]).decode() == NOTE.replace(MAIL, token)
    assert in_json(f"https://x.example/?q={quote(MAIL)}&a=%20", hashing)[0] == f"https://x.example/?q={token}&a=%20"
    assert in_json("card%20number=4111%201111%201111%201111", hashing)[0] == "card%20number=" + "%23" * 19


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("https://x.example/?email=ana%40example.org&b=%2Fa%20", f"https://x.example/?email={HID}&b=%2Fa%20"),
        ("https://x.example/?email=ana%2540example.org", f"https://x.example/?email={HID}"),
        ("https://x.example/?email=%61%6e%61%40example%2Eorg#a", f"https://x.example/?email={HID}#a"),
        ("mailto:ana%2Btag%40example.org?subject=%C3%A9", f"mailto:{HID}?subject=%C3%A9"),
        ("x=1&tel%3A%2B49+30+901820&x=1", "x=1&tel%3A<PHONE_NUMBER>&x=1"),
        (f"data={quote(encoded(NOTE))}&x=%41", f"data={quote(encoded(NOTE.replace(MAIL, HID)), safe='')}&x=%41"),
        ("é %C3%A9 ana%40example.org é", f"é %C3%A9 {HID} é"),
        (f"100% of {MAIL} and 50%", f"100% of {HID} and 50%"),
    ],
)
def test_percent_encoded_text(before, after):
    for made, _ in (in_json(before), clean(before)):
        assert made == after
    php = json.dumps({"a": before}).replace("/", "\\/")
    assert json.loads(clean(php, "application/json")[0])["a"] == after


@pytest.mark.parametrize(
    "value",
    [
        "created_at_timestamp_of_the_customer_record",
        "https://x.example/a/very/long/path/that/goes/on?page%5Bsize%5D=100&q=%22a%20b%22",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        encoded("gid://shop/Order/1234567890"),
        encoded("plain words and nothing else in them"),
        b64encode(random.Random(1).randbytes(30_000)).decode(),
        b64encode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + MAIL.encode() + b"\0\xff\xfe" * 30).decode(),
    ],
)
def test_what_holds_nothing_stays(value):
    for kind in TYPES:
        body = json.dumps({"a": value}) if "json" in kind else value
        assert clean(body, kind) == (body, {})


def test_a_token_of_its_own_kind_stays_whole():
    head, claims, sign = (urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in
                          ({"alg": "HS256"}, {"email": MAIL}, {"signed": NOTE}))  # fmt: skip
    token = f"{head}.{claims}.{sign}"
    mails = Scanner(frozenset({"EMAIL_ADDRESS"}))
    assert in_json(f"Bearer {token}", mails) == (f"Bearer {token}", {})
    assert in_json(token) == ("<JWT>", {"JWT": 1})
    for value in (f"{head} and then.{encoded(NOTE)}", f"{claims}.json", f"x.{claims}"):  # these are none
        assert in_json(value, mails)[1] == {"EMAIL_ADDRESS": 1}


def test_so_many_in_each_other_are_opened():
    value = NOTE
    for deep in range(1, MOST_OPENED + 2):
        value = encoded(value)
        made, counts = in_json(value)
        assert bool(counts) is (deep <= MOST_OPENED)
        assert (made == value) is not bool(counts)


@each_family
def test_every_kind_in_base64_also_among_many(family):
    """What a look at each finds is found, though many are looked at together."""
    for pattern in family:
        assert_found_among_many(pattern)


def assert_found_among_many(pattern):
    engine, _ = opening(Engine([pattern], Keys(frozenset()), GATES))
    plain = Engine([pattern])
    for number, each in enumerate(pattern.yes):
        text = f"Their {' '.join(pattern.context[:1])} {fill(each)} it is, they said"
        if not plain.find(text):
            continue
        words = [encoded(f"word number {other} of many") for other in range(40)]
        words.insert(number % 40, encoded(text))
        found = engine.find(" ".join(words))
        assert set(kinds(found)) == {pattern.kind}, (pattern.name, text)
        assert found[0].opened.text == text


PRINTED = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=30)


@settings(deadline=None)
@given(st.lists(st.one_of(PRINTED, st.binary(max_size=30).map(lambda each: b64encode(each).decode()))))
def test_nothing_found_is_byte_for_byte_and_else_valid(texts):
    wrapped = [encoded(text) for text in texts] + [quote(text) for text in texts]
    body = json.dumps({"a": wrapped, "b": "".join(texts)})
    made, counts = clean(body, "application/json", EVERY)
    assert (made == body) is not bool(counts)
    told = json.loads(made)["a"]
    for before, after in zip(wrapped[: len(texts)], told, strict=False):
        assert before == after or after.startswith("<") or b64decode(after + "==")
    mails = json.dumps({"a": [encoded(f"{text} {NOTE}") for text in texts]})
    for made in json.loads(clean(mails, "application/json")[0])["a"]:
        assert MAIL not in b64decode(made).decode()


def nested(times):
    value = {"a": "words and so on " * 200}
    for _ in range(times):
        text = json.dumps(value)
        value = {"b": encoded(text), "c": text} if len(text) < 20_000 else {"b": encoded(text)}
    return json.dumps(value)


@pytest.mark.parametrize(
    "text",
    [
        b64encode(random.Random(1).randbytes(750_000)).decode(),
        "%25" * 33_000,
        "%2525+" * 16_000,
        "%40" * 33_000,
        (encoded("aaa" * 4) + " ") * 6_000,
        (encoded("aaa" * 4) + "/") * 6_000,
        (encoded("aaa" * 4) + "//4 ") * 4_000,
        (encoded("a" * 57) + "\n") * 1_300,
        "eyJ" * 33_000,
        "eyJ." * 25_000,
        (encoded("aaa" * 4) + ".") * 5_000,
        nested(6),
        encoded(nested(4)),
    ],
    ids=[
        "alphabet",
        "percents",
        "plus",
        "signs",
        "words",
        "path",
        "broken",
        "lines",
        "heads",
        "tokens",
        "dots",
        "nested",
        "nested in one",
    ],
)
def test_hostile_text_costs_no_more_than_its_length(text):
    body = text if text[0] == "{" else json.dumps({"a": text})
    bound = 0.1 * max(1, len(body) / 100_000)
    for scanner in (STANDARD, EVERY):
        assert seconds(lambda scanner=scanner: scanner.clean(body.encode(), "application/json", None), bound) <= bound


def test_twenty_in_each_other_end():
    value = NOTE
    for _ in range(20):
        value = encoded(value)
    assert in_json(value) == (value, {})
    escaped = "ana@example.org"
    for _ in range(20):
        escaped = quote(escaped)
    assert unquote(in_json(escaped)[0]) == unquote(escaped)


HIDDEN_BY_ESCAPES = {
    r"ana\u0040example.org": HID,
    r"\u0061\u006e\u0061\u0040example.org": HID,
    r"ana\\u0040example.org": HID,
    r"\n4111 1111 1111 1111": r"\n<CREDIT_CARD>",
    r"\r\n4111111111111111\n": r"\r\n<CREDIT_CARD>\n",
    r"\u00204111111111111111": r"\u0020<CREDIT_CARD>",
    r"ssn:\t078-05-1120": r"ssn:\t<US_SSN>",
    "%0A4111111111111111": "%0A<CREDIT_CARD>",
    r"export BUNDLE_GEMS__CONTRIBSYS__COM=\"767df4d2:b22b3c7f\"": (
        r"export BUNDLE_GEMS__CONTRIBSYS__COM=\"<CONTRIBSYS_CREDENTIALS>\""
    ),
    r"new NetworkCredential(\"ana\", \"{}\")".replace("{}", "x7Hq2Lw9"): (
        r"new NetworkCredential(\"ana\", \"<COMMAND_PASSWORD>\")"
    ),
}


@pytest.mark.parametrize("line", ['500 body={{"a": "{}"}} id=7', "{}", "said {}, then"])
@pytest.mark.parametrize("escaped", HIDDEN_BY_ESCAPES)
def test_the_escapes_of_json_hide_nothing_in_what_is_not_json(escaped, line):
    before, after = line.format(escaped), line.format(HIDDEN_BY_ESCAPES[escaped])
    assert clean(before)[0] == after
    assert in_json(before)[0] == after
    assert in_json(in_json(before)[0])[0] == after


def test_the_escapes_of_other_scripts_hide_no_word_that_tells_of_a_value():
    """As `json.dumps` writes them where nobody says otherwise."""
    scanner = Scanner(frozenset({"KR_RRN"}))
    line = "500 body=" + json.dumps({"note": "주민등록번호: 9601211234567"})
    assert scanner.clean_text(line).value == line.replace("9601211234567", "<KR_RRN>")


@pytest.mark.parametrize(
    "text",
    [
        r"C:\new\temp\readme.txt",
        r"\d+\n4111",
        r"say \"hello\" to C:\ubuntu \u001b[0m \uc8fc",
        r"a\u0041b \n1 \t2",
        "\\",
        r"\n5\u00",
        r"\u0040",
    ],
)
def test_backslashes_that_hide_nothing_stay(text):
    assert clean(text) == (text, {})
    assert in_json(text) == (text, {})


@pytest.mark.parametrize("piece", [r"\n1", r"\"a1", r"\uc8fc", r"\u0040", r"a\u0040", r"\n4111 ", "\\", r"\\u0040"])
def test_many_escapes_cost_little(piece):
    text = (piece * (100_000 // len(piece))).encode()
    assert seconds(lambda: STANDARD.clean(text, "text/plain", None), 0.1) <= 0.1


@pytest.mark.parametrize("escaped", HIDDEN_BY_ESCAPES)
def test_where_a_stream_is_cut_hides_nothing_behind_escapes(escaped):
    before, after = (f"said {each} end".encode() for each in (escaped, HIDDEN_BY_ESCAPES[escaped]))
    for at in range(len(before) + 1):
        way = stage(STANDARD, "text/plain", None)
        pieces = [*way.feed(before[:at]), *way.pause(), *way.feed(before[at:]), *way.close()]
        assert b"".join(pieces) == after


@pytest.mark.parametrize("escape", [r"\t", r"\n", r"\r", r"\b", r"\f", r"\u000a", r"\u0009", r"\"", r"\u0020"])
@pytest.mark.parametrize("value", ["ana@example.org", "4111 1111 1111 1111", "+49 30 1234567", "ghp_" + "a1B2c3" * 6])
def test_an_escape_beside_a_finding_stays_whole(escape: str, value: str) -> None:
    scanner = Scanner(kinds_of("standard"))
    text = f'{{"a": "b{escape}{value}{escape}c"}}'
    cleaned = scanner.clean_json(text).value
    assert json.loads(cleaned)["a"].startswith(json.loads(f'"b{escape}"'))
    assert value not in cleaned
    for line in (f"log: {text} end", json.dumps({"log": f"log: {text} end"})):
        plain = scanner.clean(
            line.encode(), "application/json" if line[0] == "{" else "text/plain", None
        ).value.decode()
        logged = json.loads(plain)["log"] if line[0] == "{" else plain
        assert value not in logged
        assert json.loads(logged.removeprefix("log: ").removesuffix(" end"))["a"].startswith("b")
