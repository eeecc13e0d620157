"""Reply contracts: what is off them, told without a word of the answer."""

import json
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.documents import BadSchema
from rules.load import load
from rules.replies import MOST_DEVIATIONS, UNDECLARED_STATUS, UNDECLARED_TYPE, Deviation, Replies, Shape, is_json
from tests.counts import examples
from tests.rules.helpers import problems, write

ORDER = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "lines": {"type": "array", "items": {"type": "object", "required": ["sku"]}},
        "tags": {"type": "object", "additionalProperties": {"type": "string"}},
        "a/b": {"prefixItems": [{"const": 1}]},
    },
    "required": ["id"],
    "patternProperties": {"^x": {"type": "null"}},
    "additionalProperties": False,
}


def of(schema, status="200", media_type="application/json"):
    return Replies({status: {media_type: Shape(schema)}})


def off(schema, value, media_type="application/json", charset=None):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return [str(each) for each in of(schema, media_type=media_type).judge(200, media_type, charset, body)]


def test_the_exact_status_beats_its_class_and_that_the_default():
    said = Replies({"200": {"a/1": Shape(True)}, "2XX": {"a/2": Shape(True)}, "default": {"a/3": Shape(True)}})
    assert [list(said.declared(status) or ()) for status in (200, 201, 404)] == [["a/1"], ["a/2"], ["a/3"]]


def test_a_status_that_is_not_declared():
    said = of(True)
    for status in (199, 201, 299, 300, 404, 500, 599, 999):
        assert said.judge(status, "application/json", None, b"{}") == (UNDECLARED_STATUS,)
    assert Replies({}).judge(200, "", None, None) == (UNDECLARED_STATUS,)


@pytest.mark.parametrize(
    ("declared", "sent", "fits"),
    [
        ("application/json", "application/json", True),
        ("application/json", "application/problem+json", False),
        ("application/json", "text/json", False),
        ("application/json", "", False),
        ("application/json", "text/html", False),
        ("application/*", "application/json", True),
        ("application/*", "text/plain", False),
        ("*/*", "image/png", True),
    ],
)
def test_a_media_type_fits_itself_or_its_range(declared, sent, fits):
    found = of(True, media_type=declared).judge(200, sent, None, b"1")
    assert found == (() if fits else (UNDECLARED_TYPE,))


def test_the_nearest_type_decides():
    said = Replies({"200": {"*/*": Shape(False), "application/*": Shape(False), "application/json": Shape(True)}})
    assert said.judge(200, "application/json", None, b"1") == ()
    assert said.judge(200, "application/x+json", None, b"1") != ()


def test_a_body_where_none_is_declared_and_none_where_one_is():
    assert Replies({"204": {}}).judge(204, "", None, b"") == ()
    assert Replies({"204": {}}).judge(204, "", None, b"x") == (Deviation("body", "is not declared"),)
    assert of(True).judge(200, "application/json", None, b"") == (Deviation("body", "is missing"),)
    assert of(False).judge(200, "application/json", None, None) == ()


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"id": 1, "lines": [{"sku": 1}], "tags": {"z": "q"}, "xy": None}, []),
        ({"id": "SECRET"}, ["/id: type"]),
        ({}, ["/id: required"]),
        ("SECRET", ["body: type"]),
        ({"id": 1, "lines": [{}, {"sku": 1}, {}]}, ["/lines/*/sku: required"]),
        ({"id": 1, "tags": {"SECRET": 1}}, ["/tags/*: type"]),
        ({"id": 1, "SECRET": 1}, ["body: additionalProperties"]),
        ({"id": 1, "xSECRET": 1}, ["/*: type"]),
        ({"id": 1, "a/b": ["SECRET"]}, ["/a~1b/*: const"]),
        ({"id": 1.5, "lines": 7}, ["/id: type", "/lines: type"]),
    ],
)
def test_places_are_those_of_the_schema(value, says):
    assert off(ORDER, value) == says


def test_places_are_found_through_references_and_branches():
    tree = {
        "$ref": "#/$defs/node",
        "$defs": {
            "node": {
                "allOf": [{"properties": {"items": {"items": {"$ref": "#/$defs/node"}}}}],
                "if": {"required": ["kind"]},
                "then": {"properties": {"kind": {"enum": ["x"]}}},
                "dependentSchemas": {"a": {"required": ["b"]}},
            }
        },
    }
    assert off(tree, {"items": [{"items": [{"kind": "SECRET"}]}]}) == ["/items/*/items/*/kind: enum"]
    assert off(tree, {"a": 1}) == ["/b: required"]


names = st.text("abSECRT~/*", min_size=1, max_size=6).map(lambda text: "SECRET" + text)
values = st.recursive(
    st.text(max_size=4).map(lambda text: "SECRET" + text) | st.integers() | st.none(),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(names | st.sampled_from(sorted(ORDER["properties"])), below, max_size=4)
    ),
)


@given(values)
@settings(max_examples=examples(80), deadline=None, database=None)
def test_nothing_of_an_answer_is_ever_told(value):
    told = off(ORDER, value)
    assert "SECRET" not in "".join(told)
    assert len(told) <= MOST_DEVIATIONS


def test_only_so_much_is_told():
    schema = {"properties": {f"p{number}": {"type": "null"} for number in range(50)}}
    assert len(off(schema, dict.fromkeys(schema["properties"], 1))) == MOST_DEVIATIONS
    assert off({"items": {"type": "null"}}, [1] * 100_000) == ["/*: type"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "body: is not JSON"),
        (b"<html>", "body: is not JSON"),
        (b"{} {}", "body: is not JSON"),
        (b'{"a":1,"a":2}', "body: is not JSON"),
        (b"NaN", "body: is not JSON"),
        (b"[" * 100_000, "body: is not JSON"),
        (b"[" * 200 + b"]" * 200, "body: is nested too deep"),
        (b'"\xff"', "body: is not in a known charset"),
        (b'"\\ud800"', "body: holds something that is not JSON"),
        (b"9" * 5000, "body: is not JSON"),
    ],
)
def test_what_is_not_json(body, says):
    assert off({"type": "string"}, body) == [says]


