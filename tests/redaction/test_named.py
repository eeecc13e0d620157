import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redaction.profiles import kinds_of
from redaction.report import findings_json
from redaction.scanner import Scanner
from tests.counts import examples

STANDARD = Scanner(kinds_of("standard"))

NAMES = ["first_name", "name", "email", "address", "zip", "cvv", "customer", "dob", "items", "id", "line1"]
VALUES = [
    "Ana",
    "Ana Silva",
    "828 River Road",
    "85025",
    "1998-12-02",
    "x",
    "",
    516,
    12,
    True,
    None,
    1.5,
    'a\\b"c',
    "é\n",
]
DOCUMENTS = st.recursive(
    st.sampled_from(VALUES),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=20,
)


def cleaned(document: Any) -> Any:
    return json.loads(STANDARD.clean_json(json.dumps(document)).value)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"first_name": "Ana", "id": 7}, {"first_name": "<PERSON>", "id": 7}),
        ({"cvv": 516}, {"cvv": "<CVV>"}),
        ({"x": {"first_names": ["Ana", "Bo"]}}, {"x": {"first_names": ["<PERSON>", "<PERSON>"]}}),
        ({"name": {"first": "Ana", "last": "Bo"}}, {"name": {"first": "<PERSON>", "last": "<PERSON>"}}),
        (
            {"address": {"line1": "1 High St", "city": "Leeds", "zip": "LS1 4AP"}},
            {"address": {"line1": "<STREET_ADDRESS>", "city": "Leeds", "zip": "<ZIP_CODE>"}},
        ),
        (
            {"addresses": [{"lines": ["Flat 2", "High St"]}, {"line1": "9 Low St", "id": 4}]},
            {"addresses": [{"lines": ["<STREET_ADDRESS>"] * 2}, {"line1": "<STREET_ADDRESS>", "id": 4}]},
        ),
        (
            {"name": "Ana Silva", "orders": [{"name": "Mouse"}], "dob": None},
            {"name": "<PERSON>", "orders": [{"name": "Mouse"}], "dob": None},
        ),
        ({"passengers": [{"name": "Ana Silva"}]}, {"passengers": [{"name": "<PERSON>"}]}),
        (
            {"customer": {"pet": {"name": "Rex"}, "name": "Ana"}},
            {"customer": {"pet": {"name": "Rex"}, "name": "<PERSON>"}},
        ),
    ],
)  # fmt: skip
def test_what_names_give_away_is_taken_out(before: Any, after: Any) -> None:
    assert cleaned(before) == after


@pytest.mark.parametrize(
    "document",
    [
        {"name": "Ana Silva"},
        {"name": "left-pad", "version": "1.3.0", "author": {"url": "x"}},
        {"first_name": {"type": "string"}, "address": {"type": "object", "properties": {"line1": {"type": "string"}}}},
        {"first_name": True, "zip": None, "address": [], "cvv": {}},
        {"address": {"ip": "10.0.0.1", "port": 80}, "addresses": ["10.0.0.1", "fe80::1"]},
        {"firstName": "First name", "lastName": "Last name:", "zip": "lib.zip"},
        {"metadata": {"name": "kube-proxy", "phone": {"name": "Pixel 8"}}},
        {"text": '"first_name": "name"'},
        {"name": "Blue Door Cafe", "phone": None, "rating": 4.5},
        {"note": "cvv: none, first_name: ana"},
    ],
)
def test_what_is_no_person_s_stays(document: Any) -> None:
    text = json.dumps(document)
    assert STANDARD.clean_json(text).value == text


@pytest.mark.parametrize(
    "escaped", [r'{"first\u005fname": "Ana"}', r'{"first_name": "\u0041na"}', r'{"x\"first_name": "Ana"}']
)
def test_escapes_hide_nothing(escaped: str) -> None:
    assert list(json.loads(STANDARD.clean_json(escaped).value).values()) == ["<PERSON>"]


def test_a_value_behind_escapes_is_taken_out_as_a_whole() -> None:
    text = '{"a": "\\"\\\\", "last_name": "O\\u2019Neil \\u00e9", "b": "\\"", "zip": 85025}'
    after = '{"a": "\\"\\\\", "last_name": "<PERSON>", "b": "\\"", "zip": "<ZIP_CODE>"}'
    assert STANDARD.clean_json(text).value == after
    assert STANDARD.clean(text.encode(), "application/json", None).value == after.encode()


def test_findings_say_where() -> None:
    rows = findings_json('{"a": [{"first_name": "Ana"}]}', STANDARD)
    assert [(row["kind"], row["pointer"], row["detector"]) for row in rows] == [("PERSON", "/a/0/first_name", "key")]


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    return [shape(inner) for inner in value] if isinstance(value, list) else None


