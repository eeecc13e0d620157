import json
from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redaction.known import Known
from redaction.mediatypes import EVENTS
from redaction.pointers import BadPointer
from redaction.profiles import kinds_of
from redaction.scanner import Scanner
from redaction.sparing import ALL, NOTHING_SPARED, Sparing
from redaction.streams import clean as clean_body
from redaction.streams import stage

STANDARD = Scanner(kinds_of("standard"))
MAIL, PHONE, SSN = "ana@example.org", "+49 30 901820", "078-05-1120"
HID = "<EMAIL_ADDRESS>"
LINES = "application/x-ndjson"


def sparing(*left, only=()):
    said = [(each, ALL) if isinstance(each, str) else (each[0], frozenset(each[1])) for each in left]
    return STANDARD.sparing(Sparing(frozenset(said), frozenset(only)))


def clean(scanner, value, media_type="application/json"):
    body = value if isinstance(value, str) else json.dumps(value)
    return clean_body(scanner, body.encode(), media_type, None).value.decode()


def hidden(value):
    return json.loads(json.dumps(value).replace(MAIL, HID))


@pytest.mark.parametrize(
    ("place", "path"),
    [("/id", ["id"]), ("/items/*/url", ["items", 3, "url"]), ("/items/0", ["items", 0]), ("id", ["a", "id"]),
     ("/a~1b/m~0n", ["a/b", "m~n"]), ("/é", ["é"])],
)  # fmt: skip
def test_what_stands_there_is_left_and_nothing_else(place, path):
    value = MAIL
    for step in reversed(path):
        value = [MAIL] * step + [value] + [MAIL] if isinstance(step, int) else {step: value, "other": MAIL}
    body = json.dumps(value)
    made = clean(sparing(place), body)
    there, whole = json.loads(made), hidden(value)
    for step in path:
        there = there[step]
    assert there == MAIL
    assert made.count(MAIL) == 1
    assert json.loads(made.replace(MAIL, HID)) == whole
    assert clean(sparing("/other_place", "nowhere"), body) == json.dumps(whole)
    # The other way round: only there is looked.
    alone = clean(sparing(only=[place]), body)
    assert alone.count(HID) == 1
    assert alone.replace(HID, MAIL) == body


def test_all_that_is_in_it_is_left():
    value = {"id": {"deep": [MAIL, {"er": MAIL}]}, "x": [{"id": [MAIL]}, MAIL]}
    assert json.loads(clean(sparing("id"), value)) == {**value, "x": [{"id": [MAIL]}, HID]}
    assert json.loads(clean(sparing(only=["id"]), value)) == {**hidden(value), "x": [{"id": [HID]}, MAIL]}


def test_names_are_read_and_belong_to_their_object():
    assert clean(sparing("/id"), f'{{"\\u0069d": "{MAIL}", "i\\u0064x": "{MAIL}"}}') == (
        f'{{"\\u0069d": "{MAIL}", "i\\u0064x": "{HID}"}}'
    )
    by_mail = {"users": {MAIL: {"n": MAIL}}}
    assert clean(sparing("/users/*"), by_mail) == f'{{"users": {{"{HID}": {{"n": "{MAIL}"}}}}}}'
    assert clean(sparing("/users"), by_mail) == json.dumps(by_mail)


@pytest.mark.parametrize(
    "body",
    [
        f'{{"id": "{MAIL}", "id": "{MAIL}"}}',
        f'{{"id": "{MAIL}", "\\u0069d": 1}}',
        f'{{"id": "{MAIL}", "x": [{{"a": 1, "a": 2}}]}}',
        f'{{"id": {json.dumps(json.dumps({"b": MAIL})[:-1] + ", " + json.dumps("b") + ": 1}")}}}',
    ],
)
def test_in_doubt_nothing_is_left(body):
    assert MAIL not in clean(sparing("/id/b"), body)
    assert MAIL not in clean(sparing("b"), body)
    if '\\"' not in body:  # else there is no doubt about the string as a whole
        assert MAIL not in clean(sparing("/id"), body)


def test_kinds_that_are_left_and_what_lies_over_them():
    value = {"ref": f"{PHONE} {MAIL}", "x": PHONE}
    made = json.loads(clean(sparing(("/ref", ["PHONE_NUMBER"])), value))
    assert made == {"ref": f"{PHONE} {HID}", "x": "<PHONE_NUMBER>"}
    both = sparing(("/ref", ["PHONE_NUMBER"]), ("ref", ["EMAIL_ADDRESS"]))
    assert json.loads(clean(both, value)) == {"ref": value["ref"], "x": "<PHONE_NUMBER>"}
    # Two findings in one: without the one the other is found in its own right.
    url = "postgres://ana:hunter2secret@db.example.org/x"
    kinds = {each.kind for each in STANDARD.find(url)}
    rest = clean(sparing(("/u", ["EMAIL_ADDRESS"])), {"u": url})
    assert "hunter2secret" not in rest
    assert kinds
    assert clean(sparing(("/ssn", ["US_SSN"])), {"ssn": SSN, "ssn2": SSN}) == clean(STANDARD, {"ssn2": SSN}).replace(
        "{", f'{{"ssn": "{SSN}", ', 1
    )


