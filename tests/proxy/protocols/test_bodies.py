"""A body by its media type."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.errors import Refusal
from proxy.protocols import bodies, placing
from rules.tools import Tool
from tests.proxy.protocols.tools import tool

FORM, PARTS = "application/x-www-form-urlencoded", "multipart/form-data; boundary=B"
FIELDS = tool(
    """
call: POST /x
args:
  n: {type: integer}
  tags: {type: array, items: {type: string}}
  meta: {type: object, properties: {on: {type: boolean}}}
  filter: {type: object}
  list: {type: array, items: {type: integer}}
  file: {type: string}
in: {filter: {body: {style: deepObject}}, list: {body: {explode: false}}, file: {body: {name: up}}}
body: [application/json, application/x-www-form-urlencoded, multipart/form-data]
"""
)
WHOLE = tool("""
call: POST /x
args: {body: {properties: {n: {type: integer}}, additionalProperties: {type: boolean}}}
body: ["*/*"]
""")


def read(one: Tool, kind: str, body: bytes) -> placing.Placed:
    placed = placing.Placed()
    sent, new_kind = bodies.read(placed, one, kind, body)
    assert (sent == body) is (new_kind == "")
    return placed


def parts(*several: str) -> bytes:
    return (
        "".join(f"--B\r\nContent-Disposition: form-data; name={part}\r\n" for part in several).encode() + b"--B--\r\n"
    )


def test_a_form() -> None:
    body = b"n=7&tags=a&tags=b+c&meta=%7B%22on%22:true%7D&filter[a]=x&list=1,2&up=y"
    placed = read(FIELDS, f"{FORM}; charset=UTF-8", body)
    assert placed.problems == []
    assert placed.arguments == {
        "n": 7,
        "tags": ["a", "b c"],
        "meta": {"on": True},
        "filter": {"a": "x"},
        "list": [1, 2],
        "file": "y",
    }


def test_brackets_are_read_in_a_form_where_no_style_is_said() -> None:
    assert read(FIELDS, FORM, b"meta[on]=true&tags[]=a&tags[]=b").arguments == {
        "meta": {"on": True},
        "tags": ["a", "b"],
    }
    assert read(FIELDS, PARTS, parts('"meta[on]"\r\n\r\ntrue')).arguments == {"meta": {"on": True}}
    assert len(read(FIELDS, FORM, b"list[]=1").problems) == 1
    for body in (b"tags[]=a&tags=b", b"meta={}&meta[on]=true", b"tags[1]=a"):
        with pytest.raises(Refusal, match="bad_request"):
            read(FIELDS, FORM, body)


def test_parts() -> None:
    body = parts(
        "n\r\n\r\n7",
        "tags\r\n\r\na",
        "tags\r\n\r\nb",
        "meta\r\nContent-Type: application/json\r\n\r\n{\"on\":true}",
        '"filter[a]"\r\n\r\nx',
        "list\r\n\r\n1,2",
        "up; filename=a.bin\r\nContent-Type: image/png\r\n\r\n\x01\x02",
    )  # fmt: skip
    placed = read(FIELDS, PARTS, body)
    assert placed.problems == []
    assert placed.arguments == {
        "n": 7,
        "tags": ["a", "b"],
        "meta": {"on": True},
        "filter": {"a": "x"},
        "list": [1, 2],
        "file": "AQI=",
    }


@pytest.mark.parametrize(
    ("part", "arguments"),
    [
        ('meta; filename=blob\r\nContent-Type: application/json\r\n\r\n{"on":true}', {"meta": {"on": True}}),
        ('meta\r\n\r\n{"on":true}', {"meta": {"on": True}}),
        ('tags\r\nContent-Type: application/json\r\n\r\n["a","b"]', {"tags": ["a", "b"]}),
        ("up; filename=a.json\r\nContent-Type: application/json\r\n\r\n{}", {"file": "e30="}),
        ("up; filename=a.txt\r\nContent-Type: text/plain\r\n\r\nx", {"file": "eA=="}),
        ("up\r\nContent-Type: text/csv\r\n\r\nx", {"file": "x"}),
        ("n\r\nContent-Type: text/plain\r\n\r\nx", {"n": "x"}),
        ("n; filename=a\r\n\r\n7", {"n": "Nw=="}),
    ],
)
def test_one_part(part: str, arguments: dict[str, Any]) -> None:
    assert read(FIELDS, PARTS, parts(part)).arguments == arguments


def test_a_body_that_is_the_argument() -> None:
    assert read(WHOLE, "Application/JSON", b'{"n":1}').arguments == {"body": {"n": 1}}
    assert read(WHOLE, FORM, b"n=1&z=true&y=x").arguments == {"body": {"n": 1, "z": True, "y": "x"}}
    assert read(WHOLE, PARTS, parts("n\r\n\r\n1", "f; filename=f\r\n\r\nx")).arguments == {
        "body": {"n": 1, "f": "eA=="}
    }
    assert read(WHOLE, "text/markdown", "# é".encode()).arguments == {"body": "# é"}
    assert read(WHOLE, "image/png", b"\x00\xff").arguments == {"body": "AP8="}
    assert read(WHOLE, "application/xml", b"<a/>").arguments == {"body": "PGEvPg=="}


def test_names_that_are_not_declared() -> None:
    for kind, body in ((FORM, b"z=1&n=1"), (PARTS, parts("z\r\n\r\n1", "n\r\n\r\n1", "y; filename=y\r\n\r\n"))):
        placed = read(FIELDS, kind, body)
        assert placed.arguments == {"n": 1}
        assert len(placed.problems) == 1
    loose = tool("call: POST /x\ninput: {properties: {a: {}}, additionalProperties: {type: integer}}\nbody: '*/*'")
    assert read(loose, FORM, b"a=1&z=2").arguments == {"a": "1", "z": 2}
    assert [problem.path for problem in read(loose, "image/png", b"x").problems] == [""]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("", b"{}"),
        ("text/plain", b"{}"),
        ("application/json, application/json", b"{}"),
        ("application/vnd.a+json", b"{}"),
        ("application/json; charset=utf-16", b"{}"),
        ("application/json", b"{"),
        (f"{FORM}; charset=latin-1", b"n=1"),
        (FORM, b"n=1;tags=a"),
        (FORM, b"n=%zz"),
        (FORM, b"n=%ff"),
        (FORM, b"n=\xc3\xa9"),
        (FORM, b"n=1\r\n"),
        (FORM, b"n= 1"),
        (FORM, b"n=1&n=2"),
        (FORM, b"meta=x"),
        (FORM, b"meta={}&meta={}"),
        (FORM, b"filter[a]=1&filter=x"),
        (FORM, b"list=1&list=2"),
        ("multipart/form-data", b"--B--"),
        ("multipart/mixed; boundary=B", b"--B--"),
        (PARTS, b"x"),
        (PARTS, parts("n\r\n\r\n1", "n\r\n\r\n2")),
        (PARTS, parts("n\r\n\r\n1", "n; filename=x\r\n\r\n2")),
        (PARTS, parts("z; filename=x\r\n\r\n1", "z; filename=x\r\n\r\n2")),
        (PARTS, parts("z\r\n\r\n1", "z\r\n\r\n2")),
        (PARTS, parts('"filter[a]"\r\n\r\n1', "filter; filename=x\r\n\r\n2")),
        (PARTS, parts('meta\r\nContent-Type: application/json\r\n\r\n{"a":1,"a":2}')),
        (PARTS, parts('tags\r\nContent-Type: application/json\r\n\r\n"a"')),
        (PARTS, parts('n\r\nContent-Type: application/json\r\n\r\n"\\u0061"')),
        (PARTS, parts("n\r\n\r\n").replace(b"n\r\n\r\n", b"n\r\n\r\n\xff")),
    ],
)
def test_what_is_of_another_type_or_can_be_read_in_two_ways(kind: str, body: bytes) -> None:
    with pytest.raises(Refusal, match="bad_request"):
        read(FIELDS, kind, body)


def test_what_is_text_must_be_utf_8() -> None:
    for kind in ("text/plain", "text/plain; charset=latin-1"):
        with pytest.raises(Refusal, match="bad_request"):
            read(WHOLE, kind, b"\xff")


@pytest.mark.parametrize(
    ("kind", "types", "accepted"),
    [
        ("image/png", ("image/png",), True),
        ("image/png", ("image/*",), True),
        ("image/png", ("*/*",), True),
        ("image/png", ("image/jpeg", "text/*"), False),
        ("application/a+json", ("application/*+json",), True),
        ("application/json", ("application/*+json",), False),
        ("image/a+json", ("application/*+json",), False),
        ("image", ("*/*",), False),
        ("", ("*/*",), False),
        ("image/", ("image/*",), False),
        ("image/png,image/png", ("image/*",), False),
        ("image/*", ("image/*",), False),
    ],
)
def test_ranges(kind: str, types: tuple[str, ...], accepted: bool) -> None:
    assert bodies.is_accepted(kind, types) is accepted
