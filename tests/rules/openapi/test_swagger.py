import pytest

from tests.rules.openapi.making import imported, loaded

JSON, FORM, MULTIPART = "application/json", "application/x-www-form-urlencoded", "multipart/form-data"


def made(folder, **said):
    found = imported({"/x": {"post": {"operationId": "it", **said}}}, swagger="2.0")
    loaded(found, folder)
    return found.tools["it"], found.notes.get("it", [])


@pytest.mark.parametrize(
    ("collection", "where"),
    [
        (None, {"query": {"explode": False}}),
        ("csv", {"query": {"explode": False}}),
        ("multi", "query"),
        ("ssv", {"query": {"style": "spaceDelimited"}}),
        ("pipes", {"query": {"style": "pipeDelimited"}}),
    ],
)
def test_how_lists_travel(collection, where, tmp_path):
    parameter = {"name": "p", "in": "query", "type": "array", "items": {"type": "integer"}}
    if collection:
        parameter["collectionFormat"] = collection
    tool, notes = made(tmp_path, parameters=[parameter])
    assert tool["args"] == {"p": {"type": "array", "items": {"type": "integer"}, "optional": True}}
    assert (tool["in"], notes) == ({"p": where}, [])


def test_a_list_with_tabs_is_taken_as_text(tmp_path):
    parameter = {"name": "p", "in": "query", "type": "array", "collectionFormat": "tsv"}
    tool, notes = made(tmp_path, parameters=[parameter])
    assert tool["args"] == {"p": {"type": "string", "optional": True}}
    assert "tabs" in notes[0]


def test_a_parameter_is_its_own_schema(tmp_path):
    parameter = {
        "name": "p",
        "in": "query",
        "required": True,
        "type": "integer",
        "maximum": 5,
        "exclusiveMaximum": True,
        "x-nullable": True,
        "description": "How many.",
        "allowEmptyValue": True,
    }
    tool, _ = made(tmp_path, parameters=[parameter])
    assert tool["args"] == {"p": {"description": "How many.", "type": ["integer", "null"], "exclusiveMaximum": 5}}


@pytest.mark.parametrize(
    ("fields", "consumes", "types"),
    [
        ([{"name": "a", "type": "string"}], None, [FORM]),
        ([{"name": "a", "type": "string"}], [JSON], [FORM]),
        ([{"name": "a", "type": "string"}], [FORM, MULTIPART], [FORM, MULTIPART]),
        ([{"name": "a", "type": "file"}], None, [MULTIPART]),
        ([{"name": "a", "type": "file"}], [FORM], [MULTIPART]),
    ],
)
def test_fields_of_a_form(fields, consumes, types, tmp_path):
    more = {"consumes": consumes} if consumes else {}
    tool, notes = made(tmp_path, parameters=[{"in": "formData", "required": True, **one} for one in fields], **more)
    assert (tool["body"], list(tool["args"]), notes) == (types, ["a"], [])


def test_a_file_is_base64_text(tmp_path):
    tool, _ = made(tmp_path, parameters=[{"in": "formData", "name": "a", "type": "file", "required": True}])
    assert tool["args"] == {"a": {"type": "string", "contentEncoding": "base64"}}


@pytest.mark.parametrize(
    ("consumes", "types"),
    [(None, None), ([], None), (["*/*"], None), ([JSON, FORM], None), ([FORM], [FORM]), (["text/json", JSON], None)],
)
def test_the_media_types_of_a_body(consumes, types, tmp_path):
    more = {} if consumes is None else {"consumes": consumes}
    body = {
        "name": "it",
        "in": "body",
        "required": True,
        "schema": {"type": "object", "properties": {"n": {"type": "integer"}}},
    }
    tool, _ = made(tmp_path, parameters=[body], **more)
    assert (tool.get("body"), tool["args"]) == (types, {"n": {"type": "integer", "optional": True}})


def test_a_body_beside_a_form_is_left_out_and_said(tmp_path):
    parameters = [{"name": "b", "in": "body", "schema": {}}, {"name": "a", "in": "formData", "type": "string"}]
    tool, notes = made(tmp_path, parameters=parameters)
    assert list(tool["args"]) == ["a"]
    assert "only one body" in notes[0]


def test_answers_and_what_they_are_made_of(tmp_path):
    schema = {"type": "array", "items": {"type": "string"}}
    responses = {"200": {"schema": schema}, "204": {"description": "d"}, "404": {"$ref": "#/responses/gone"}, "x-a": {}}
    tool, notes = made(tmp_path, responses=responses, produces=["application/hal+json", "text/plain"])
    assert tool["replies"] == {
        "200": {"application/hal+json": schema, "text/plain": schema},
        "204": {},
        "404": {"*/*": {}},
    }
    assert len(notes) == 1
    tool, _ = made(tmp_path, responses={"200": {"schema": schema}})
    assert tool["replies"] == {"200": {JSON: schema}}


def test_definitions_and_shared_parameters_and_what_holds_for_all(tmp_path):
    found = imported(
        {
            "/pets": {
                "get": {
                    "operationId": "it",
                    "parameters": [{"$ref": "#/parameters/page"}],
                    "responses": {"200": {"schema": {"$ref": "#/definitions/Pet"}}},
                },
            }
        },
        swagger="2.0",
        basePath="/v2",
        produces=["application/vnd.pets+json"],
        parameters={"page": {"name": "page", "in": "query", "type": "integer"}},
        definitions={"Pet": {"type": "object", "properties": {"of": {"$ref": "#/definitions/Pet"}}}},
        securityDefinitions={"key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
    )
    tool = found.tools["it"]
    assert tool["args"] == {"page": {"type": "integer", "optional": True}}
    assert tool["replies"] == {"200": {"application/vnd.pets+json": {"$ref": "schemas/shop/Pet.json"}}}
    assert found.backend["url"] == "https://shop.test/v2"
    assert found.backend["credential"] == [{"send": {"header": "X-Key"}, "from": "caller"}]
    loaded(found, tmp_path)