def test_json_in_strings_is_read_as_if_it_stood_there():
    inner = json.dumps({"id": MAIL, "list": [{"url": MAIL, "x": MAIL}], "deep": json.dumps({"id": MAIL, "é": MAIL})})
    value = {"content": [{"type": "text", "text": inner}], "id": MAIL}
    made = json.loads(
        clean(sparing("/content/*/text/id", "/content/0/text/list/*/url", "/content/*/text/deep/é"), value)
    )
    text = json.loads(made["content"][0]["text"])
    assert made["id"] == HID
    assert (text["id"], text["list"]) == (MAIL, [{"url": MAIL, "x": HID}])
    assert json.loads(text["deep"]) == {"id": HID, "é": MAIL}
    assert clean(sparing("/content"), value) == json.dumps(value).replace(f'"id": "{MAIL}"}}', f'"id": "{HID}"}}')
    assert json.loads(json.loads(clean(sparing("x"), value))["content"][0]["text"])["list"] == [{"url": HID, "x": MAIL}]


def test_encoded_text_has_the_place_of_its_string():
    note = b64encode(f"mail {MAIL} now".encode()).decode()
    value = {"raw": note, "url": "x?q=ana%40example.org", "other": note}
    made = json.loads(clean(sparing("/raw", "url"), value))
    assert (made["raw"], made["url"]) == (value["raw"], value["url"])
    assert made["other"] != note


def test_lines_events_and_text_that_is_json():
    line = f'{{"id": "{MAIL}", "b": "{MAIL}"}}'
    done = line.replace(f'"b": "{MAIL}"', f'"b": "{HID}"')
    for media_type, form in ((LINES, "{0}\n{0}\n"), (EVENTS, "data: {0}\n\n"), ("text/plain", " {0}\n")):
        assert clean(sparing("/id"), form.format(line), media_type) == form.format(done)
        assert clean(sparing(only=["/b"]), form.format(line), media_type) == form.format(done)
    # In what is no JSON there are no places, so all of it is looked at.
    for media_type in ("text/plain", "text/csv", "text/html"):
        assert MAIL not in clean(sparing("id", only=["/b"]), f"id,{MAIL}\n", media_type)


def told(parts, scanner, cut=None):
    body = "".join(f"data: {json.dumps({'delta': each})}\n\n" for each in parts).encode()
    way = stage(scanner, EVENTS, None)
    pieces = [body] if cut is None else [body[:cut], body[cut:]]
    out = b"".join([*(ready for piece in pieces for ready in way.feed(piece)), *way.close()]).decode()
    return out, [json.loads(line[6:])["delta"] for line in out.split("\n\n") if line]


def test_fragments_of_a_stream():
    parts = [
        {"text": f"to {MAIL[:5]}", "ref": PHONE[:7]},
        {"text": f"{MAIL[5:]} now", "ref": f"{PHONE[7:]} a@b.example "},
    ]
    size = len(told(parts, STANDARD)[0])
    for left, text, ref in (
        ([], f"to {HID} now", "<PHONE_NUMBER> <EMAIL_ADDRESS> "),
        (["/delta/text"], f"to {MAIL} now", "<PHONE_NUMBER> <EMAIL_ADDRESS> "),
        ([("ref", ["PHONE_NUMBER"])], f"to {HID} now", f"{PHONE} <EMAIL_ADDRESS> "),
    ):
        whole, seen = told(parts, sparing(*left))
        assert "".join(each["text"] for each in seen) == text
        assert "".join(each["ref"] for each in seen) == ref
        for cut in range(0, size, 3):
            assert told(parts, sparing(*left), cut)[0] == whole


def test_known_secrets_are_never_left():
    known = Known(["correct-horse-battery"])
    assert known.spared('{"id": 1}', ["id"]) == frozenset()
    assert known.edits("x correct-horse-battery", ALL)[0].kind == "KNOWN_SECRET"


def test_nothing_said_costs_nothing_and_nonsense_is_an_error():
    assert STANDARD.sparing(NOTHING_SPARED) is STANDARD
    with pytest.raises(BadPointer):
        sparing("/a~2")


LEAVES = [MAIL, PHONE, f"x {SSN} ssn", 4111111111111111, None, "plain", json.dumps({"id": MAIL, "a": [MAIL]})]
NAMES = st.sampled_from(["id", "a", "b", "ssn"])
VALUES = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(VALUES, st.sampled_from(["id", "/a", "/*/id", "/a/*/b"]), st.sampled_from([None, "EMAIL_ADDRESS", "US_SSN"]))
def test_the_rest_is_as_it_is_without_exceptions(value, place, kind):
    body = json.dumps(value)
    with_all = clean(STANDARD, body)
    made = clean(sparing((place, [kind]) if kind else place), body)
    json.loads(made)
    if with_all == body:
        assert made == body
    # Each finding is either gone as without the exception, or as it was.
    assert len([*filter(str.isprintable, made)]) == len(made)
    assert made.count("<") <= with_all.count("<")
    only = clean(sparing(only=[place]), body)
    assert only.count("<") + clean(sparing(place), body).count("<") == with_all.count("<")
