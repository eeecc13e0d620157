import json
import timeit
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redaction.profiles import UnknownKind, kinds_of
from redaction.scanner import Scanner, Unreadable
from redaction.walk import MOST_DEEP
from tests.redaction.fill import fill

STANDARD = Scanner(kinds_of("standard"))
JSON = "application/json"


def chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def clean(body: bytes, media_type: str = JSON, charset: str | None = None) -> tuple[bytes, Counter[str]]:
    stage = STANDARD.stage(media_type, charset)
    return stage.feed(body) + stage.close(), stage.counts


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"e":"ana@example.com"}', b'{"e":"<EMAIL_ADDRESS>"}'),
        (rb'{"e":"x ana\u0040example.com y"}', b'{"e":"x <EMAIL_ADDRESS> y"}'),
        (rb'["\n078-05-1120\t+14155550132"]', rb'["\n<US_SSN>\t<PHONE_NUMBER>"]'),
        (rb'["\"ana@example.com\"","\/"]', rb'["\"<EMAIL_ADDRESS>\"","\/"]'),
        (rb'["\ud83d ana@example.com \udc00\ud83d\ude00"]', rb'["\ud83d <EMAIL_ADDRESS> \udc00\ud83d\ude00"]'),
        ('["é мария@пример.рф ü"]'.encode(), '["é <EMAIL_ADDRESS> ü"]'.encode()),
        (b'{"card":4111111111111111, "n":1.0}', b'{"card":"<CREDIT_CARD>", "n":1.0}'),
        (b'{"homePhone":5551234567,"id":5551234567}', b'{"homePhone":"<PHONE_NUMBER>","id":5551234567}'),
        (b'{"ssn":"078051120","order":"078051120"}', b'{"ssn":"<US_SSN>","order":"078051120"}'),
        (b'{"phones":["030 1234567","030 7654321"]}', b'{"phones":["<PHONE_NUMBER>","<PHONE_NUMBER>"]}'),
        (b'{"version":"1.2.3.4","ip":"1.2.3.4"}', b'{"version":"1.2.3.4","ip":"1.2.3.4"}'),
        (b'{"ana@example.com":{"x":1}}', b'{"<EMAIL_ADDRESS>":{"x":1}}'),
        (b'{"a":"ana@example.com","a":"bob@example.com"}', b'{"a":"<EMAIL_ADDRESS>","a":"<EMAIL_ADDRESS>"}'),
        (b'"ana@example.com"', b'"<EMAIL_ADDRESS>"'),
        (b'\xef\xbb\xbf["ana@example.com"]', b'\xef\xbb\xbf["<EMAIL_ADDRESS>"]'),
        (b'["ana@","example.com"]', b'["ana@","example.com"]'),
    ],
)
def test_json_is_cleaned_leaf_by_leaf(before: bytes, after: bytes) -> None:
    assert clean(before)[0] == after


def test_everything_outside_a_finding_stays_byte_for_byte() -> None:
    rest = (
        rb' ,  "id" : 12345678901234567890 , "f":1.0, "e":1E+5,"z":-0.0e-0,"s":"\u00e9\/\b" , "n":null , "t": true }'
        + b"\r\n\t "
    )
    assert clean(b'{"e":"ana@example.com"' + rest)[0] == b'{"e":"<EMAIL_ADDRESS>"' + rest


@pytest.mark.parametrize(
    "text",
    [
        "f47ac10b-58cc-4372-a567-0e02b2c3d479",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
        "2024-05-01T12:00:00.123456+02:00",
        "Wed, 01 May 2024 12:00:00 +0200",
        "20240501T120000Z",
        "1714550400 1714550400123 1714550400123456 1714550400123456789",
        "1.2.3-rc.1+build.20240501",
        "version 10.0.19045.1",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
        "arn:aws:iam::123456789012:role/deploy",
        "registry.example:5000/team/app@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "pod/checkout-7d4b9c6f5d-x2x9k 1/1 Running 0 12d",
        "git@github.com:org/repo.git",
        "npm install lodash@4.17.21 @types/node@20.11.5",
        "order 112-7654321-1234567, invoice 2024-000123, ISBN 978-3-16-148410-0, EAN 4006381333931",
        "00:1a:2b:3c:4d:5e 127.0.0.1 0.0.0.0 ::1 255.255.255.0 10.0.0.0/8",
        "std::cafe::dead, a::b, 12:34:56.789",
        "x = -1234567890.12345e-10 + 0x7fffffffffffffff",
        "lat 52.5200066, lon 13.404954, size 1024x768, 3/4, 50%",
        "@@ -1234,7 +12345678,9 @@",
        "icon@2x.png getty@tty1.service user@localhost foo@bar",
        "550e8400e29b41d4a716446655440000 0000-0002-1825-0097",
        "sk-button-primary task-scheduler-with-a-very-long-kebab-case-name-indeed",
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    ],
)
def test_technical_text_is_left_alone(text: str) -> None:
    assert STANDARD.find(text) == []
    body = json.dumps({"note": text, "list": [text, f"({text})"]}).encode()
    assert clean(body) == (body, Counter())


