import json

import pytest

from redaction.finding import Finding, Hit, outside
from redaction.fragments import Messages
from redaction.operators import Way
from redaction.profiles import kinds_of
from redaction.pseudonyms import InCall, Pseudonyms
from redaction.scanner import Scanner, Unreadable
from tests.redaction.fill import fill

SCANNER = Scanner(frozenset({"EMAIL_ADDRESS", "CREDIT_CARD"}))
SHAPES = [
    lambda text: {"choices": [{"index": 0, "delta": {"role": "assistant", "content": text}}]},
    lambda text: {"choices": [{"delta": {"tool_calls": [{"function": {"arguments": text}}]}}]},
    lambda text: {"choices": [{"text": text}]},
    lambda text: {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": text}},
    lambda text: {"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": text}},
    lambda text: {"type": "response.output_text.delta", "item_id": "a", "content_index": 0, "delta": text},
    lambda text: {"type": "response.function_call_arguments.delta", "item_id": "a", "delta": text},
    lambda text: {"candidates": [{"content": {"parts": [{"text": text}]}}]},
    lambda text: {"model": "m", "message": {"role": "assistant", "content": text}, "done": False},
]


def cleaned(datas, messages=None):
    messages = messages or Messages(SCANNER, False)
    given = []
    for data in datas:
        given += messages.put(data, lambda new, data=data: (data if new is None else new).encode())
    return [each.decode() for each in [*given, *messages.give("close")]]


def strings(value):
    if isinstance(value, dict | list):
        return "".join(strings(each) for each in (value.values() if isinstance(value, dict) else value))
    return value if isinstance(value, str) else ""


@pytest.mark.parametrize("shape", SHAPES)
def test_fragments_are_read_as_one_text(shape):
    text = "I wrote to ana@mail.example, with the card 4242 4242 4242 4242 of mine."
    for at in range(len(text)):
        datas = [json.dumps(shape(piece)) for piece in (text[:at], text[at:])]
        given = [json.loads(each) for each in cleaned(datas)]
        assert len(given) == 2
        joined = "".join(map(strings, given))
        whole = strings(shape("I wrote to <EMAIL_ADDRESS>, with the card <CREDIT_CARD> of mine.")) + strings(shape(""))
        assert sorted(joined) == sorted(whole), at


def test_letter_by_letter_and_counted_once():
    messages = Messages(SCANNER, False)
    datas = [json.dumps(SHAPES[0](sign)) for sign in "mail ana@mail.example now"]
    given = cleaned(datas, messages)
    assert "".join(json.loads(each)["choices"][0]["delta"]["content"] for each in given) == "mail <EMAIL_ADDRESS> now"
    assert messages.counts == {"EMAIL_ADDRESS": 1}
    assert messages.size == 0


@pytest.mark.parametrize("name", ["kind", "keep_last_4", "hash", "encrypt", "pseudonym"])
def test_what_stands_for_a_finding_is_no_finding(name):
    """Each message is looked at once more, for what is in it besides: that wrote hashes of hashes."""
    kinds = kinds_of("secrets") | kinds_of("standard") | {"PASSWORD"}
    values = [
        fill(each) for each in ("sk_prod_{alnum:16}", "SSN: 078051120", "GT1|1||SILVA^BO|", "password={alnum:16}")
    ]
    values += [json.dumps({"password": fill("{alnum:16}")}), "\t\u00e9 <ana@mail.example>\n" + fill("token={alnum:20}")]
    for text in values:
        scanner = Scanner(kinds, frozenset((kind, Way(name)) for kind in kinds), bytes(32))
        if name == "pseudonym":
            scanner = scanner.within(InCall(Pseudonyms(bytes(16))))
        whole = scanner.clean_text(text).value
        (given,) = cleaned([json.dumps(SHAPES[0](text))], Messages(scanner, False))
        assert strings(json.loads(given)) == "assistant" + whole != "assistant" + text


def test_what_goes_beyond_what_stands_for_a_finding_takes_it_along():
    found = [Finding("A", 3, 9, 0.9, ""), Finding("B", 10, 11, 0.9, ""), Finding("C", 11, 13, 0.9, "")]
    hit = Hit(0, 20, False, False, found)
    beyond = outside([hit], [(1, 5), (12, 20)])[0].findings
    assert [each[:3] for each in beyond] == [("A", 1, 9), ("B", 10, 11), ("C", 11, 20)]
    assert outside([hit], [(1, 9), (10, 14)]) == []


def test_escapes_in_fragments_of_json():
    datas = [json.dumps(SHAPES[4](piece)) for piece in ('{"to": "ana\\u00', "40mail.exa", 'mple"}')]
    assert "ana" not in "".join(cleaned(datas))


def test_texts_are_told_apart():
    one = [{"index": n, "delta": {"text": text}} for n, text in ((0, "ana@"), (1, "mail.example"), (0, "mail.example"))]
    given = cleaned(map(json.dumps, one))
    assert [json.loads(each)["delta"]["text"] for each in given] == ["<EMAIL_ADDRESS>", "mail.example", ""]


def test_what_is_no_fragment_does_not_wait_and_stays_as_it_was():
    messages = Messages(SCANNER, False)
    for data in ('{"n": 12345678901234567890, "a" : 1.0}', "[]", "text", '{"delta": 3}', '{"message": "ana"}'):
        assert cleaned([data]) == [data]
        assert list(messages.put(data, lambda new: b"same" if new is None else b"new")) == [b"same"]


def test_order_is_kept():
    datas = [json.dumps({"delta": "ana@mail"}), json.dumps({"ping": 1}), json.dumps({"delta": ".example and"})]
    messages = Messages(SCANNER, False)
    assert list(messages.put(datas[0], lambda _: b"0")) == []
    assert list(messages.put(datas[1], lambda _: b"1")) == []
    assert list(messages.put(datas[2], lambda _: b"2")) == []
    assert list(messages.give("close")) == [b"0", b"1", b"2"]


def test_what_cannot_be_checked_is_refused_or_passed_with_a_word():
    with pytest.raises(Unreadable):
        cleaned(["{"], Messages(SCANNER, False, json=True))
    messages = Messages(SCANNER, True, json=True)
    assert cleaned(["{", '"ana@mail.example"'], messages) == ["{", '"<EMAIL_ADDRESS>"']
    assert len(messages.faults) == 1


def test_more_texts_than_are_kept_apart():
    given = cleaned(json.dumps({"item_id": str(n), "delta": "ana@mail.example"}) for n in range(500))
    assert len(given) == 500
    assert "ana" not in "".join(given)
