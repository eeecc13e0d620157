import timeit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.dialects import DIALECTS, DRAFT4, DRAFT6, DRAFT7, DRAFT201909, DRAFT202012, dialect_of, flaws
from rules.documents import BadSchema
from rules.problems import MOST_PROBLEMS
from rules.schema import MOST_DEPTH, MOST_ELEMENTS, MOST_EXPLAINED, Contract, Problem, compiled, is_disputed
from rules.second import second_opinion
from tests.counts import examples
from tests.rules.helpers import corpus


def check(schema, args):
    return [(one.path, one.problem) for one in Contract(schema).check(args)]


def prop(schema, value):
    """The problem of one argument `a`, or None."""
    found = check({"properties": {"a": schema}}, {"a": value})
    assert len(found) <= 1
    return found[0][1] if found else None


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer"}, 1),
        ({"type": "integer"}, 1.0),
        ({"type": "integer"}, 2**70),
        ({"type": "number", "multipleOf": 0.01}, 19.99),
        ({"type": "number", "multipleOf": 0.01}, 4.35),
        ({"type": "string", "pattern": "b"}, "abc"),
        ({"type": "string", "pattern": r"^\d+$"}, "123"),
        ({"type": "string", "maxLength": 1}, "😀"),
        ({"enum": [1, "x", None]}, 1.0),
        ({"const": {"a": [1]}}, {"a": [1.0]}),
        ({"format": "date"}, 5),
        ({"type": ["string", "null"]}, None),
    ],
)
def test_valid(schema, value):
    assert prop(schema, value) is None


@pytest.mark.parametrize(
    ("schema", "value", "problem"),
    [
        ({"type": "integer"}, True, "is a boolean, must be an integer"),
        ({"type": "integer"}, "5", "is a string, must be an integer"),
        ({"type": "integer"}, 1.5, "is a number, must be an integer"),
        ({"type": "boolean"}, 1, "is an integer, must be a boolean"),
        ({"type": "number"}, False, "is a boolean, must be a number"),
        ({"type": ["string", "null"]}, [], "is an array, must be a string or null"),
        ({"type": "string"}, None, "is null, must be a string"),
        ({"type": "array"}, {}, "is an object, must be an array"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "x", "is a string, must be an integer or null"),
        ({"anyOf": [{"minimum": 5}, {"type": "null"}]}, 1, "fits none of the allowed forms"),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, 1, "must fit exactly one of the allowed forms"),
        ({"enum": [1]}, True, "must be one of: 1"),
        ({"enum": ["a", "b"]}, "c", "must be one of: a, b"),
        ({"const": "a"}, "b", "must be a"),
        ({"minimum": 3}, 2, "must be at least 3"),
        ({"maximum": 3}, 4, "must be at most 3"),
        ({"exclusiveMinimum": 3}, 3, "must be more than 3"),
        ({"exclusiveMaximum": 3}, 3, "must be less than 3"),
        ({"multipleOf": 0.01}, 1.005, "must be a multiple of 0.01"),
        ({"minLength": 3}, "ab", "must have at least 3 characters"),
        ({"maxLength": 3}, "abcd", "must have at most 3 characters"),
        ({"pattern": "^a$"}, "ba", "must match the pattern ^a$"),
        ({"pattern": r"^\d$"}, "٣", r"must match the pattern ^\d$"),
        ({"pattern": "^a$"}, "a\n", "must match the pattern ^a$"),
        ({"format": "email"}, "x", "must be of the format email"),
        ({"format": "date"}, "2026-02-30", "must be of the format date"),
        ({"minItems": 1}, [], "must have at least 1 items"),
        ({"maxItems": 1}, [1, 2], "must have at most 1 items"),
        ({"uniqueItems": True}, [1, 1.0], "must not hold the same item twice"),
        ({"contains": {"const": 1}}, [2], "does not hold the items that it must hold"),
        ({"not": {"type": "null"}}, None, "is of a form that is not allowed"),
        ({"minProperties": 1}, {}, "must have at least 1 names"),
        ({"propertyNames": {"maxLength": 1}}, {"secret": 1}, "holds a name of a form that is not allowed"),
        ({"prefixItems": [{}], "items": False}, [1, 2], "is not allowed"),
        (False, 1, "is not allowed"),
    ],
)
def test_invalid(schema, value, problem):
    assert prop(schema, value) == problem