def test_charsets():
    assert off({"const": "é"}, b'"\xe9"', charset="iso-8859-1") == []
    assert off({"const": "é"}, b'\xef\xbb\xbf"\xc3\xa9"', charset="utf-8") == []
    assert off({}, b'"x"', charset="utf-7") == ["body: is not in a known charset"]


def test_plain_text_is_one_string_and_other_types_are_not_looked_into():
    assert off({"type": "string", "maxLength": 3}, b"abc", "text/plain") == []
    assert off({"type": "string", "maxLength": 3}, b"abcd", "text/plain") == ["body: maxLength"]
    assert off({"type": "object"}, b"<a/>", "application/xml") == []
    assert off({"type": "string"}, b"\xff\x00", "application/octet-stream") == []


@pytest.mark.parametrize("kind", ["application/json", "application/hal+json", "text/json"])
def test_what_is_json(kind):
    assert is_json(kind)
    assert not is_json(kind + "x")


def test_formats_are_checked():
    assert off({"type": "string", "format": "date"}, "2026-02-31") == ["body: format"]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nonsense"},
        {"tipe": "string"},
        {"pattern": "(?=x)"},
        {"$ref": "https://x.test/y.json"},
        {"$ref": "#/a"},
    ],
)
def test_a_schema_that_protects_nothing_is_refused(schema):
    with pytest.raises(BadSchema):
        Shape(schema)


SHOP = """
    backend: shop
    url: https://shop.test
    {backend}
    tools:
      one:
        call: GET /one
        {tool}
        replies:
          200: {{application/json: {{$ref: schemas/order.json}}, Application/HAL+json: {{}}}}
          404: {{}}
          4XX: {{text/*: true}}
          default: {{application/problem+json: {{type: object}}}}
      two:
        call: GET /two
"""


def shop(folder, backend="", tool=""):
    (folder / "schemas").mkdir(exist_ok=True)
    (folder / "schemas" / "order.json").write_text(json.dumps(ORDER))
    return write(folder, shop=dedent(SHOP.format(backend=backend, tool=tool)))


@pytest.mark.parametrize(
    ("backend", "tool", "mode"),
    [
        ("", "", "enforce"),
        ("reply: {contract: report}", "", "report"),
        ("reply: {contract: report}", "reply: {contract: enforce}", "enforce"),
        ("reply: {contract: report}", "reply: {redact: off}", "report"),
        ("", "reply: {contract: off}", "off"),
    ],
)
def test_the_mode_is_the_tools_else_the_backends_else_enforce(tmp_path, backend, tool, mode):
    tools = load(shop(tmp_path, backend, tool)).catalog.tools
    assert tools["shop.one"].reply.contract == mode
    assert tools["shop.two"].reply.contract == "off"
    assert tools["shop.two"].replies is None


def test_replies_are_read_by_status_and_type(tmp_path):
    replies = load(shop(tmp_path)).catalog.tools["shop.one"].replies
    assert {status: list(types) for status, types in replies.by_status.items()} == {
        "200": ["application/json", "application/hal+json"],
        "404": [],
        "4XX": ["text/*"],
        "default": ["application/problem+json"],
    }
    assert replies.judge(200, "application/json", None, b'{"id":"x"}') == (Deviation("/id", "type"),)


def test_the_revision_names_the_schemas_of_answers_too(tmp_path):
    before = load(shop(tmp_path)).revision
    (tmp_path / "schemas" / "order.json").write_text("{}")
    assert load(tmp_path).revision != before


@pytest.mark.parametrize(
    ("replies", "line", "message"),
    [
        ("{200: {application/json: {tipe: string}}}", 5, "is not a keyword of JSON Schema 2020-12"),
        ("{200: {application/json: {$ref: gone.json}}}", 5, "there is no file gone.json in the rules folder"),
        ("{600: {}}", 5, "has a key that is not text"),
        ("{'600': {}}", 5, "must be a status such as 200, a class such as 4XX, or default"),
        ("{2xx: {}}", 5, "must be a status such as 200, a class such as 4XX, or default"),
        ("{200: {json: {}}}", 5, "must be a media type such as application/json, a range such as text/*, or */*"),
        ("{200: {a/b: {}, A/b: {}}}", 5, "stands twice, since case does not count"),
        ("{200: {a/b: 5}}", 5, "is an integer, must be a JSON Schema"),
        ("{200: 5}", 5, "is an integer, must be a mapping"),
        ("{}", 5, "is empty"),
    ],
)
def test_what_cannot_be_a_reply_contract_is_a_load_error(tmp_path, replies, line, message):
    text = f"backend: shop\nurl: https://shop.test\ntools:\n  one:\n    replies: {replies}\n    call: GET /one\n"
    found = problems(tmp_path, shop=text)
    assert (line, message) in [(one.line, one.message) for one in found]


def test_a_contract_without_replies_is_an_error_where_the_tool_says_so(tmp_path):
    text = "backend: s\nurl: https://s.test\n{}\ntools:\n  one: {{call: GET /one{}}}\n"
    (found,) = problems(tmp_path, shop=text.format("says: x", ", reply: {contract: enforce}"))
    assert (found.line, found.path, found.message) == (
        5, "tools.one.reply.contract", "needs the key replies beside `reply`",
    )  # fmt: skip
    load(write(tmp_path, shop=text.format("reply: {contract: report}", "")))
