import pytest

from rules.openapi.bodies import MOST_FIELDS, is_json, media_type
from tests.rules.openapi.making import imported, loaded, posted

JSON, FORM, MULTIPART = "application/json", "application/x-www-form-urlencoded", "multipart/form-data"
NAME = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


def schema(value):
    return {JSON: {"schema": value}}


def args(found):
    return found.tools["it"].get("args")


def test_fields_of_an_object_are_arguments():
    found = posted(schema({**NAME, "properties": {**NAME["properties"], "n": {"type": "integer"}}}), required=True)
    assert args(found) == {"name": {"type": "string"}, "n": {"type": "integer", "optional": True}}
    assert "in" not in found.tools["it"]
    assert "body" not in found.tools["it"], "JSON is what bodies are without a word"


def test_fields_behind_references_and_branches_are_arguments():
    components = {
        "schemas": {"Base": NAME, "Full": {"allOf": [{"$ref": "#/components/schemas/Base"}, {"properties": {"n": {}}}]}}
    }
    found = posted(schema({"$ref": "#/components/schemas/Full"}), components, required=True)
    assert args(found) == {"name": {"type": "string"}, "n": {"optional": True}}


@pytest.mark.parametrize(
    "body",
    [
        {"type": "array", "items": {"type": "integer"}},
        {"type": "string"},
        {"type": "object"},
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {**NAME, "additionalProperties": True},
        {"oneOf": [NAME, {"type": "array"}]},
        {**NAME, "minProperties": 1},
        {"type": "object", "properties": {"": {"type": "string"}, "a": {}}},
        {**NAME, "nullable": True},
        {"allOf": [NAME, {"oneOf": [NAME]}]},
        {"allOf": [NAME, {"properties": {"name": {"type": "integer"}}}]},
        {"type": "object", "properties": {f"p{n}": {} for n in range(MOST_FIELDS + 1)}},
        {},
        None,
    ],
)
def test_a_body_that_is_more_than_its_fields_stays_whole(body, tmp_path):
    found = posted(schema(body), required=True)
    assert list(args(found)) == ["body"]
    assert "in" not in found.tools["it"]
    assert loaded(found, tmp_path)["it"].whole_body


def test_a_field_that_is_called_body_is_a_field(tmp_path):
    found = posted(schema({"type": "object", "properties": {"body": {"type": "string"}}}), required=True)
    assert found.tools["it"]["in"] == {"body": "body"}
    assert not loaded(found, tmp_path)["it"].whole_body


def test_a_body_that_may_be_missing_asks_for_all_or_nothing(tmp_path):
    found = posted(schema({**NAME, "properties": {"name": {"type": "string"}, "n": {"type": "integer"}}}))
    contract = loaded(found, tmp_path)["it"].contract
    assert contract.check({}) == ()
    assert contract.check({"name": "a"}) == ()
    assert contract.check({"n": 1}) != (), "a body needs its name"
    assert contract.check({"other": 1}) != ()


def test_names_that_collide_are_told_apart(tmp_path):
    body = {"content": schema({"type": "object", "properties": {"id": {"type": "string"}, "$x": {}}}), "required": True}
    parameters = [
        {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}},
        {"name": "id", "in": "query", "schema": {"type": "boolean"}},
        {"name": "body_id", "in": "query", "schema": {"type": "string"}},
    ]
    found = imported({"/x/{id}": {"post": {"operationId": "it", "parameters": parameters, "requestBody": body}}})
    assert found.tools["it"]["in"] == {
        "query_id": {"query": {"name": "id"}},
        "body_id": "query",
        "body_id_2": {"body": {"name": "id"}},
        "x": {"body": {"name": "$x"}},
    }
    tool = loaded(found, tmp_path)["it"]
    assert sorted(tool.travels(name) for name in ("id", "query_id", "body_id", "body_id_2", "x")) == [
        ("body", "$x"),
        ("body", "id"),
        ("path", "id"),
        ("query", "body_id"),
        ("query", "id"),
    ]