def test_findings_are_counted_by_kind() -> None:
    body = b'["ana@example.com bob@example.com","078-05-1120",4111111111111111]'
    assert clean(body)[1] == {"EMAIL_ADDRESS": 2, "US_SSN": 1, "CREDIT_CARD": 1}


def test_counts_come_with_the_close() -> None:
    stage = STANDARD.stage(JSON, None)
    stage.feed(b'["ana@example.com"]')
    assert not stage.counts
    stage.close()
    assert stage.counts == {"EMAIL_ADDRESS": 1}


@pytest.mark.parametrize(
    ("media_type", "before", "after"),
    [
        ("text/plain", b"mail ana@example.com.", b"mail <EMAIL_ADDRESS>."),
        ("text/csv", b"id,mail\n1,ana@example.com\n", b"id,mail\n1,<EMAIL_ADDRESS>\n"),
        ("TEXT/PLAIN", b"ana@example.com", b"<EMAIL_ADDRESS>"),
        ("text/plain", rb'{"e":"ana\u0040example.com"}', b'{"e":"<EMAIL_ADDRESS>"}'),
        ("text/html", b"<a href='mailto:ana&#64;example.com'>", b"<a href='mailto:&lt;EMAIL_ADDRESS&gt;'>"),
        ("application/xml", b"<e>ana&#x40;example.com</e>", b"<e>&lt;EMAIL_ADDRESS&gt;</e>"),
        ("application/soap+xml", b"<e>ana@example.com</e>", b"<e>&lt;EMAIL_ADDRESS&gt;</e>"),
        ("application/x-www-form-urlencoded", b"e=ana%40example.com&n=1+2", b"e=%3CEMAIL_ADDRESS%3E&n=1+2"),
        ("application/problem+json", b'{"d":"ana@example.com"}', b'{"d":"<EMAIL_ADDRESS>"}'),
        ("text/json", b'{"d":"ana@example.com"}', b'{"d":"<EMAIL_ADDRESS>"}'),
        ("application/x-ndjson", b'{"a":"ana@example.com"}\r\n\n[1]\n', b'{"a":"<EMAIL_ADDRESS>"}\r\n\n[1]\n'),
        ("application/yaml", b"mail: ana@example.com", b"mail: <EMAIL_ADDRESS>"),
    ],
)
def test_each_media_type_is_cleaned_in_its_own_writing(media_type: str, before: bytes, after: bytes) -> None:
    assert clean(before, media_type)[0] == after


@pytest.mark.parametrize(
    ("charset", "e"),
    [("iso-8859-1", b"\xe9"), ("ISO-8859-1", b"\xe9"), ("windows-1252", b"\x80"), ("UTF-8", "é".encode())],
)
def test_a_charset_is_kept(charset: str, e: bytes) -> None:
    assert clean(e + b" ana@example.com " + e, "text/plain", charset)[0] == e + b" <EMAIL_ADDRESS> " + e


@pytest.mark.parametrize(
    ("body", "media_type", "charset"),
    [
        (b"ana@example.com", JSON, None),
        (b'{"a":"ana@example.com"', JSON, None),
        (b"[NaN]", JSON, None),
        (b"[1] ana@example.com", JSON, None),
        (b'["\xff ana@example.com"]', JSON, None),
        ('["é"]'.encode("latin-1"), JSON, "utf-8"),
        (b'["\xc3"]', JSON, "us-ascii"),
        (b"[" * 2_000 + b"]" * 2_000, JSON, None),
        (b"[" * 100_000, JSON, None),
        (b'{"a":1}\nana@example.com', "application/x-ndjson", None),
        (b"\xff", "text/plain", None),
        (b"\x81", "text/plain", "windows-1252"),
        (b"anything", "", None),
    ],
)
def test_a_body_that_is_not_what_it_says_is_refused_without_a_word_of_it(
    body: bytes, media_type: str, charset: str | None
) -> None:
    with pytest.raises(Unreadable) as refusal:
        clean(body, media_type, charset)
    assert "ana" not in str(refusal.value)
    assert not any(
        isinstance(error, ValueError) for error in chain(refusal.value)
    )  # they hold what they could not read


