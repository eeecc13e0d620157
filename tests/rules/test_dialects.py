import pytest
from jsonschema_specifications import REGISTRY as SPECIFICATIONS

from rules.dialects import (
    DIALECTS,
    DRAFT4,
    DRAFT7,
    DRAFT201909,
    DRAFT202012,
    MOST_DEPTH,
    MOST_NODES,
    dialect_of,
    flaws,
    subschemas,
)


def found(schema, dialect=DRAFT202012):
    return [(one.path, one.message, one.hint) for one in flaws(schema, dialect)]


def test_the_dialect_is_what_schema_says():
    assert dialect_of({}) is DRAFT202012
    assert dialect_of(True) is DRAFT202012
    assert dialect_of({"$schema": "http://json-schema.org/draft-07/schema#"}) is DRAFT7
    assert dialect_of({"$schema": "https://json-schema.org/draft/2019-09/schema"}) is DRAFT201909
    with pytest.raises(ValueError, match="known are"):
        dialect_of({"$schema": "https://example.com/my-dialect"})


# What the metaschemas do not list: `$ref` in the oldest ones, and what a later draft took over from an earlier one.
UNLISTED = {"$ref", "definitions", "dependencies", "writeOnly", "$recursiveAnchor", "$recursiveRef", "$vocabulary"}


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.name)
def test_the_keywords_of_a_dialect_are_those_of_its_metaschema(dialect):
    parts = dialect.uri.removesuffix("schema") + "meta/"
    metas = [
        SPECIFICATIONS.contents(uri)
        for uri in SPECIFICATIONS
        if uri.rstrip("#") == dialect.uri or uri.startswith(parts)
    ]
    words = {word for meta in metas for word in meta.get("properties", {})}
    assert words
    assert words ^ set(dialect.keywords) <= UNLISTED


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.name)
def test_every_format_of_a_dialect_refuses_something(dialect):
    for name in dialect.formats:
        validator = dialect.fast({"format": name}, validate_formats=True, offline=True)
        texts = ["( {%", "\x00 @", "..", "a b", "::::", "-", "{", "^("]
        assert not all(validator.is_valid(text) for text in texts), name


@pytest.mark.parametrize(
    ("schema", "path", "message", "hint"),
    [
        ({"minimun": 1}, ("minimun",), "is not a keyword of JSON Schema 2020-12", "did you mean minimum?"),
        (
            {"allOf": [{}, {"tipe": 1}]},
            ("allOf", 1, "tipe"),
            "is not a keyword of JSON Schema 2020-12",
            "did you mean type?",
        ),
        ({"properties": {"a": {"nullable": True}}}, ("properties", "a", "nullable"), None, 'use type: [..., "null"]'),
        ({"dependencies": {}}, ("dependencies",), None, "use dependentRequired or dependentSchemas"),
        ({"additionalItems": False}, ("additionalItems",), None, "use items beside prefixItems"),
        ({"zzz": 1}, ("zzz",), None, "names that begin with x- are free"),
        ({"format": "emial"}, ("format",), "names a format that 2020-12 cannot check", "did you mean email?"),
        ({"format": "int64"}, ("format",), None, "say it with minimum and maximum, pattern or maxLength"),
        ({"if": {"not": {"contains": {"foo": 1}}}}, ("if", "not", "contains", "foo"), None, None),
        ({"prefixItems": [{"foo": 1}]}, ("prefixItems", 0, "foo"), None, None),
        ({"$defs": {"a": {"b": 1}}}, ("$defs", "a", "b"), None, None),
    ],
)
def test_what_a_validator_would_ignore_is_a_flaw(schema, path, message, hint):
    ((where, what, help_),) = found(schema)
    assert where == path
    assert message in (None, what)
    assert hint in (None, help_)


def test_beside_a_reference_old_dialects_ignore_everything():
    schema = {"properties": {"a": {"$ref": "#/definitions/b", "minimum": 1, "description": "d"}}}
    ((path, message, _),) = found(schema, DRAFT7)
    assert (path, message) == (("properties", "a", "minimum"), "has no effect beside $ref in draft-07")
    assert found(schema) == []


def test_data_and_names_of_the_author_are_no_keywords():
    assert (
        found(
            {
                "properties": {"minimun": {"const": {"tipe": 1}, "default": {"a": {"b": 1}}, "enum": [{"c": 1}]}},
                "patternProperties": {"^x": True},
                "dependentRequired": {"foo": ["bar"]},
                "examples": [{"tipe": 1}],
                "x-origin": {"tipe": 1},
            }
        )
        == []
    )
    assert found({"dependencies": {"a": ["b"], "c": {"minimum": 1}}, "items": [{}, {"type": "string"}]}, DRAFT4) == []


def test_depth_and_number_are_bounded():
    deep = {}
    for _ in range(MOST_DEPTH * 4):
        deep = {"not": deep}
    assert "deeper than" in found(deep)[0][1]
    wide = {"allOf": [{} for _ in range(MOST_NODES + 1)]}
    assert "larger than" in found(wide)[0][1]
    assert len(list(subschemas(wide, DRAFT202012))) <= MOST_NODES + 1
