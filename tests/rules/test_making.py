"""Arguments made from contracts: they fit, always, or there are none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.documents import BadSchema
from rules.making import at
from rules.problems import NO_EXAMPLE
from rules.schema import Contract
from tests.counts import examples
from tests.rules.helpers import corpus


def of(schema):
    """The example of one required argument `a`."""
    return Contract({"type": "object", "properties": {"a": schema}, "required": ["a"]}).example(("a",))


@pytest.mark.parametrize(
    ("schema", "example"),
    [
        ({"type": "string"}, "text"),
        ({"type": "string", "maxLength": 2}, "te"),
        ({"type": "string", "minLength": 6}, "text t"),
        ({"type": "string", "pattern": "^[A-Z]{3}$"}, "AAA"),
        ({"type": "string", "pattern": "^[a-z]+$", "minLength": 4}, "aaaa"),
        ({"type": "string", "format": "email"}, "name@example.com"),
        ({"type": "integer"}, 1),
        ({"type": "integer", "minimum": 1.5}, 2),
        ({"type": "integer", "exclusiveMinimum": 3}, 4),
        ({"type": "integer", "maximum": -2}, -2),
        ({"type": "integer", "minimum": 5, "multipleOf": 7}, 7),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": ["null", "integer"]}, 1),
        ({"type": "number", "allOf": [{"type": "integer"}]}, 1),
        ({"enum": ["x", "y"]}, "x"),
        ({"const": {"k": 1}}, {"k": 1}),
        ({"type": "array", "minItems": 3, "uniqueItems": True, "items": {"type": "string", "pattern": "^(0|[1-9]+)$"}},
         ["0", "11", "111"]),
        ({"default": 5, "examples": [6]}, 5),
        ({"type": "string", "examples": [5]}, "text"),
        ({"minimum": 3}, 3),
        ({"type": "array", "items": {"type": "integer"}}, [1]),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2, "uniqueItems": True}, [1, 2]),
        ({"type": "array", "items": {"enum": ["x", "y"]}, "minItems": 2, "uniqueItems": True}, ["x", "y"]),
        ({"type": "array", "items": {"type": "string"}, "minItems": 2, "uniqueItems": True}, ["text", "x"]),
        ({"type": "array", "maxItems": 0}, []),
        ({"type": "array", "prefixItems": [{"const": 1}, {"const": 2}], "minItems": 2, "items": False}, [1, 2]),
        ({"type": "array", "contains": {"const": 7}}, [7]),
        ({"properties": {"k": {"type": "string"}, "n": {}}, "required": ["k"]}, {"k": "text"}),
        ({"type": "object", "additionalProperties": {"type": "integer"}, "required": ["k"]}, {"k": 1}),
        ({"type": "object", "properties": {"k": {"const": 1}}, "minProperties": 1}, {"k": 1}),
        ({"properties": {"k": {"const": 1}, "l": {"const": 2}}, "required": ["k"], "dependentRequired": {"k": ["l"]}},
         {"k": 1, "l": 2}),
        ({"oneOf": [{"type": "integer"}, {"type": "string"}]}, 1),
        ({"oneOf": [{"type": "number"}, {"type": "integer"}]}, NO_EXAMPLE),
        ({"anyOf": [{"type": "integer", "maximum": 0, "minimum": 1}, {"const": "x"}]}, "x"),
        ({"allOf": [{"type": "integer", "minimum": 4}, {"maximum": 4}]}, 4),
        ({"type": "integer", "not": {"const": 1}, "anyOf": [{"const": 1}, {"const": 5}]}, 5),
        ({"if": {"properties": {"k": {"const": 1}}, "required": ["k"]}, "then": {"required": ["l"]}, "else": False,
          "properties": {"k": {"const": 1}, "l": {"const": 2}}}, {"k": 1, "l": 2}),
        ({"type": "string", "pattern": "^[^a]b\\p{L}$"}, NO_EXAMPLE),
        ({"type": "string", "minLength": 5_000}, NO_EXAMPLE),
        (False, NO_EXAMPLE),
    ],
)  # fmt: skip
def test_an_example_fits(schema, example):
    found = of(schema)
    assert found is NO_EXAMPLE if example is NO_EXAMPLE else (found == example and type(found) is type(example))


def test_a_whole_call_has_what_is_required_in_the_order_of_the_contract():
    contract = Contract(
        {
            "type": "object",
            "properties": {"note": {}, "id": {"type": "integer"}, "to": {"$ref": "#/$defs/address"}},
            "required": ["to", "id"],
            "$defs": {"address": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}},
        }
    )
    assert list(contract.example().items()) == [("id", 1), ("to", {"city": "text"})]
    assert contract.example(("to", "city")) == "text"
    assert contract.example(("note",)) == "text"
    assert contract.example(("SECRET", "SECRET")) is NO_EXAMPLE


def test_places_in_arrays_and_branches():
    contract = Contract(
        {
            "properties": {
                "rows": {"items": {"properties": {"n": {"type": "integer", "minimum": 3}}}},
                "pair": {"prefixItems": [{"const": 1}, {"const": 2}]},
                "way": {"oneOf": [{"properties": {"x": {"const": 1}}, "required": ["x"]},
                                  {"properties": {"y": {"const": 2}}, "required": ["y"]}]},
            }
        }
    )  # fmt: skip
    assert contract.example(("rows", 900, "n")) == 3
    assert contract.example(("pair", 1)) == 2
    assert contract.example(("way", "y")) == 2


def test_trees_end():
    node = {"type": "object", "properties": {"kids": {"items": {"$ref": "#/$defs/node"}}}, "required": ["kids"]}
    endless = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}, "required": ["next"]}
    wide = {"type": "object", "properties": {f"p{n}": {"$ref": "#/$defs/node"} for n in range(9)}}
    wide["required"] = list(wide["properties"])
    for one, made in ((node, True), (endless, False), (wide, False)):
        contract = Contract({"properties": {"a": {"$ref": "#/$defs/node"}}, "required": ["a"], "$defs": {"node": one}})
        assert (contract.example() is not NO_EXAMPLE) == made


def test_a_huge_example_is_left_out():
    assert of({"const": "x" * 5_000}) is NO_EXAMPLE


def test_what_lies_at_a_place():
    assert at({"a": [5]}, ("a", 0)) == 5
    for path in (("b",), ("a", 1), ("a", 0, "c"), ("a", "x")):
        assert at({"a": [5]}, path) is NO_EXAMPLE


words = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["object", "array", "string", "integer", "number", "boolean", "null"]),
        "minLength": st.sampled_from([0, 3, 3.0, 9]),
        "maxLength": st.integers(0, 9),
        "minimum": st.integers(-9, 9),
        "exclusiveMaximum": st.integers(-9, 9),
        "multipleOf": st.sampled_from([1, 3, 0.5]),
        "enum": st.lists(st.sampled_from([1, "x", None, True]), min_size=1, max_size=3, unique=True),
        "pattern": st.sampled_from(["^a+$", "[0-9]{2}", "^(x|y)z?$"]),
        "minItems": st.sampled_from([0, 1, 3, 2.0]),
        "maxItems": st.sampled_from([0, 2, 3.0]),
        "minProperties": st.sampled_from([0, 2, 1.0]),
        "uniqueItems": st.booleans(),
        "required": st.lists(st.sampled_from("ab"), unique=True),
    },
)
schemas = st.recursive(
    words | st.booleans(),
    lambda below: st.builds(
        lambda said, more: {**said, **more} if isinstance(said, dict) else said,
        words,
        st.fixed_dictionaries(
            {},
            optional={
                "properties": st.dictionaries(st.sampled_from("ab"), below, max_size=2),
                "items": below,
                **{word: st.lists(below, min_size=1, max_size=3) for word in ("allOf", "anyOf", "oneOf")},
                **dict.fromkeys(("if", "then", "else", "not", "contains"), below),
            },
        ),
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from("abc"), schemas, min_size=1, max_size=3))
@settings(max_examples=examples(100), deadline=None, database=None)
def test_whatever_the_contract_its_example_fits(properties):
    try:
        contract = Contract({"properties": properties, "required": list(properties)})
    except BadSchema:
        return
    example = contract.example()
    assert example is NO_EXAMPLE or contract.check(example) == ()


def test_contracts_of_real_tools_have_examples():
    schemas = [record["tool"].get("inputSchema") for record in corpus("mcp/tools.jsonl.gz")]
    contracts = made = 0
    for schema in schemas:
        try:
            contract = Contract(schema)
        except (BadSchema, AttributeError):
            continue
        contracts += 1
        example = contract.example()
        made += example is not NO_EXAMPLE and contract.check(example) == ()
    assert made >= contracts * 0.99 > 0
