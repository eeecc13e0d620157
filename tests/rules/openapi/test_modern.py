import json

import pytest

from rules.openapi import Document, contracts
from rules.openapi.modern import operations
from tests.rules.openapi.making import document, imported, loaded, operation, tool


def test_operations_are_found_in_the_order_of_the_document():
    paths = {
        "/b": {"post": {}, "get": {}, "parameters": [], "summary": "s", "x-own": {"get": {}}},
        "/a": {"delete": {}, "trace": None, "put": "no mapping"},
        "x-paths": {"get": {}},
        "/c": {"$ref": "#/x-items/c"},
        "/d": {"$ref": "#/gone"},
        "/e": None,
    }
    found = document(paths, **{"x-items": {"c": {"patch": {}}}})
    assert [(path, method) for path, method, *_ in operations(found)] == [
        ("/b", "get"),
        ("/b", "post"),
        ("/a", "delete"),
        ("/c", "patch"),
    ]
    assert found.warnings == ["PUT /a is left out: it is no object", "the $ref #/gone leads nowhere"]


@pytest.mark.parametrize(
    ("paths", "says"),
    [
        ([], "what stands under paths is left out: it is no object"),
        ({"/x": []}, "the path /x is left out: it is no object"),
        ({"/x": {"get": "no mapping"}}, "GET /x is left out: it is no object"),
        ({"/x": {"GET": {}}}, "GET of the path /x is left out: it is none of the methods, in small letters"),
        ({"/x": {"additionalOperations": {}}}, "additionalOperations of the path /x is left out: "),
    ],
)
def test_what_is_no_operation_is_left_out_and_said(paths, says):
    for version in ({}, {"swagger": "2.0"}):
        found = imported(paths, **version)
        assert (found.tools, len(found.warnings)) == ({}, 1)
        assert found.warnings[0].startswith(says)


ANYTHING = {"200": {"*/*": {}}}


@pytest.mark.parametrize(
    ("said", "says", "replies"),
    [
        ({"parameters": {"name": "a", "in": "query"}}, "its parameters are left out: they are no list", None),
        ({"requestBody": []}, "its body is left out: nothing says what it holds", None),
        ({"requestBody": {}}, "its body is left out: nothing says what it holds", None),
        ({"requestBody": {"content": "x"}}, "its body is left out: nothing says what it holds", None),
        ({"responses": []}, "what stands under responses is left out: it is no object", None),
        ({"responses": {"200": "fine"}}, "the answer 200 may be anything: it is no object", ANYTHING),
        ({"responses": {"200": {"content": []}}}, "the answer 200 may be anything: it is no object", ANYTHING),
        (
            {"responses": {"200": {"content": {"application/json": []}}}},
            "what the answer 200 is as application/json may be anything: it is no object",
            {"200": {"application/json": {}}},
        ),
    ],
)
def test_what_is_malformed_of_an_operation_is_said(said, says, replies, tmp_path):
    found = imported({"/x": {"post": {"operationId": "it", **said}}})
    assert found.notes == {"it": [says]}
    assert found.tools["it"].get("replies") == replies
    loaded(found, tmp_path)


def test_media_types_of_a_body_of_which_nothing_is_known_are_said(tmp_path):
    found = imported({"/x": {"post": {"operationId": "it", "requestBody": {"content": {"application/json": "x"}}}}})
    assert "what its body is as application/json may be anything: it is no object" in found.notes["it"]
    assert "body" in found.tools["it"]["args"]
    loaded(found, tmp_path)


@pytest.mark.parametrize("paths", [None, [], {}, "x"])
def test_a_document_may_have_no_operations(paths, tmp_path):
    found = imported(paths)
    assert found.tools == {}
    assert loaded(found, tmp_path) == {}


def test_parameters_of_a_path_are_those_of_its_operations_unless_they_say_otherwise(tmp_path):
    paths = {
        "/x/{id}": {
            "parameters": [
                {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}},
                {"$ref": "#/components/parameters/page"},
                {"name": "page", "in": "header", "schema": {"type": "string"}},
            ],
            "get": {"operationId": "it", "parameters": [{"name": "id", "in": "path", "schema": {"type": "string"}}]},
        }
    }
    page = {"name": "page", "in": "query", "required": True, "schema": {"type": "integer"}, "description": "Which."}
    found = imported(paths, components={"parameters": {"page": page}})
    assert found.tools["it"]["args"] == {
        "id": {"type": "string"},
        "page": {"description": "Which.", "type": "integer"},
        "header_page": {"type": "string", "optional": True},
    }
    assert found.tools["it"]["in"] == {"header_page": {"header": {"name": "page"}}}
    loaded(found, tmp_path)