ORDER = {
    "properties": {
        "order_id": {"type": "integer", "minimum": 1},
        "note": {"type": "object", "properties": {"text": {"type": "string"}}, "additionalProperties": False},
        "tags": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "required": ["order_id"],
}


def test_what_is_missing_is_shown_where_it_should_be():
    assert Contract(ORDER).check({}) == (Problem("/order_id", "is missing", 1),)


def test_an_undeclared_name_is_refused_and_never_repeated():
    ((path, problem),) = check(ORDER, {"order_id": 1, "SECRET": 1})
    assert (path, problem) == ("", "holds a name that is not declared; declared: note, order_id, tags")
    ((path, problem),) = check(ORDER, {"order_id": 1, "note": {"SECRET": 1}})
    assert (path, problem) == ("/note", "holds a name that is not declared; declared: text")


def test_a_misspelt_name_is_told_what_was_meant():
    assert check(ORDER, {"orderid": 1}) == [
        ("", "holds a name that is not declared (did you mean order_id?); declared: note, order_id, tags"),
        ("/order_id", "is missing"),
    ]


def test_names_that_the_caller_chose_stay_out_of_paths():
    assert check(ORDER, {"order_id": 1, "tags": {"SECRET": 5}}) == [("/tags/*", "is an integer, must be a string")]


CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    ("schema", "is_open", "allowed"),
    [
        (CLOSED, False, False),
        ({**CLOSED, "additionalProperties": False}, False, False),
        ({**CLOSED, "unevaluatedProperties": False}, False, False),
        ({**CLOSED, "additionalProperties": True}, True, True),
        ({**CLOSED, "additionalProperties": {"type": "integer"}}, True, True),
        ({**CLOSED, "additionalProperties": {"type": "null"}}, True, False),
        ({**CLOSED, "patternProperties": {"^b": {}}, "additionalProperties": False}, True, True),
        ({**CLOSED, "patternProperties": {"^c": {}}, "additionalProperties": False}, True, False),
        ({"$ref": "#/$defs/x", "$defs": {"x": CLOSED}}, False, False),
        ({"$ref": "#/$defs/x", "$defs": {"x": {**CLOSED, "additionalProperties": True}}}, True, True),
        ({"allOf": [CLOSED, {"properties": {"b": {"type": "integer"}}}]}, False, True),
        ({"anyOf": [CLOSED, {"properties": {"b": {"type": "integer"}}}]}, False, True),
        ({}, False, False),
    ],
)
def test_the_top_level_is_closed_unless_the_author_opened_it(schema, is_open, allowed):
    contract = Contract(schema)
    assert contract.is_open is is_open
    assert (contract.check({"b": 1}) == ()) is allowed


