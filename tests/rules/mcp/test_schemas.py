import json

import pytest

from rules.documents import BadSchema
from rules.mcp import schemas


def arguments(schema, value):
    """Whether arguments fit the contract that a schema gives."""
    return not schemas.contract(schema).check(value)


def result(schema, value):
    """Whether a result with this structured content is on its contract."""
    body = json.dumps({"result": {"content": [], "structuredContent": value}}).encode()
    return not schemas.replies(schema).judge(200, "application/json", None, body)


def test_what_json_schema_ignores_is_ignored():
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string", "nullable": True, "format": "int32", "example": "x"}},
        "foo": {"bar": 1},
    }
    assert arguments(schema, {"a": "x"})
    assert not arguments(schema, {"a": 1})


def test_the_top_level_is_closed_unless_the_server_opens_it():
    assert not arguments({"type": "object"}, {"a": 1})
    assert arguments({"type": "object"}, {})
    assert arguments({"type": "object", "additionalProperties": True}, {"a": 1})
    assert arguments({"type": "object", "patternProperties": {"^x": {}}}, {"x1": 1})
    assert not arguments({"type": "object", "patternProperties": {"^x": {}}}, {"y": 1})


def test_what_is_required_may_be_declared_nowhere():
    assert arguments({"type": "object", "required": ["a"]}, {"a": 1})
    assert not arguments({"type": "object", "required": ["a"]}, {})


@pytest.mark.parametrize(
    "uri",
    [
        "http://json-schema.org/draft-07/schema#",
        "https://json-schema.org/draft-07/schema",
        "http://json-schema.org/draft/2020-12/schema",
        "http://json-schema.org/draft-04/schema#",
    ],
)
def test_dialects_have_several_names(uri):
    assert arguments({"$schema": uri, "type": "object", "properties": {"a": {"type": "integer"}}}, {"a": 1})


def test_references_within_a_schema_are_followed_in_every_dialect():
    for dialect, word in (("http://json-schema.org/draft-07/schema#", "$defs"), (None, "definitions")):
        schema = {
            **({"$schema": dialect} if dialect else {}),
            "type": "object",
            "properties": {"a": {"$ref": f"#/{word}/n", "description": "beside"}},
            word: {"n": {"type": "integer"}},
        }
        assert arguments(schema, {"a": 1})
        assert not arguments(schema, {"a": "x"})


@pytest.mark.parametrize(
    "ref",
    [
        "https://evil.test/x.json",
        "http://127.0.0.1:1/x.json",
        "file:///etc/passwd",
        "other.json",
        "crm.yaml",
        "//evil.test/x",
    ],
)
def test_nothing_is_fetched_and_no_file_is_read(ref):
    for schema in (
        {"type": "object", "properties": {"a": {"$ref": ref}}},
        {"$id": "https://evil.test/", "type": "object", "properties": {"a": {"$ref": ref}}},
        {"type": "object", "properties": {"a": {"$dynamicRef": ref}}},
    ):
        with pytest.raises(BadSchema):
            schemas.contract(schema)
        with pytest.raises(BadSchema):
            schemas.replies(schema)


def test_an_unknown_dialect_is_refused():
    with pytest.raises(BadSchema, match="unknown dialect"):
        schemas.contract({"$schema": "https://evil.test/dialect", "type": "object"})


@pytest.mark.parametrize("schema", [None, [], "x", True, {"type": "array"}, {"type": ["object", "null"]}])
def test_arguments_are_an_object(schema):
    with pytest.raises(BadSchema):
        schemas.contract(schema)


def test_patterns_that_do_not_run_in_linear_time_are_left_to_the_server():
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(?!x)", "maxLength": 3}}}
    contract = schemas.contract(schema)
    assert contract.check({"a": "xy"}) == ()
    assert contract.check({"a": "xyzz"})
    assert contract.schema[schemas.LEFT_OUT] == "a pattern that does not run in linear time"
    named = {"type": "object", "patternProperties": {"(?=x)": {}, "^y": {}}}
    assert [arguments(named, {name: 1}) for name in ("x", "y")] == [False, True]


@pytest.mark.parametrize(
    "broken",
    [
        {"a": {"type": "string", "required": True}},
        {"a": {"type": "text"}},
        {"a": {"type": "string", "minLength": -1}},
        {"a": {"enum": "x"}},
        {"a": {"type": "array", "items": {"required": "a"}}},
        {"a": {"type": "string", "minLength": "1"}, "b": {"maximum": "x"}},
    ],
)
def test_a_keyword_that_is_no_json_schema_is_left_out(broken):
    contract = schemas.contract({"type": "object", "properties": broken})
    assert contract.names == broken.keys()
    assert "which is none of JSON Schema" in contract.schema[schemas.LEFT_OUT]
    assert contract.check({"a": 1}) == () or broken["a"].get("type") in ("string", "array")


