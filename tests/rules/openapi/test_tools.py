import pytest

from rules.openapi.marks import parts
from tests.rules.openapi.making import imported, loaded, operation


def test_a_tool_says_its_keys_in_the_order_of_the_grammar(tmp_path):
    parameters = [
        {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}, "description": "Which one."}
    ]
    body = {
        "required": True,
        "content": {"application/x-www-form-urlencoded": {"schema": {"properties": {"id": {}, "n": {}}}}},
    }
    said = {
        "operationId": "put thing",
        "summary": "Put it",
        "parameters": parameters,
        "requestBody": body,
        "responses": {"204": {}},
    }
    found = imported({"/things/{id}": {"put": said}})
    assert found.tools == {
        "put_thing": {
            "says": "Put it",
            "call": "PUT /things/{id}",
            "args": {
                "id": {"description": "Which one.", "type": "integer"},
                "body_id": {"optional": True},
                "n": {"optional": True},
            },
            "in": {"body_id": {"body": {"name": "id"}}},
            "body": ["application/x-www-form-urlencoded"],
            "effect": "write",
            "guessed": True,
            "replies": {"204": {}},
        }
    }
    assert list(found.tools["put_thing"]) == ["says", "call", "args", "in", "body", "effect", "guessed", "replies"]
    tool = loaded(found, tmp_path)["put_thing"]
    assert (tool.guessed, tool.effect, tool.reply.contract) == (True, "write", "report")


@pytest.mark.parametrize("method", ["get", "put", "post", "delete", "options", "head", "patch"])
def test_every_method_with_every_place(method, tmp_path):
    parameters = [
        {"name": name, "in": place, "required": place == "path", "schema": {"type": "string"}}
        for name, place in (("a", "path"), ("b", "query"), ("c", "header"), ("d", "cookie"))
    ]
    body = {"content": {"application/json": {"schema": {"properties": {"e": {}}}}}}
    found = imported({"/x/{a}": {method: {"operationId": "it", "parameters": parameters, "requestBody": body}}})
    tool = loaded(found, tmp_path)["it"]
    assert {name: tool.travels(name)[0] for name in "abcde"} == {
        "a": "path",
        "b": "query",
        "c": "header",
        "d": "cookie",
        "e": "body",
    }


def test_what_the_path_says_of_its_parameters_counts(tmp_path):
    paths = {
        "/x/{a}-{b}/{c}.json": {
            "get": {"operationId": "it", "parameters": [{"name": "a", "in": "path", "schema": {"type": "integer"}}]}
        }
    }
    found = imported(paths)
    assert found.tools["it"]["args"] == {"a": {"type": "integer"}, "b": {"type": "string"}, "c": {"type": "string"}}
    assert [note for note in found.notes["it"] if "not declared" in note] == [
        "b of its path is not declared; any text passes there",
        "c of its path is not declared; any text passes there",
    ]
    loaded(found, tmp_path)


def test_styles_of_path_parameters(tmp_path):
    parameters = [
        {
            "name": "a",
            "in": "path",
            "required": True,
            "style": "label",
            "schema": {"type": "array", "items": {"type": "string"}},
        },
        {
            "name": "b",
            "in": "path",
            "required": True,
            "style": "matrix",
            "explode": True,
            "schema": {"type": "object", "properties": {"x": {"type": "integer"}}},
        },
    ]
    found = imported({"/x/{a}/{b}": {"get": {"operationId": "it", "parameters": parameters}}})
    assert found.tools["it"]["in"] == {
        "a": {"path": {"style": "label"}},
        "b": {"path": {"style": "matrix", "explode": True}},
    }
    loaded(found, tmp_path)


def test_names_in_the_query_that_models_cannot_say(tmp_path):
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string"}}
        for name in ("filter[a]", "filter_a", "$top", "top", "é")
    ]
    found = imported(operation(operationId="it", parameters=parameters))
    assert found.tools["it"]["in"] == {
        "filter_a": {"query": {"name": "filter[a]"}},
        "query_filter_a": {"query": {"name": "filter_a"}},
        "top": {"query": {"name": "$top"}},
        "query_top": {"query": {"name": "top"}},
        "value": {"query": {"name": "é"}},
    }
    tool = loaded(found, tmp_path)["it"]
    assert {tool.travels(name)[1] for name in found.tools["it"]["args"]} == {one["name"] for one in parameters}


def test_references_are_relative_to_the_rules_folder(tmp_path):
    schema = {"type": "object", "properties": {"of": {"$ref": "#/components/schemas/Tree"}, "ref": {"const": "x"}}}
    content = {"application/json": {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}}}
    found = imported(
        operation(operationId="it", responses={"200": {"content": content}}), components={"schemas": {"Tree": schema}}
    )
    refs = [part["$ref"] for part in parts(found.tools) if "$ref" in part]
    assert refs == ["schemas/shop/Tree.json"]
    assert found.schemas["schemas/shop/Tree.json"]["properties"]["of"] == {"$ref": "Tree.json"}
    loaded(found, tmp_path)


def test_what_a_tool_could_not_take_over_is_said_beside_it():
    broken = {"name": "p", "in": "query", "schema": {"type": "string", "pattern": "(?=a)"}}
    found = imported(operation(operationId="it", parameters=[broken]))
    assert "look-around" in found.tools["it"]["args"]["p"]["$comment"]
    assert "look-around" in found.notes["it"][0]
