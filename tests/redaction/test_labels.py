"""Labels that are values: beside what they tell, or over a column."""

import json
import time
from typing import Any

import pytest

from redaction.profiles import kinds_of
from redaction.scanner import Scanner
from tests.redaction.fill import fill

STANDARD = Scanner(kinds_of("standard"))
P, D, Z = "<PERSON>", "<DATE_OF_BIRTH>", "<ZIP_CODE>"


def cleaned(document: Any) -> Any:
    return json.loads(STANDARD.clean_json(json.dumps(document, ensure_ascii=False)).value)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"field": "dob", "value": "1980-01-01"}, {"field": "dob", "value": D}),
        ({"value": "SW1A 1AA", "key": "postalCode"}, {"value": Z, "key": "postalCode"}),
        ([{"name": "First name", "value": "Ana"}], [{"name": "First name", "value": P}]),
        ({"tabLabel": "Date of birth", "value": "1980-02-03"}, {"tabLabel": "Date of birth", "value": D}),
        (
            {"name": "Zip", "text_value": "85025", "display_value": "85025"},
            {"name": "Zip", "text_value": Z, "display_value": Z},
        ),
        ({"k": "cvv", "v": 123, "id": 9}, {"k": "cvv", "v": "<CVV>", "id": 9}),
        ({"label": "Vorname", "wert": "Jürgen"}, {"label": "Vorname", "wert": P}),
        (
            {"question": "Your home address", "answer": {"line1": "1 High St"}},
            {"question": "Your home address", "answer": {"line1": "<STREET_ADDRESS>"}},
        ),
        ({"system": "phone", "value": "0171 2345678"}, {"system": "phone", "value": "<PHONE_NUMBER>"}),
        (
            [
                {"name": "name", "value": "Ana Silva"},
                {"name": "email", "value": "none"},
                {"name": "dob", "value": 1980},
            ],
            [{"name": "name", "value": P}, {"name": "email", "value": "none"}, {"name": "dob", "value": D}],
        ),
        ({"first_name": {"type": "text", "value": "Ana"}}, {"first_name": {"type": "text", "value": P}}),
    ],
)
def test_a_value_beside_its_label(before: Any, after: Any) -> None:
    assert cleaned(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            {"columns": ["id", "first_name", "dob"], "rows": [[1, "Ana", "1980-01-01"], [2, None, "x"], [3, "Bo"]]},
            {"columns": ["id", "first_name", "dob"], "rows": [[1, P, D], [2, None, "x"], [3, "Bo"]]},
        ),
        ({"values": [["Nachname", "Ort"], ["Köhler", "Bonn"]]}, {"values": [["Nachname", "Ort"], [P, "Bonn"]]}),
        (
            {"meta": {"types": [{"name": "LAST_NAME", "type": "text"}, {"name": "N"}]}, "data": [["Silva", 1]]},
            {"meta": {"types": [{"name": "LAST_NAME", "type": "text"}, {"name": "N"}]}, "data": [[P, 1]]},
        ),
        (
            {"columns": ["name", "email"], "data": [["Ana Silva", "-"]]},
            {"columns": ["name", "email"], "data": [[P, "-"]]},
        ),
    ],
)
def test_a_column_under_its_label(before: Any, after: Any) -> None:
    assert cleaned(before) == after


def test_the_values_of_a_secret_of_kubernetes_go() -> None:
    k = "<KUBERNETES_SECRET>"
    inner = json.dumps({"kind": "Secret", "stringData": {"n": "x"}})
    before = {
        "items": [
            {
                "data": {"user": "YWRtaW4=", "a.b": "x" * 2000},
                "kind": "Secret",
                "metadata": {"name": "db", "data": {"n": 1}},
            },
            {"kind": "ConfigMap", "data": {"user": "YWRtaW4="}},
            {"kind": "Pod", "metadata": {"annotations": {"last": inner}}},
        ]
    }
    after = cleaned(before)
    assert after["items"][0] == before["items"][0] | {"data": {"user": k, "a.b": k}}
    assert after["items"][1] == before["items"][1]
    assert json.loads(after["items"][2]["metadata"]["annotations"]["last"])["stringData"] == {"n": k}
    for text in (
        "data:\n  a: eA==\n  b: eQ==\nkind: Secret\n",
        "kind: Secret\nmetadata:\n  name: x\nstringData:\n  a: eA==\n  b: x\n",
    ):
        plain = STANDARD.clean(text.encode(), "application/yaml", None).value.decode()
        assert plain == text.replace(text[text.index("a: eA") : text.index("  b: ") + (9 if "eQ" in text else 6)], k)


@pytest.mark.parametrize(
    "document",
    [
        {"required": ["first_name", "dob"], "examples": ["Ana", "1980-01-01"]},
        {"columns": ["name", "version"], "data": [["Left Pad", "1.0"]]},
        {"columns": ["first_name", "n"], "rows": [["Ana"], ["Ana", 1, 2]]},
        {"name": "file_name", "value": "Ana"},
        {"type": "address", "value": "10.0.0.1:80"},
        {"type": "first_name", "description": "Ana writes it", "value": None},
        {"event": "dob", "value": "1980-01-01"},
        [["kube-proxy", "phone"], ["running", "none"]],
        {"kubernetes_secret": "db-credentials", "kind": "Secrets", "data": {"a": "b"}},
    ],
)
def test_what_stays(document: Any) -> None:
    assert cleaned(document) == document


def test_it_holds_in_strings_of_json_and_behind_escapes() -> None:
    inner = json.dumps({"field": "pr\u00e9nom", "value": "Ana O’Neil"})
    assert json.loads(cleaned({"body": inner})["body"]) == {"field": "prénom", "value": P}
    assert cleaned({"field": "first\tname", "value": "Ana\n"}) == {"field": "first\tname", "value": P}