@settings(deadline=None)
@given(DOCUMENTS, st.booleans(), st.sampled_from([None, 2]))
def test_a_cleaned_document_is_valid_and_of_the_same_shape(document: Any, ascii: bool, indent: int | None) -> None:
    text = json.dumps(document, ensure_ascii=ascii, indent=indent)
    result = STANDARD.clean_json(text)
    assert shape(json.loads(result.value)) == shape(document)
    assert result.counts or result.value == text
    assert STANDARD.clean(text.encode(), "application/json", None).value == result.value.encode()
    assert STANDARD.clean_json_value(document)[0] == json.loads(result.value)


@pytest.mark.parametrize(
    "hostile",
    [
        '{"address":' * 190 + "1" + "}" * 190,
        '{"customer":' * 190 + '{"name":"Ana Silva"}' + "}" * 190,
        '{"address":[' + "[" * 150 + "]" * 150 + "]}",
        '{"email":' + '{"name":"a","email":' * 150 + "1" + "}" * 151,
    ],
)
def test_nesting_is_read_once(hostile: str) -> None:
    json.loads(STANDARD.clean_json(hostile).value)


INNER = {"first_name": "Ana", "cvv": 516, "note": 'a\n"q" ana@example.org', "id": 2**63, "card": 4242424242424242}
OUTER = {
    "first_name": "<PERSON>",
    "cvv": "<CVV>",
    "note": 'a\n"q" <EMAIL_ADDRESS>',
    "id": 2**63,
    "card": "<CREDIT_CARD>",
}


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("indent", [None, 2])
def test_json_in_strings_is_opened_and_closed_again(layers: int, indent: int | None) -> None:
    text, expected = json.dumps(INNER, indent=indent), json.dumps(OUTER, indent=indent)
    for _ in range(layers):
        text, expected = json.dumps({"text": text, "n": 1}), json.dumps({"text": expected, "n": 1})
    assert STANDARD.clean_json(text).value == expected
    assert STANDARD.clean(text.encode(), "application/json", None).value == expected.encode()


@pytest.mark.parametrize("inner", ['{"a": "no \\\\ thing é"}', '{"first": "Ana"', '{"a": 1e5, "b": []}', '["a", "b"]x'])
def test_strings_without_findings_or_that_are_no_json_stay(inner: str) -> None:
    text = json.dumps({"text": inner})
    assert STANDARD.clean_json(text).value == text


@settings(deadline=None)
@given(DOCUMENTS)
def test_a_document_in_a_string_is_cleaned_as_it_would_be_alone(document: Any) -> None:
    if isinstance(document, dict):
        text = json.dumps(document)
        cleaned = json.loads(STANDARD.clean_json(json.dumps({"note": text})).value)["note"]
        assert cleaned == STANDARD.clean_json(text).value


@given(DOCUMENTS)
@settings(max_examples=examples(200), deadline=None)
def test_names_near_signs_are_told_without_the_shape_as_with_it(document: Any) -> None:
    """Only a text with few bare names takes the short way: more of them, which change nothing, force the long one."""
    many = [{"name": f"Nobody {each}"} for each in range(6)]
    alone, among = (STANDARD.find_json(json.dumps([document, *more])) for more in ([], many))
    assert [hit for hit in among if hit.end < len(json.dumps([document]))] == alone


P, M = "<PERSON>", "<EMAIL_ADDRESS>"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            {"shipping_address": {"name": "Ana Silva", "address1": "1 High St", "country": "GB"}},
            {"shipping_address": {"name": P, "address1": "<STREET_ADDRESS>", "country": "GB"}},
        ),
        (
            {"billing_address": {"name": {"first": "Ana", "last": "Silva"}, "city": "Leeds"}},
            {"billing_address": {"name": {"first": P, "last": P}, "city": "Leeds"}},
        ),
        (
            {"address": {"name": "Ana Silva", "phone": "0171 2345678"}},
            {"address": {"name": P, "phone": "<PHONE_NUMBER>"}},
        ),
        ({"address": {"name": "Assembly Hall", "line1": "1 High St"}}, None),
    ],
)
def test_a_bare_name_in_an_address_is_a_persons_where_it_is_one_elsewhere(before: Any, after: Any) -> None:
    if after is None:
        assert cleaned(before)["address"]["name"] == before["address"]["name"]
    else:
        assert cleaned(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"name": "Ana Silva", "address": "ana@example.org"}, {"name": P, "address": M}),
        ([{"address": "ana@example.org", "name": "Ana Silva"}] * 9, [{"address": M, "name": P}] * 9),
        (
            {"name": "Ana Silva", "address": "10.0.0.1", "x": "a@b"},
            {"name": "Ana Silva", "address": "10.0.0.1", "x": "a@b"},
        ),
        ({"name": "Home Net", "address": "ana@10.0.0.1"}, {"name": "Home Net", "address": "ana@10.0.0.1"}),
        ({"name": "Eth Null", "address": 12, "x@y": 1}, {"name": "Eth Null", "address": 12, "x@y": 1}),
    ],
)
def test_beside_an_address_for_mail_a_bare_name_is_a_persons(before: Any, after: Any) -> None:
    """As Microsoft Graph and parsers of mail write it."""
    assert cleaned(before) == after


