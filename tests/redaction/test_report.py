import json

import pytest

from redaction.profiles import kinds_of
from redaction.report import findings_json, media_type_of, warnings_json
from redaction.scanner import Scanner

STANDARD = Scanner(kinds_of("standard"))


def test_offsets_are_of_bytes_in_plain_text() -> None:
    text = "é \U0001f600 ana@example.com ü 078-05-1120"
    rows = findings_json(text, STANDARD)
    assert [text.encode()[row["start"] : row["end"]] for row in rows] == [b"ana@example.com", b"078-05-1120"]
    assert [row["pointer"] for row in rows] == ["", ""]


def test_offsets_are_of_bytes_as_they_stand_in_json() -> None:
    text = r'{"é":["x ana\u0040example.com", 4111111111111111]}'
    rows = findings_json(text, STANDARD)
    assert [text.encode()[row["start"] : row["end"]].decode() for row in rows] == [
        r"ana\u0040example.com",
        "4111111111111111",
    ]
    assert [row["pointer"] for row in rows] == ["/é/0", "/é/1"]


def test_a_row_has_the_promised_fields_and_no_value() -> None:
    [row] = findings_json(
        '{"a":{"bob@example.com":{"ip":"10.0.0.1"}}}', Scanner(frozenset({"IP_ADDRESS", "EMAIL_ADDRESS"}))
    )[1:]
    assert list(row) == ["kind", "start", "end", "pointer", "detector", "score"]
    assert row["pointer"] == "/a/<EMAIL_ADDRESS>/ip"
    assert "bob" not in json.dumps(row)


def test_a_finding_in_a_name_points_to_its_object() -> None:
    [row] = findings_json('{"a":{"bob@example.com":1}}', STANDARD)
    assert (row["kind"], row["pointer"]) == ("EMAIL_ADDRESS", "/a")


def test_nothing_is_an_empty_list() -> None:
    assert findings_json("nothing", STANDARD) == []
    assert findings_json("{}", STANDARD) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a":1}', "application/json"),
        ("[1]", "application/json"),
        ("1", "text/plain"),
        ("[x]", "text/plain"),
        ("", "text/plain"),
    ],
)
def test_the_media_type_of_a_text(text: str, expected: str) -> None:
    assert media_type_of(text) == expected


def test_what_looks_made_by_chance_is_a_warning_with_its_place() -> None:
    token = "q7Zp2Vx9Lm4Rt8Kd" + "W3nB6yHs"
    (row,) = warnings_json(f'{{"é": "{token}", "hash": "{"ab" * 32}"}}')
    place = {"start": 8, "end": 32, "pointer": ""}
    assert row == {"kind": "HIGH_ENTROPY", **place, "detector": "entropy", "score": 0.0, "warning": True}
    assert warnings_json("nothing by chance") == []