@pytest.mark.parametrize(
    ("parameter", "schema", "where"),
    [
        ({"in": "query"}, {"optional": True}, None),
        (
            {"in": "query", "schema": {"type": "string"}, "example": "a"},
            {"type": "string", "examples": ["a"], "optional": True},
            None,
        ),
        ({"in": "query", "required": "yes"}, {"optional": True}, None),
        ({"in": "header"}, {"optional": True}, "header"),
        ({"in": "cookie"}, {"optional": True}, "cookie"),
        (
            {"in": "query", "content": {"application/json": {"schema": {"type": "object"}}}},
            {"type": "object", "optional": True},
            {"query": {"json": True}},
        ),
        (
            {"in": "query", "content": {"text/plain": {"schema": {"type": "string"}}}},
            {"type": "string", "optional": True},
            None,
        ),
        ({"in": "query", "content": {"application/json": {}}}, {"optional": True}, {"query": {"json": True}}),
        (
            {"in": "query", "style": "deepObject", "schema": {"type": "object"}},
            {"type": "object", "optional": True},
            {"query": {"style": "deepObject"}},
        ),
        (
            {"in": "query", "style": "form", "explode": False, "schema": {"type": "array"}},
            {"type": "array", "optional": True},
            {"query": {"explode": False}},
        ),
        ({"in": "query", "explode": True, "schema": {"type": "array"}}, {"type": "array", "optional": True}, None),
        ({"in": "query", "explode": False, "schema": {"type": "string"}}, {"type": "string", "optional": True}, None),
        (
            {"in": "query", "style": "pipeDelimited", "schema": {"type": "array"}},
            {"type": "array", "optional": True},
            {"query": {"style": "pipeDelimited"}},
        ),
        (
            {"in": "header", "style": "form", "explode": False, "schema": {"type": "array"}},
            {"type": "array", "optional": True},
            "header",
        ),
        ({"in": "query", "style": "tabs", "allowReserved": True}, {"optional": True}, None),
        ({"in": "query", "schema": True}, {"optional": True}, None),
        ({"in": "query", "schema": False}, {"not": {}, "optional": True}, None),
    ],
)
def test_how_a_parameter_travels(parameter, schema, where, tmp_path):
    found = imported(operation(operationId="it", parameters=[{"name": "p", **parameter}]))
    assert found.tools["it"]["args"] == {"p": schema}
    assert found.tools["it"].get("in", {}).get("p") == where
    loaded(found, tmp_path)


@pytest.mark.parametrize(
    ("parameter", "says"),
    [
        ({"$ref": "#/gone"}, "a parameter is left out: the $ref #/gone leads nowhere"),
        ({"schema": {}}, "a parameter without a name"),
        ("p", "a parameter without a name"),
        ({"name": "p", "in": "matrix"}, "it travels in matrix"),
        ({"name": "p"}, "it travels in none"),
        ({"name": "p", "in": "path"}, "its path does not have it"),
        ({"name": "Host", "in": "header"}, "written by Toolwall or frames the message"),
        ({"name": "Toolwall-Key", "in": "header"}, "written by Toolwall or frames the message"),
        ({"name": "a b", "in": "header"}, "no name that a header can have"),
        ({"name": "a;b", "in": "cookie"}, "no name that a cookie can have"),
    ],
)
def test_a_parameter_that_no_call_has_is_left_out_and_said(parameter, says, tmp_path):
    found = imported(operation(operationId="it", parameters=[parameter]))
    assert "args" not in found.tools["it"]
    assert [one for one in found.notes["it"] if says in one], found.notes
    loaded(found, tmp_path)


@pytest.mark.parametrize("name", ["Accept", "content-type", "Authorization", "Accept-Language"])
def test_headers_that_pass_anyway_are_no_arguments(name):
    found = imported(operation(operationId="it", parameters=[{"name": name, "in": "header", "required": True}]))
    assert "args" not in found.tools["it"]
    assert found.notes == {}