@pytest.mark.parametrize("sign", ["emails", "phone_numbers", "given_name", "surname"])
def test_signs_of_a_person_may_be_lists(sign: str) -> None:
    assert cleaned({sign: [{"type": "x"}], "displayName": "Ana Silva"})["displayName"] == P
    assert cleaned({sign: {"type": "x"}, "displayName": "Ana Silva"})["displayName"] == "Ana Silva"


@pytest.mark.parametrize("name", ["app_version", "browserVersion", "driver_license", "total_price", "office hours"])
def test_a_sign_against_a_person_is_the_whole_name(name: str) -> None:
    assert cleaned({"name": "Ana Silva", "email": "x", name: "y"})["name"] == P


@pytest.mark.parametrize("name", ["version", "license", "averageRating", "PRICE", "business_hours"])
def test_and_still_one_where_it_is(name: str) -> None:
    assert cleaned({"name": "Left Pad", "email": "x", name: "y"})["name"] == "Left Pad"


def test_bare_names_in_each_other_cost_no_more_than_others() -> None:
    text = '{"address":' + '{"name":{"first":"x","a":' * 100 + '"y"' + "}}" * 100 + "}"
    begin = time.process_time()
    STANDARD.clean_json("[" + ",".join([text] * 20) + "]")
    assert time.process_time() - begin < 1


def test_a_column_may_be_an_object_by_index() -> None:
    """As pandas writes a table unless told otherwise."""
    before = {"first_name": {"0": "Ana", "1": "Bo"}, "phone": {"0": 4155550132}, "amount": {"0": 4155550132}}
    after = {"first_name": {"0": P, "1": P}, "phone": {"0": "<PHONE_NUMBER>"}, "amount": {"0": 4155550132}}
    assert cleaned(before) == after
    assert cleaned({"name": {"0": "Red Shoe"}}) == {"name": {"0": "Red Shoe"}}
    assert cleaned({"address": {"0": "10.0.0.1", "1": "kube-dns"}}) == {"address": {"0": "10.0.0.1", "1": "kube-dns"}}


@pytest.mark.parametrize(
    ("sign", "value"),
    [
        ("@type", "Person"),
        ("__typename", "Person"),
        ("type", "person"),
        ("type", "natural-person"),
        ("kind", "Patient"),
        ("type", "INDIVIDUAL"),
    ],
)
def test_a_type_may_say_that_a_name_is_a_persons(sign: str, value: str) -> None:
    """As schema.org, GraphQL and Notion do."""
    assert cleaned({sign: value, "id": 1, "name": "Ana Silva"})["name"] == P
    assert cleaned({"name": "Ana Silva", "x": [], sign: value})["name"] == P
    assert cleaned({"x": {sign: value}, "name": "Ana Silva"})["name"] == "Ana Silva"
    assert cleaned({sign: value + "Form", "name": "Ana Silva"})["name"] == "Ana Silva"


@pytest.mark.parametrize("sign", ["name", "title", "label"])
def test_what_is_called_person_is_none(sign: str) -> None:
    assert cleaned({sign: "Person", "display_name": "Ana Silva"})["display_name"] == "Ana Silva"


def test_what_wraps_a_value_is_judged_as_the_value_itself() -> None:
    """Else the `__v` of Mongoose was taken for a line of the address it stands in."""
    before = {"address": {"line1": "1 High St", "__v": 0, "n": 4}, "zip": {"_v": "85025"}}
    assert cleaned(before) == {"address": {"line1": "<STREET_ADDRESS>", "__v": 0, "n": 4}, "zip": {"_v": "<ZIP_CODE>"}}
    assert cleaned({"address": {"value": "10.0.0.1", "v": 4}}) == {"address": {"value": "10.0.0.1", "v": 4}}


@pytest.mark.parametrize(
    "document", [{"card": {"name": "Ana Silva", "exp_month": 12}}, {"people": [{"name": "Ana Silva", "title": "CTO"}]}]
)
def test_holders_of_cards_and_people_are_persons(document: Any) -> None:
    assert "Ana" not in json.dumps(cleaned(document))