@pytest.mark.parametrize(
    ("content", "types", "names", "notes"),
    [
        ({JSON: NAME, FORM: NAME, MULTIPART: NAME}, [JSON, FORM, MULTIPART], ["name"], 0),
        ({FORM: NAME}, [FORM], ["name"], 0),
        ({"application/xml": NAME, JSON: NAME}, None, ["name"], 1),
        ({JSON: NAME, FORM: {"type": "object", "properties": {"x": {}}}}, None, ["name"], 1),
        ({"*/*": NAME}, None, ["name"], 0),
        ({"text/json": NAME, "application/*+json": NAME, JSON: NAME}, [JSON, "application/*"], ["name"], 0),
        ({"application/vnd.shop+json; charset=utf-8": NAME}, ["application/vnd.shop+json"], ["name"], 0),
        (
            {"application/octet-stream": {"type": "string", "format": "binary"}},
            ["application/octet-stream"],
            ["body"],
            0,
        ),
        ({"image/*": {}}, ["image/*"], ["body"], 0),
        ({"text/csv": {"type": "string"}, "text/plain": {}}, ["text/csv", "text/plain"], ["body"], 0),
        ({"application/xml": NAME}, ["application/xml"], ["body"], 0),
        ({"application/octet-stream": {}, MULTIPART: NAME}, [MULTIPART], ["name"], 1),
        ({"not a type": NAME, JSON: NAME}, None, ["name"], 1),
        ({"not a type": NAME}, [JSON], ["body"], 1),
    ],
)
def test_media_types(content, types, names, notes, tmp_path):
    found = posted({kind: {"schema": one} for kind, one in content.items()}, required=True)
    tool = found.tools["it"]
    assert (tool.get("body"), list(tool["args"])) == (types, names)
    assert len(found.notes.get("it", [])) == notes, found.notes
    loaded(found, tmp_path)


def test_styles_of_form_fields(tmp_path):
    body = {
        "type": "object",
        "properties": {"meta": {"type": "object"}, "ids": {"type": "array", "items": {}}, "m": {"type": "object"}},
    }
    encoding = {
        "meta": {"style": "deepObject", "explode": True},
        "ids": {"style": "form", "explode": False},
        "m": {"style": "odd"},
    }
    found = posted({FORM: {"schema": body, "encoding": encoding}}, required=True)
    assert found.tools["it"]["in"] == {
        "meta": {"body": {"style": "deepObject", "explode": True}},
        "ids": {"body": {"explode": False}},
    }
    loaded(found, tmp_path)


def test_read_only_fields_are_no_arguments(tmp_path):
    body = {"type": "object", "properties": {"id": {"readOnly": True}, "n": {}}, "required": ["id", "n", "gone"]}
    found = posted(schema(body), required=True)
    assert list(args(found)) == ["n"]
    assert found.notes["it"] == ["its body requires gone, which it does not declare"]


def test_a_body_that_leads_nowhere_lets_nothing_pass(tmp_path):
    found = posted(schema({"$ref": "#/components/schemas/Gone"}), required=True)
    contract = loaded(found, tmp_path)["it"].contract
    assert contract.check({"body": {}}) != ()
    assert contract.check({"body": 1}) != ()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Application/JSON; charset=utf-8", JSON),
        ("*/*", "*/*"),
        ("text/*", "text/*"),
        ("json", ""),
        ("a/b c", ""),
        ("", ""),
    ],
)
def test_a_media_type_is_read_without_its_parameters(text, kind):
    assert media_type(text) == kind


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(JSON, True), ("application/hal+json", True), ("*/*", True), ("text/json", True), ("application/xml", False)],
)
def test_what_is_read_as_json(kind, expected):
    assert is_json(kind) is expected


def test_branches_that_multiply_take_little_time(tmp_path):
    """Each of 30 levels names the next one 30 times: followed one by one that would never end."""
    name = "#/components/schemas/L{}".format
    schemas = {f"L{n}": {"allOf": [{"$ref": name(n + 1)}] * 30, "properties": {f"p{n}": {}}} for n in range(30)}
    schemas["L30"] = {"allOf": [{"$ref": name(0)}], "properties": {"id": {"readOnly": True}, "end": {}}}
    found = posted(schema({"$ref": name(0)}), {"schemas": schemas}, required=True)
    assert set(args(found)) == {*(f"p{n}" for n in range(30)), "end"}
    loaded(found, tmp_path)