@pytest.mark.parametrize(
    ("media_type", "charset"),
    [
        ("image/png", None),
        ("application/octet-stream", None),
        ("text/event-stream", None),
        ("multipart/form-data", None),
        ("application/pdf", None),
        ("application/jsonp", None),
        ("nonsense", None),
        (JSON, "utf-16"),
        (JSON, "utf-7"),
        ("text/plain", "base64"),
        ("text/plain", "rot13"),
    ],
)
def test_what_cannot_be_checked_is_refused_before_its_first_byte(media_type: str, charset: str | None) -> None:
    with pytest.raises(Unreadable):
        STANDARD.stage(media_type, charset)


@pytest.mark.parametrize("media_type", [JSON, "text/plain", "text/html", "application/x-ndjson", ""])
def test_an_empty_body_is_always_fine(media_type: str) -> None:
    assert clean(b"", media_type) == (b"", Counter())


def test_the_cut_of_the_stream_does_not_matter() -> None:
    body = '{"e":"é ana@example.com","t":"+1 415 555 0132"}'.encode()
    whole = clean(body)
    for cut in range(len(body) + 1):
        stage = STANDARD.stage(JSON, None)
        out = stage.feed(body[:cut]) + stage.feed(body[cut:]) + stage.close()
        assert (out, stage.counts) == whole


def test_kinds_that_were_not_asked_for_stay() -> None:
    scanner = Scanner(frozenset({"IP_ADDRESS"}))
    assert scanner.clean_text("ana@example.com 10.0.0.1").value == "ana@example.com <IP_ADDRESS>"
    assert Scanner(frozenset()).clean_text("ana@example.com").value == "ana@example.com"


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(UnknownKind, match="EMAIL_ADDRESS"):
        Scanner(frozenset({"EMAIL_ADRESS"}))


def test_scanners_of_the_same_kinds_share_what_is_compiled() -> None:
    assert Scanner(kinds_of("standard"))._engine is Scanner(kinds_of("standard"))._engine
    assert not STANDARD.needs_presidio


def test_values_are_cleaned_as_texts_are() -> None:
    value = {"e": ["ana@example.com", True, None, 1.5], "ana@example.com": 1, "card": 4111111111111111}
    cleaned, counts = STANDARD.clean_json_value(value)
    assert cleaned == {"e": ["<EMAIL_ADDRESS>", True, None, 1.5], "<EMAIL_ADDRESS>": 1, "card": "<CREDIT_CARD>"}
    assert counts == {"EMAIL_ADDRESS": 2, "CREDIT_CARD": 1}


def test_a_value_nested_too_deep_is_refused() -> None:
    value: Any = "ana@example.com"
    for _ in range(MOST_DEEP // 2):
        value = {"a": [value]}
    assert STANDARD.clean_json_value(value)[1] == {"EMAIL_ADDRESS": 1}
    for _ in range(5 * MOST_DEEP):
        value = [value]
    with pytest.raises(Unreadable, match="deep"):
        STANDARD.clean_json_value(value)


# Pieces that hold findings, nearly hold some, or cut some off, and what tends to stand around them.
PIECES = ["ana@example.com", "@", ".", "4111 1111 1111 1111", "4111111111111112", "078-05-1120", "10.0.0.1", "phone"]
PIECES += ["+1 415 555 0132", "DE89370400440532013000", "\\u0040", "1", *' "\\\n,:{]é\U0001f600\ud800']
TEXTS = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
NUMBERS = (
    st.integers()
    | st.sampled_from([4111111111111111, 78051120, 5551234567])
    | st.floats(allow_nan=False, allow_infinity=False)
)
LEAVES = TEXTS | NUMBERS | st.booleans() | st.none()
NAMES = TEXTS | st.sampled_from(["phone", "ssn", "id", "version"])
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=8
)


