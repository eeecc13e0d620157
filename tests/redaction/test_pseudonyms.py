"""Pseudonyms of one run: given, known again, and put back."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redaction import pseudonyms
from redaction.operators import REALISTIC, Way
from redaction.pseudonyms import ANY, Echo, InCall, Pseudonym, Pseudonyms, Restoring, TooMany
from redaction.scanner import Scanner
from redaction.sparing import ALL, Sparing
from redaction.streams import stage

KINDS = frozenset({"EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD"})
PLAIN = Scanner(KINDS, frozenset((kind, Way("pseudonym")) for kind in KINDS))
ALIKE = Scanner(KINDS, frozenset((kind, Way("pseudonym", REALISTIC)) for kind in KINDS))
ANA, BEN = "ana@corp.test", "ben@corp.test"


def run(**more: object) -> Pseudonyms:
    return Pseudonyms(bytes(16), **more)  # type: ignore[arg-type]


def test_values_are_numbered_by_kind_in_the_order_of_their_coming() -> None:
    known = run()
    told = [known.give(*each) for each in (("A", "x"), ("B", "x"), ("A", "y"), ("A", "x"), ("A", "X"))]
    assert told == ["<A_1>", "<B_1>", "<A_2>", "<A_1>", "<A_3>"]
    assert known.of("<A_2>") == Pseudonym("<A_2>", "A", 2, "y")
    assert known.of("<A_4>") is None
    assert [each.text for each in known.since(2)] == ["<A_2>", "<A_3>"]


def test_a_number_and_a_string_of_the_same_digits_are_two_values() -> None:
    known = run()
    assert [known.give("A", "1", number) for number in (False, True, True)] == ["<A_1>", "<A_2>", "<A_2>"]


def test_what_is_loaded_goes_on_where_it_ended() -> None:
    known, again = run(), run()
    for value in ("x", "y"):
        known.give("EMAIL_ADDRESS", value)
        known.give("PHONE_NUMBER", value, realistic=True)
    again.load(known.since(0))
    assert again.since(0) == known.since(0)
    assert again.give("EMAIL_ADDRESS", "y") == "<EMAIL_ADDRESS_2>"
    assert again.give("EMAIL_ADDRESS", "z") == "<EMAIL_ADDRESS_3>"
    assert again.give("PHONE_NUMBER", "z", realistic=True) == known.give("PHONE_NUMBER", "z", realistic=True)


def test_numbers_may_begin_behind_others() -> None:
    assert run(base=10_000).give("A", "x") == "<A_10001>"


def test_a_run_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pseudonyms, "MOST_TEXT", 10)
    known = run()
    assert known.give("A", "x" * pseudonyms.MOST_LONG) == "<A_1>"
    assert known.is_full
    assert known.give("A", "y") == "<A>"
    assert run().give("A", "x" * (pseudonyms.MOST_LONG + 1)) == "<A>"
    known = run()
    known.closed = True
    assert known.give("A", "y") == "<A>"


def test_nothing_shows_a_value() -> None:
    known = run()
    known.give("A", "hidden")
    assert "hidden" not in repr(known) + repr(known.of("<A_1>"))


def test_threads_give_one_value_one_token() -> None:
    known = run(lock=threading.Lock())
    values = [f"v{number % 50}" for number in range(2_000)]
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda value: known.give("A", value), values))
    assert len(set(zip(values, told, strict=True))) == len(set(told)) == 50
    assert set(told) == {f"<A_{number}>" for number in range(1, 51)}


def restoring(*values: str, kinds: frozenset[str] = frozenset({ANY}), realistic: bool = False) -> Restoring:
    known = run()
    for value in values:
        known.give("EMAIL_ADDRESS", value, realistic=realistic)
    return Restoring(known, kinds)


def test_each_spelling_of_a_token_gets_the_value_in_that_spelling() -> None:
    back = restoring("a&b@c.test", BEN)
    said = "<EMAIL_ADDRESS_1>, &lt;EMAIL_ADDRESS_1&gt; and %3CEMAIL_ADDRESS_1%3e; <EMAIL_ADDRESS_3> <EMAIL_ADDRESS_01>"
    assert back.text(said) == "a&b@c.test, a&amp;b@c.test and a%26b%40c.test; <EMAIL_ADDRESS_3> <EMAIL_ADDRESS_01>"
    assert back.markup("<p><EMAIL_ADDRESS_1></p>") == "<p>a&amp;b@c.test</p>"
    assert back.counts == {"EMAIL_ADDRESS": 4}
    assert list(back.restored) == ["<EMAIL_ADDRESS_1>"]


def test_only_kinds_that_may_be_are_put_back() -> None:
    back = restoring(ANA, kinds=frozenset({"PERSON"}))
    assert back.text("<EMAIL_ADDRESS_1>") == "<EMAIL_ADDRESS_1>"
    assert not back.restored


def test_what_is_put_back_is_not_looked_at_again() -> None:
    back = restoring("<EMAIL_ADDRESS_2>", BEN)
    assert back.text("<EMAIL_ADDRESS_1>") == "<EMAIL_ADDRESS_2>"


def test_a_surrogate_is_put_back_where_it_stands_alone() -> None:
    back = restoring(ANA, realistic=True)
    known = back._known.since(0)[0].text
    for before, after in (("", ""), ("to ", "."), ("<", ">"), ("(", ") and")):
        assert back.text(before + known + after) == before + ANA + after
    for before, after in (("x", ""), ("x.", ""), ("", "x"), ("", ".org"), ("", "-x")):
        assert back.text(before + known + after) == before + known + after


def test_one_call_gets_no_more_than_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pseudonyms, "MOST_RESTORED", 2)
    back = restoring("a", "b", "c")
    assert back.text("<EMAIL_ADDRESS_1> <EMAIL_ADDRESS_2> <EMAIL_ADDRESS_1>") == "a b a"
    with pytest.raises(TooMany):
        back.text("<EMAIL_ADDRESS_3>")


def test_an_echo_is_found_in_its_spellings_and_not_within_words() -> None:
    echo = Echo([Pseudonym("<PERSON_1>", "PERSON", 1, "Ána"), Pseudonym("<E_1>", "E", 1, "a+b@c.test")])
    text = "Ána, Ánalog, été Ána a+b@c.test a%2Bb%40c.test %C3%81na"
    assert [(text[f.start : f.end], f.kind) for f in echo.find(text)] == [
        ("Ána", "PERSON"), ("Ána", "PERSON"), ("a+b@c.test", "E"), ("a%2Bb%40c.test", "E"), ("%C3%81na", "PERSON")
    ]  # fmt: skip
    assert echo.kinds == {"PERSON", "E"}


def test_without_a_run_a_value_stands_as_its_kind() -> None:
    assert PLAIN.clean_text(f"to {ANA}").value == "to <EMAIL_ADDRESS>"
    assert ALIKE.clean_json(json.dumps([ANA])).value == '["<EMAIL_ADDRESS>"]'


FORMS = [
    ("application/json", '{"a": "%s", "b": ["%s", "%s"]}'),
    ("text/plain", "%s, %s and %s"),
    ("text/csv", "mail,other\n%s,x\n%s,%s\n"),
    ("application/xml", "<a><b>%s</b><c d='%s'>%s</c></a>"),
    ("text/html", "<p>%s</p><p>%s %s"),
    ("application/x-www-form-urlencoded", "a=%s&b=%s&c=%s"),
    ("application/x-ndjson", '{"a": "%s"}\n{"a": "%s", "b": "%s"}\n'),
]


@pytest.mark.parametrize(("kind", "form"), FORMS)
def test_every_type_has_the_tokens(kind: str, form: str) -> None:
    text = form % (ANA, BEN, ANA)
    cleaned = PLAIN.within(InCall(run())).clean(text.encode(), kind, None)
    one, two = "<EMAIL_ADDRESS_1>", "<EMAIL_ADDRESS_2>"
    if kind in ("application/xml", "text/html"):
        one, two = (each.replace("<", "&lt;").replace(">", "&gt;") for each in (one, two))
    if "form" in kind:
        one, two = (each.replace("<", "%3C").replace(">", "%3E") for each in (one, two))
    assert cleaned.value.decode() == form % (one, two, one)
    assert cleaned.counts == {"EMAIL_ADDRESS": 3}


@pytest.mark.parametrize("scanner", [PLAIN, ALIKE])
@pytest.mark.parametrize(("kind", "form"), FORMS)
def test_what_was_cleaned_once_stays_as_it_is(scanner: Scanner, kind: str, form: str) -> None:
    bound = scanner.within(InCall(run()))
    once = bound.clean((form % (ANA, BEN, ANA)).encode(), kind, None)
    assert b"corp.test" not in once.value
    assert bound.clean(once.value, kind, None).value == once.value


def test_a_surrogate_that_comes_back_is_no_finding() -> None:
    bound = ALIKE.within(InCall(run()))
    once = bound.clean(json.dumps({"a": ANA}).encode(), "application/json", None)
    assert bound.clean(once.value, "application/json", None) == (once.value, {})


PARTS = ("x an", "a@corp", ".test, ben@corp.te", "st")
STREAMS = [
    ("text/plain", f"é {ANA} wrote to {BEN}, card 4242 4242 4242 4242 and {ANA} again, +34 612 345 678 " * 4),
    ("application/x-ndjson", f'{{"a": "{ANA}"}}\n{{"a": "{BEN}", "b": "{ANA}"}}\n\n{{"c": 4242424242424242}}\n'),
    ("text/event-stream", f': for {BEN}\n\nid: {ANA}\ndata: {{"to": "{BEN}", "cc": "{ANA}"}}\r\n\r\ndata: {ANA}\n\n'
     + "".join(f'data: {{"delta": {{"content": "{part}"}}}}\n\n' for part in PARTS)),
]  # fmt: skip


@pytest.mark.parametrize("scanner", [PLAIN, ALIKE])
@pytest.mark.parametrize(("kind", "text"), STREAMS)
def test_tokens_do_not_depend_on_where_a_stream_was_cut(scanner: Scanner, kind: str, text: str) -> None:
    data = text.encode()

    def cleaned(*pieces: bytes) -> tuple[bytes, list[Pseudonym]]:
        known = run()
        way = stage(scanner.within(InCall(known)), kind, None)
        return b"".join([*(b"".join(way.feed(piece)) for piece in pieces), *way.close()]), known.since(0)

    whole = cleaned(data)
    assert b"corp.test" not in whole[0]
    assert cleaned(*(data[at : at + 1] for at in range(len(data)))) == whole
    for cut in range(len(data)):
        assert cleaned(data[:cut], data[cut:]) == whole


_texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)


@given(st.lists(_texts, min_size=1, max_size=4, unique=True), _texts, st.sampled_from(["A", "presidio:PERSON"]))
def test_any_value_comes_back_exactly(values: list[str], between: str, kind: str) -> None:
    known = run()
    tokens = [known.give(kind, value) for value in values]
    back = Restoring(known, frozenset({kind}))
    between = between.replace("<", "").replace("%", "").replace("&", "")
    assert back.text(between.join(tokens)) == between.join(values)


def test_what_was_put_back_is_spared_nowhere() -> None:
    known = run()
    known.give("EMAIL_ADDRESS", ANA)
    known.give("CVV", "987", number=True)
    sparing = Sparing(left=frozenset({("id", ALL), ("who", frozenset({"EMAIL_ADDRESS"}))}))
    bound = PLAIN.sparing(sparing).within(InCall(known, known.since(0)))
    body = json.dumps({"id": f"{ANA} {BEN} 987", "who": [ANA, BEN], "n": {"id": 987}, "x": BEN})
    assert json.loads(bound.clean(body.encode(), "application/json", None).value) == {
        "id": f"<EMAIL_ADDRESS_1> {BEN} <CVV_1>", "who": ["<EMAIL_ADDRESS_1>", BEN], "n": {"id": "<CVV_1>"},
        "x": "<EMAIL_ADDRESS_2>",
    }  # fmt: skip
    events = "".join(f'data: {{"delta": {{"id": "{part}"}}}}\n\n' for part in PARTS).encode()
    way = stage(bound, "text/event-stream", None)
    cleaned = b"".join([*way.feed(events), *way.close()])
    assert (b"ana" in cleaned, b"ben" in cleaned) == (False, True)