@pytest.mark.parametrize(
    "text",
    [
        "[" + ",".join(['["dob"]'] * 20_000) + "]",
        '{"rows":[["x"]],' + ",".join(f'"c{n}":["dob"]' for n in range(10_000)) + "}",
        '[["x"],["dob",' + ",".join(f'"first name {n}"' for n in range(10_000)) + "]]",
        "{" + ",".join(f'"key":"dob","k{n}":"phone"' for n in range(5_000)) + "}",
        '{"type":"dob","value":' * 150 + "1" + "}" * 150,
    ],
)
def test_many_labels_cost_no_more_than_their_length(text: str) -> None:
    STANDARD.clean_json(text)
    began = time.process_time()
    STANDARD.clean_json(text)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            {"field": {"id": "a", "name": "First name"}, "text": "Ana"},
            {"field": {"id": "a", "name": "First name"}, "text": P},
        ),
        (
            {"answers": [{"text": "Ana", "field": {"type": "short_text", "title": "Vorname"}, "type": "text"}]},
            {"answers": [{"text": P, "field": {"type": "short_text", "title": "Vorname"}, "type": "text"}]},
        ),
        ({"schema": {"name": "dob"}, "value": "1980-01-01"}, {"schema": {"name": "dob"}, "value": "1980-01-01"}),
        ({"field": {"name": "dob"}, "note": "1980-01-01"}, {"field": {"name": "dob"}, "note": "1980-01-01"}),
        ({"field": {"name": "color"}, "value": "Ana"}, {"field": {"name": "color"}, "value": "Ana"}),
        ([{"name": "dob"}, "1980-01-01"], [{"name": "dob"}, "1980-01-01"]),
    ],
)
def test_a_value_beside_the_object_of_its_label(before: Any, after: Any) -> None:
    """As forms and boards of issues give it: Typeform, GitHub's projects."""
    assert cleaned(before) == after


SETTINGS = [
    ("AWS_SECRET_ACCESS_KEY", "wJ7{b64:36}K", "standard", "<AWS_SECRET_ACCESS_KEY>"),
    ("Cookie", "sid={alnum:24}; theme=dark", "standard", "<COOKIE>"),
    ("API_TOKEN", "a1{hex:38}", "secrets", "<GENERIC_SECRET>"),
    ("X-Api-Key", "a1{alnum:30}", "secrets", "<GENERIC_SECRET>"),
    ("/prod/db/password", "h7{alnum:14}", "strict", "<PASSWORD>"),
]


@pytest.mark.parametrize(("name", "value", "profile", "kind"), SETTINGS)
def test_a_setting_is_a_secret_as_its_name_says(name: str, value: str, profile: str, kind: str) -> None:
    """As variables of pods, parameters and the headers of an HTTP archive are listed."""
    scanner, secret = Scanner(kinds_of(profile)), fill(value)
    for document in (
        {"name": name, "value": secret},
        {"env": [{"value": secret, "Key": name, "enabled": True}]},
        {"Type": "SecureString", "Name": name, "Value": secret, "Version": 3},
        {"log": json.dumps({"headers": [{"name": name, "value": secret}]})},
        {"a\n": [{"name": name, "value": secret}, {"name": "x", "value": "y"}]},
    ):
        text = json.dumps(document)
        assert scanner.clean_json(text).value == text.replace(secret, kind)


def test_only_the_patterns_asked_for_need_no_families() -> None:
    secret = fill("wJ7{b64:36}K")
    text = json.dumps({"name": "AWS_SECRET_ACCESS_KEY", "value": secret})
    assert secret not in Scanner(frozenset({"AWS_SECRET_ACCESS_KEY"})).clean_json(text).value


@pytest.mark.parametrize(
    "text",
    [
        '{"name":"API_TOKEN","valueFrom":{"secretKeyRef":{"name":"api","key":"api-key"}}}',
        '{"name":"Password","text":"Must have at least 8 characters, and 1 digit"}',
        '{"name":"password","type":"string","minLength":8}',
        '[{"name":"API_TOKEN"},"a1b2c3d4e5f60718293a4b5c6d7e8f90"]',
        '{"key":"page_token","value":"a1b2c3d4e5f60718293a4b5c6d7e8f90"}',
    ],
)
def test_what_stands_beside_the_name_of_a_secret_and_is_no_value_stays(text: str) -> None:
    assert Scanner(kinds_of("secrets") | {"PASSWORD"}).clean_json(text).value == text


def test_many_settings_in_one_object_cost_little() -> None:
    many = "{" + ",".join('"name":"api_token"' for _ in range(20_000)) + ',"value":"x"}'
    begin = time.process_time()
    Scanner(kinds_of("secrets")).clean_json(many)
    assert time.process_time() - begin < 2


@pytest.mark.parametrize(
    "cells", [lambda cells: {"f": [{"v": cell} for cell in cells]}, lambda cells: {"c": cells}, lambda cells: cells]
)
def test_rows_and_cells_may_be_objects(cells: Any) -> None:
    """As BigQuery and Google's charts give them."""
    heads = [
        {"name": "first_name", "type": "STRING"},
        {"name": "n", "type": "INTEGER"},
        {"name": "dob", "type": "DATE"},
    ]
    before = {"schema": {"fields": heads}, "rows": [cells(["Ana", "1980", "1980-01-01"])] * 2, "total": "2"}
    after = {"schema": {"fields": heads}, "rows": [cells([P, "1980", D])] * 2, "total": "2"}
    assert cleaned(before) == after
    other = {"fields": heads, "rows": [{"f": ["Ana", "7", "1980-01-01"], "g": 1}]}
    assert cleaned(other) == other
