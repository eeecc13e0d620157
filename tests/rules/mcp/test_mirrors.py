import pytest

from rules.dialects import DRAFT202012
from rules.mcp.mirrors import mirrors


def schema(**properties):
    return {"type": "object", "properties": properties}


def named(name, **more):
    return {"type": "string", "x-mcp-header": name, **more}


def test_arguments_that_headers_repeat_are_found_at_any_depth():
    found, flaws = mirrors(schema(b=named("Zone"), a=schema(c=named("Region", type="integer")), d={}), DRAFT202012)
    assert (found, flaws) == ((("Region", ("a", "c")), ("Zone", ("b",))), [])


def test_an_argument_may_have_the_name_of_the_keyword():
    assert mirrors(schema(**{"x-mcp-header": {"type": "string"}}), DRAFT202012) == ((), [])


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (schema(a=named("")), "no name"),
        (schema(a=named("a b")), "no name"),
        (schema(a=named("a\r\nx: y")), "no name"),
        (schema(a=named(7)), "no name"),
        (schema(a=named("é")), "no name"),
        (schema(a=named("R", type="number")), "whole numbers"),
        (schema(a=named("R", type="object")), "whole numbers"),
        (schema(a=named("R", type=["string", "number"])), "whole numbers"),
        (schema(a={"x-mcp-header": "R"}), "whole numbers"),
        (schema(a=named("Region"), b=named("region")), "another argument"),
        (schema(a={"type": "array", "items": named("R")}), "names alone"),
        (schema(a={"anyOf": [named("R")]}), "names alone"),
        ({**schema(), "$defs": {"a": named("R")}}, "names alone"),
        ({"allOf": [schema(a=named("R"))]}, "names alone"),
        ({"if": schema(a=named("R"))}, "names alone"),
        (named("R"), "names alone"),
    ],
)
def test_what_the_protocol_does_not_allow_is_a_flaw(broken, says):
    _, flaws = mirrors(broken, DRAFT202012)
    assert any(says in flaw.message for flaw in flaws)


def test_null_beside_a_type_is_fine():
    assert mirrors(schema(a=named("R", type=["string", "null"])), DRAFT202012)[1] == []