@pytest.mark.parametrize(
    ("responses", "replies"),
    [
        ({"200": {"description": "d"}}, {"200": {}}),
        (
            {"200": {"content": {"application/json": {"schema": {"type": "string"}}}}},
            {"200": {"application/json": {"type": "string"}}},
        ),
        ({"2xx": {}, "default": {}, "404": {}}, {"2XX": {}, "404": {}, "default": {}}),
        (
            {
                "200": {
                    "content": {
                        "application/json; charset=utf-8": {"schema": {"type": "string"}},
                        "application/json": {},
                    }
                }
            },
            {"200": {"application/json": {"type": "string"}}},
        ),
        (
            {
                "200": {
                    "content": {
                        "text/plain": {"schema": {"type": "string"}},
                        "image/png": {"schema": {"type": "string"}},
                    }
                }
            },
            {"200": {"text/plain": {"type": "string"}, "image/png": {}}},
        ),
        ({"200": {"content": {"application/json": {}, "*/*": None}}}, {"200": {"application/json": {}, "*/*": {}}}),
        ({"200": {"$ref": "#/gone"}}, {"200": {"*/*": {}}}),
        ({"200": None}, {"200": {}}),
        ({"OK": {}, "x-own": {}, "20": {}, "600": {}}, None),
        (None, None),
    ],
)
def test_what_answers_look_like(responses, replies, tmp_path):
    found = imported(operation(operationId="it", responses=responses))
    assert found.tools["it"].get("replies") == replies
    loaded(found, tmp_path)


def test_a_body_by_reference_and_one_that_leads_nowhere(tmp_path):
    components = {
        "requestBodies": {"b": {"required": True, "content": {"application/json": {"schema": {"type": "array"}}}}}
    }
    paths = {
        "/a": {"post": {"operationId": "a", "requestBody": {"$ref": "#/components/requestBodies/b"}}},
        "/b": {"post": {"operationId": "b", "requestBody": {"$ref": "#/components/requestBodies/gone"}}},
        "/c": {"post": {"operationId": "c", "requestBody": {"description": "nothing"}}},
    }
    found = imported(paths, components=components)
    assert found.tools["a"]["args"] == {"body": {"type": "array"}}
    assert "leads nowhere" in found.notes["b"][0]
    assert "args" not in found.tools["c"]
    loaded(found, tmp_path)


def test_the_purpose_is_that_of_the_operation_or_its_path():
    assert tool(summary="List all", description="With *pages*.")["says"] == "List all. With *pages*."
    assert imported({"/x": {"summary": "Of the path", "get": {}}}).tools["get_x"]["says"] == "Of the path"
    assert tool()["says"] == "GET /x"
    assert tool(summary="Old", deprecated=True)["says"] == "Deprecated. Old"


def test_files_beside_the_document(tmp_path):
    files = {
        "paths.json": {
            "x": {
                "get": {
                    "operationId": "it",
                    "parameters": [{"$ref": "parts/p.json#/q"}],
                    "responses": {"200": {"$ref": "parts/p.json#/r"}},
                }
            }
        },
        "parts/p.json": {
            "q": {"name": "q", "in": "query", "schema": {"$ref": "#/s"}},
            "r": {"content": {"application/json": {"schema": {"$ref": "../schemas.json#/Tree"}}}},
            "s": {"type": "string", "maxLength": 3},
        },
        "schemas.json": {"Tree": {"properties": {"kids": {"items": {"$ref": "schemas.json#/Tree"}}}}},
    }
    main = {"openapi": "3.1.0", "info": {"title": "Shop"}, "paths": {"/x": {"$ref": "paths.json#/x"}}}
    found = contracts(Document("main.json", json.dumps(main).encode(), lambda path: json.dumps(files[path]).encode()))
    assert found.tools["it"]["args"] == {"q": {"type": "string", "maxLength": 3, "optional": True}}
    assert found.schemas["schemas/shop/Tree.json"]["properties"]["kids"]["items"] == {"$ref": "Tree.json"}
    assert loaded(found, tmp_path)["it"].contract.check({"q": "long"}) != ()