@pytest.mark.parametrize(
    ("schema", "path", "message"),
    [
        ({"properties": {"a": {"pattern": "(?=x)"}}}, ("properties", "a", "pattern"), "is not a"),
        ({"properties": {"a": {"pattern": r"(a)\1"}}}, ("properties", "a", "pattern"), "is not a"),
        ({"properties": {"a": {"pattern": "("}}}, ("properties", "a", "pattern"), "is not a"),
        ({"properties": {"a": {"type": "strin"}}}, ("properties", "a", "type"), "names no type"),
        ({"properties": {"a": {"minimum": "1"}}}, ("properties", "a", "minimum"), "is not of type"),
        ({"properties": {"a": {"$ref": "#/$defs/no"}}}, (), "does not exist"),
        ({"properties": {"a": {"minimun": 1}}}, ("properties", "a", "minimun"), "is not a keyword"),
        ({"$schema": "https://example.com/x"}, ("$schema",), "unknown dialect"),
        ({"patternProperties": {"^a": {}}}, ("patternProperties",), "leaves open"),
        ({"properties": {"a": {}}, "required": ["b"]}, ("required",), "asks for b, which is not declared"),
        ({"items": [{}]}, ("items",), "is not of type"),
    ],
)
def test_what_can_be_no_contract_is_refused_at_load(schema, path, message):
    with pytest.raises(BadSchema) as caught:
        Contract(schema)
    (flaw,) = caught.value.flaws
    assert flaw.path == path
    assert message in flaw.message


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("interger", "did you mean integer?"),
        (["string", "nul"], "did you mean null?"),
        ("x", "known are: array, boolean, integer, null, number, object, string"),
        (5, "known are: array, boolean, integer, null, number, object, string"),
    ],
)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_type_that_there_is_not(wrong, hint, dialect):
    with pytest.raises(BadSchema) as caught:
        Contract({"$schema": dialect.uri, "properties": {"n": {"type": wrong}}})
    (flaw,) = caught.value.flaws
    assert (flaw.path, flaw.message, flaw.hint) == (("properties", "n", "type"), "names no type, or one twice", hint)


def test_a_pattern_that_needs_backtracking_comes_with_advice():
    with pytest.raises(BadSchema) as caught:
        Contract({"properties": {"a": {"pattern": "(?=x)"}}})
    assert "linear time" in caught.value.flaws[0].hint


def test_the_dialect_is_honoured():
    draft4 = {"$schema": DRAFT4.uri + "#", "properties": {"a": {"minimum": 3, "exclusiveMinimum": True}}}
    assert check(draft4, {"a": 3})
    assert not check(draft4, {"a": 4})
    with pytest.raises(BadSchema):
        Contract({**draft4, "$schema": DRAFT202012.uri})


def test_nothing_that_is_not_json_is_valid():
    contract = Contract({"properties": {"a": {"pattern": "^x", "const": 1}}})
    for args in ({"a": "\ud800"}, {"a": object()}, {"a": {1: 2}}, {1: 2}, None, [], "x", {"a": {2, 3}}):
        assert contract.check(args), args


def test_deep_and_large_arguments_cost_little_and_end_nothing():
    contract = Contract({"additionalProperties": True, "properties": {"l": {"uniqueItems": True}}})
    deep = []
    for _ in range(200_000):
        deep = [deep]
    assert check({"additionalProperties": True}, {"a": deep}) == [("", f"is nested deeper than {MOST_DEPTH} levels")]
    while deep:
        deep = deep.pop()
    assert contract.check({"l": [{"a": i} for i in range(100_000)]}) == ()


def test_patterns_run_in_linear_time():
    contract = Contract({"properties": {"a": {"pattern": "^(a+)+$"}}})
    assert min(timeit.repeat(lambda: contract.check({"a": "a" * 200_000 + "!"}), number=1, repeat=3)) < 1


def test_the_number_of_problems_is_bounded():
    contract = Contract({"properties": {"l": {"items": {"type": "integer"}}}})
    assert len(contract.check({"l": ["x"] * 900})) == MOST_PROBLEMS
    assert contract.check({"l": [1] * MOST_EXPLAINED + ["x"]}) == (
        Problem(f"/l/{MOST_EXPLAINED}", "is a string, must be an integer", 1),
    )


def test_a_million_problems_cost_no_more_than_one():
    contract = Contract({"properties": {"l": {"items": {"type": "integer"}}}})
    worst = min(timeit.repeat(lambda: contract.check({"l": ["x"] * 300_000}), number=1, repeat=3))
    best = min(timeit.repeat(lambda: contract.check({"l": [1] * 300_000}), number=1, repeat=3))
    assert worst < 10 * best