def test_a_schema_that_cannot_be_mended_is_refused():
    many = {f"a{one}": {"type": "nothing"} for one in range(schemas.MOST_MENDED + 1)}
    with pytest.raises(BadSchema):
        schemas.contract({"type": "object", "properties": many})
    with pytest.raises(BadSchema):
        schemas.contract({"type": "object", "properties": {"a": {"$ref": "#/$defs/nowhere"}}})


def test_the_server_s_schema_stays_what_it_was():
    schema = {"type": "object", "required": ["b"], "properties": {"a": {"pattern": "^(?!x)", "type": "nothing"}}}
    before = json.dumps(schema)
    schemas.contract(schema)
    schemas.replies(schema)
    assert json.dumps(schema) == before


def test_results_have_to_fit_the_output_schema():
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "https://hub.test/out",
        "type": "object",
        "properties": {"n": {"$ref": "#/definitions/n"}, "more": {"$ref": "#"}},
        "required": ["n"],
        "definitions": {"n": {"type": "integer"}},
    }
    assert result(schema, {"n": 1, "more": {"n": 2}, "other": True})
    assert not result(schema, {"n": "x"})
    assert not result(schema, {"n": 1, "more": {}})
    assert not result(schema, {})


def test_a_result_without_structured_content_and_an_error_are_not_judged_by_it():
    judge = schemas.replies({"type": "object", "required": ["n"]}).judge
    assert judge(200, "application/json", None, b'{"result": {"resultType": "input_required"}}') == ()
    assert [one.what for one in judge(400, "application/json", None, b"{}")] == ["is not declared"]
    assert [one.where for one in judge(400, "application/json", None, b"{}")] == ["status"]


@pytest.mark.parametrize(("keyword", "value"), [("$id", "x"), ("$dynamicRef", "#x")])
def test_an_output_schema_that_cannot_be_moved_is_refused(keyword, value):
    with pytest.raises(BadSchema, match="cannot be followed"):
        schemas.replies({"type": "object", "properties": {"a": {keyword: value}}})


def test_the_arguments_of_a_prompt_are_texts():
    contract = schemas.prompt([{"name": "a", "required": True, "description": "One."}, {"name": "b"}])
    assert contract.check({"a": "x"}) == ()
    assert contract.check({"a": "x", "b": "y"}) == ()
    assert all(contract.check(each) for each in ({}, {"a": 1}, {"a": "x", "c": "y"}))
    assert schemas.prompt(None).check({}) == ()


@pytest.mark.parametrize("arguments", ["x", {}, [1], [{"name": 1}], [{"name": "a"}, {"name": "a"}]])
def test_arguments_of_a_prompt_that_are_none_are_refused(arguments):
    with pytest.raises(BadSchema):
        schemas.prompt(arguments)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "http://json-schema.org/schema#",
        "json-schema.org/draft-07/schema#",
        "https://spec.openapis.org/oas/3.1/dialect/base",
    ],
)
def test_no_dialect_and_those_that_are_another_by_name_are_read(uri):
    schema = {"$schema": uri, "type": "object", "properties": {"a": {"type": "integer"}}}
    assert arguments(schema, {"a": 1})
    assert not arguments(schema, {"a": "x"})
    assert not result(schema, {"a": "x"})


def test_what_is_required_twice_is_required():
    schema = {"type": "object", "properties": {"a": {}, "b": {"required": ["c", "c"]}}, "required": ["a", "a"]}
    assert arguments(schema, {"a": 1})
    assert not arguments(schema, {})
    assert not arguments(schema, {"a": 1, "b": {}})


@pytest.mark.parametrize("name", ["List[str]", "Record<string,unknown>", "a b", "Größe", "50%25", "{x}", "a|b^`\\"])
@pytest.mark.parametrize("word", ["$defs", "definitions"])
def test_a_reference_may_be_spelt_as_no_uri_is(name, word):
    """Generators name definitions after types of their languages, and put the names into references as they are."""
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": f"#/{word}/{name}"}},
        word: {name.replace("%25", "%"): {"type": "integer"}},
    }
    for fits in (arguments, result):
        assert fits(schema, {"a": 1})
        assert not fits(schema, {"a": "x"})


def test_names_of_definitions_that_mean_nothing_are_not_in_the_way():
    modern = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/A"}},
        "$defs": {"A": {"id": "A", "type": "integer"}},
    }
    old = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "http://example.com/root.json",
        "type": "object",
        "properties": {"a": {"$id": "#/properties/a", "type": "integer"}},
    }
    for schema in (modern, old):
        for fits in (arguments, result):
            assert fits(schema, {"a": 1})
            assert not fits(schema, {"a": "x"})