@given(VALUES, st.booleans(), st.sampled_from([None, 2]))
@settings(deadline=None)
def test_the_text_and_the_value_are_cleaned_alike(value: Any, ascii_only: bool, indent: int | None) -> None:
    """Two ways to the same end: marks on the whole text and edits by place, and each leaf by itself."""
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    by_text, (by_value, counts) = STANDARD.clean_json(text), STANDARD.clean_json_value(value)
    assert json.loads(by_text.value) == by_value
    assert by_text.counts == counts
    assert counts or by_text.value == text


def document(items: int) -> bytes:
    item = {
        "id": 7,
        "name": "Customer number 7",
        "plan": "pro",
        "ok": True,
        "total": 12.5,
        "note": "nothing special here",
    }
    return json.dumps({"items": [item] * items}).encode()


@pytest.mark.parametrize("items", [9, 550])
def test_a_clean_reply_costs_at_most_five_times_its_parsing(items: int) -> None:
    body = document(items)
    number = 3000 // items
    parsing = min(timeit.repeat(lambda: json.loads(body), number=number, repeat=7))
    assert min(timeit.repeat(lambda: clean(body), number=number, repeat=7)) < 5 * parsing


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b"[" + b"[]," * 33_000 + b"1]",
        b'"' + rb"\u0041" * 16_000 + b'"',
        b'"' + rb"\u0040a." * 11_000 + b'"',
        b"[" + b"1" * 100_000 + b"]",
    ],
    ids=["deep", "wide", "escapes", "escaped @", "digits"],
)
def test_hostile_json_of_100_kb_costs_less_than_100_ms(body: bytes) -> None:
    def once() -> None:
        stage = STANDARD.stage(JSON, None)
        stage.feed(body)
        try:
            stage.close()
        except Unreadable:
            assert body.startswith(b"[[[")

    assert min(timeit.repeat(once, number=1, repeat=5)) < 0.1


def test_a_password_in_an_address_is_named_as_what_it_is() -> None:
    """With the host behind it, it looks like an e-mail address; whoever debugs needs the host."""
    word = "".join(("hunt", "er2", "x9Q"))
    cleaned = Scanner(kinds_of("standard")).clean_text(f"postgres://app:{word}@db.internal:5432/app")
    assert cleaned.counts == {"URL_PASSWORD": 1}
    assert cleaned.value == "postgres://app:<URL_PASSWORD>@db.internal:5432/app"


@pytest.mark.parametrize(
    ("key", "rest"),
    [
        ("LS0tLS1CRUdJTiBS" + "U0Eg{b64:120}==", "\n    token: x\n- name: bo\n"),
        ("LS0tLS1CRUdJTiBS" + "U0Eg{b64:60}\n      {b64:76}\n      {b64:20}=", "\nkind: Config\n"),
        ("PuTTY-User-Key-File-3: x\nPrivate-Lines: 2\n{b64:64}\n{b64:20}=", "\nPrivate-MAC: x\n"),
    ],
)
def test_what_follows_a_key_in_lines_stays(key: str, rest: str) -> None:
    """In a kubeconfig the name of the next value was taken for more of the key."""
    text = f"user:\n    client-key-data: {fill(key)}{rest}"
    cleaned = Scanner(kinds_of("standard")).clean_text(text).value
    assert cleaned.endswith("<PRIVATE_KEY>" + rest)


def test_each_of_a_list_of_cookies_goes() -> None:
    text = fill('{"cookies": ["sid={alnum:20}", "theme={alnum:20}"], "x": ["sid={alnum:20}"]}')
    cleaned = json.loads(Scanner(kinds_of("standard")).clean_json(text).value)
    assert cleaned == json.loads(text) | {"cookies": ["<COOKIE>"] * 2}


@pytest.mark.parametrize("profile", ["standard", "secrets", "strict"])
def test_the_names_of_variables_stay(profile: str) -> None:
    """A guess that began within `AWS_SECRET_ACCESS_KEY` took the end of the name out with the value."""
    text = fill("AWS_ACCESS_KEY_ID=AKIA{cut:0}{base32:16}\nAWS_SECRET_ACCESS_KEY={b64:38}a1\n")
    cleaned = Scanner(kinds_of(profile)).clean_text(text).value
    assert cleaned == "AWS_ACCESS_KEY_ID=<AWS_ACCESS_KEY_ID>\nAWS_SECRET_ACCESS_KEY=<AWS_SECRET_ACCESS_KEY>\n"