def test_examples_come_from_the_schema_alone():
    contract = Contract({"properties": {"a": {"type": "string"}, "b": {"enum": ["x"]}}})
    assert {one.path: one.example for one in contract.check({"a": 1, "b": 2})} == {"/a": "text", "/b": "x"}


SCOPED = {"allOf": [{"properties": {"a": {}}}], "properties": {"b": {}}, "unevaluatedProperties": False}


def test_a_disputed_keyword_gets_a_second_opinion():
    contract = Contract(SCOPED)
    assert contract.check({"a": 1, "b": 2}) == ()
    assert contract.check({"c": 1})
    contract._second = Never()
    assert contract.check({"a": 1}) == (Problem("", "does not fit the tool's contract"),)


class Never:
    """A validator that finds everything invalid."""

    def is_valid(self, args):
        return False


def test_a_second_opinion_that_fails_or_would_take_long_is_a_no():
    contract = Contract({"properties": {"l": {}}, "unevaluatedProperties": False})
    assert contract.check({"l": [1] * (MOST_ELEMENTS - 1)}) == ()
    assert contract.check({"l": [1] * MOST_ELEMENTS})[0].problem.startswith("is too large")


@pytest.mark.parametrize(
    ("schema", "disputed"),
    [
        (ORDER, False),
        (SCOPED, True),
        ({**SCOPED, "patternProperties": {"^x": {}}}, False),
        ({"$schema": DRAFT202012.uri, **SCOPED}, True),
        ({"$defs": {"a": {"$schema": DRAFT202012.uri, "$id": "https://x.test/"}}, **SCOPED}, False),
        ({"properties": {"a": {"$dynamicRef": "#x"}}, "$defs": {"x": {"$dynamicAnchor": "x"}}}, True),
    ],
)
def test_which_schemas_are_disputed(schema, disputed):
    assert is_disputed(schema, dialect_of(schema), {}) is disputed


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "ab"]) | st.floats(-2, 2),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from("ab"), below, max_size=2),
    max_leaves=6,
)
schemas = st.recursive(
    st.sampled_from(
        [
            {},
            {"type": "integer"},
            {"type": ["string", "null"]},
            {"minimum": 1},
            {"pattern": "^a"},
            {"enum": [0, "a", None]},
            {"const": False},
            {"maxItems": 1},
            {"uniqueItems": True},
            {"required": ["a"]},
            {"multipleOf": 0.5},
        ]
    ),
    lambda below: (
        st.builds(lambda a, b: {"anyOf": [a, b]}, below, below)
        | st.builds(lambda a, b: {"oneOf": [a, b]}, below, below)
        | st.builds(lambda a: {"not": a}, below)
        | st.builds(lambda a: {"items": a}, below)
        | st.builds(lambda a, b: {"properties": {"a": a}, "additionalProperties": b}, below, below)
        | st.builds(lambda a, b: {"allOf": [a], "properties": {"b": b}, "unevaluatedProperties": False}, below, below)
        | st.builds(lambda a, b, c: {"if": a, "then": b, "else": c}, below, below, below)
    ),
    max_leaves=5,
)


@given(schemas, json_values)
@settings(max_examples=examples(400), deadline=None, database=None)
def test_both_validators_agree_on_schemas_that_nobody_chose(schema, value):
    fast = compiled(schema, DRAFT202012, {}).is_valid(value)
    assert second_opinion(schema, DRAFT202012, {}).is_valid(value) == fast


@given(schemas, json_values)
@settings(max_examples=examples(400), deadline=None, database=None)
def test_whatever_is_invalid_is_explained(schema, value):
    contract = Contract({"properties": {"v": schema}})
    problems = contract.check({"v": value})
    assert bool(problems) == (not contract._fast.is_valid({"v": value}))
    assert all(one.path == "" or one.path.startswith("/v") for one in problems)


# The JSON-Schema-Test-Suite, both validators.

DRAFTS = {
    "draft4": DRAFT4,
    "draft6": DRAFT6,
    "draft7": DRAFT7,
    "draft2019-09": DRAFT201909,
    "draft2020-12": DRAFT202012,
}
SUITE = "json/schema_suite/groups.jsonl.gz"

# Where the suite says that `jsonschema` is wrong: it matches names with Python's `re` instead of ECMA-262. Such
# schemas get no second opinion.
DISAGREEMENTS = {
    "patterns always use unicode semantics with patternProperties",
    r"\w in patternProperties matches [A-Za-z0-9_], not unicode letters",
    r"\d in patternProperties matches [0-9], not unicode digits",
    "patternProperties with non-ASCII digits",
}


def loadable(group, remotes):
    """The dialect and documents of a group of the suite that we would load, else None."""
    dialect, schema = DRAFTS.get(group["draft"]), group["schema"]
    if dialect is None or (isinstance(schema, dict) and schema.get("$schema", dialect.uri).rstrip("#") != dialect.uri):
        return None
    known = {one.uri for one in DIALECTS} | {None}
    documents = {
        uri: remote
        for uri, remote in remotes.items()
        if "localhost:1234" in str(schema)
        and ("/draft" not in uri or f"/{group['draft']}/" in uri)
        and (not isinstance(remote, dict) or (remote.get("$schema") or dialect.uri).rstrip("#") in known)
    }
    try:
        return None if flaws(schema, dialect) else (compiled(schema, dialect, documents), dialect, documents)
    except BadSchema:
        return None


def suite(wants_format):
    remotes = {one["uri"]: one["schema"] for one in corpus("json/schema_suite/remotes.jsonl.gz")}
    for group in corpus(SUITE):
        asserts = group["format"] and "/format/" in group["file"]
        if asserts == wants_format and (loaded := loadable(group, remotes)):
            for test in group["tests"]:
                yield group, test, *loaded


def test_jsonschema_rs_is_right_on_the_whole_suite():
    seen, wrong = 0, []
    for group, test, fast, _, _ in suite(wants_format=False):
        seen += 1
        if fast.is_valid(test["data"]) != test["valid"]:
            wrong.append((group["draft"], group["file"], group["group"], test["d"]))
    assert wrong == []
    assert seen > 2000


def test_every_disagreement_of_the_two_validators_is_listed_and_settled():
    disagreements = set()
    for group, test, fast, dialect, documents in suite(wants_format=False):
        second = second_opinion(group["schema"], dialect, documents)
        try:
            agrees = second.is_valid(test["data"]) == fast.is_valid(test["data"])
        except Exception:
            agrees = False
        if not agrees:
            disagreements.add(group["group"])
            assert not is_disputed(group["schema"], dialect, documents)
    assert disagreements <= DISAGREEMENTS


def test_a_call_is_refused_where_either_says_invalid():
    for group, test, fast, dialect, documents in suite(wants_format=False):
        if is_disputed(group["schema"], dialect, documents):
            second = second_opinion(group["schema"], dialect, documents).is_valid(test["data"])
            assert (fast.is_valid(test["data"]) and second) == test["valid"]


def test_formats_are_asserted_as_the_suite_says():
    seen, wrong = 0, []
    for group, test, fast, _, _ in suite(wants_format=True):
        seen += 1
        if fast.is_valid(test["data"]) != test["valid"]:
            wrong.append((group["draft"], group["file"], test["d"]))
    assert wrong == []
    assert seen > 500


def test_real_tool_calls_are_judged_as_their_makers_say():
    contracts, wrong = {}, []
    for record in corpus("toolcalls/bfcl/calls.jsonl.gz"):
        if "schema" in record:
            contracts[record["id"]] = Contract(record["schema"])
        contract = contracts[record.get("schema_of", record["id"])]
        if (contract.check(record["args"]) == ()) != record["valid"]:
            wrong.append((record["id"], record.get("mutation")))
    assert len(contracts) > 400
    assert wrong == []
