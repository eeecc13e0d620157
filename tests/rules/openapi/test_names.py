import re

import pytest

from rules.grammar import NAME
from rules.openapi.names import Unique, argument_name, backend_name, file_name, tool_name, without_call, word_set, words


@pytest.mark.parametrize(
    ("operation_id", "call", "name"),
    [
        ("listPets", "GET /pets", "listPets"),
        ("users/list-repos", "GET /x", "users_list-repos"),
        ("read_item_items__item_id__get", "GET /x", "read_item_items_item_id_get"),
        ("Pets: find  by tag!", "GET /x", "Pets_find_by_tag"),
        ("", "GET /pets/{petId}/toys", "get_pets_petId_toys"),
        ("", "DELETE /", "delete"),
        ("  ", "POST /v1.0/a-b:go", "post_v1_0_a_b_go"),
        ("2fa", "POST /x", "post_2fa"),
        ("__", "PUT /x", "put_x"),
        ("получить", "GET /имя", "get"),
        ("404", "GET /x", "get_x"),
    ],
)
def test_a_tool_is_called_by_its_id_or_by_its_call(operation_id, call, name):
    found = tool_name(operation_id, *call.split(" "))
    assert found == name
    assert re.fullmatch(NAME, found)


@pytest.mark.parametrize(
    ("operation_id", "call", "name"),
    [
        ("read_item_items__item_id__get", "GET /items/{item_id}", "read_item"),
        ("_status_api_4_status_get", "GET /api/4/status", "_status"),
        ("root__get", "GET /", "root"),
        ("read_item_items__item_id__get", "PUT /items/{item_id}", "read_item_items__item_id__get"),
        ("read_item_items__item_id__get", "GET /items/{id}", "read_item_items__item_id__get"),
        ("_items_get", "GET /items", "_items_get"),
        ("listPets", "GET /pets", "listPets"),
    ],
)
def test_an_id_loses_the_call_that_a_framework_wrote_behind_it(operation_id, call, name):
    assert without_call(operation_id, *call.split(" ")) == name


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Swagger Petstore - OpenAPI 3.0", "swagger_petstore"),
        ("Shop", "shop"),
        ("3D printers", "api_3d_printers"),
        ("Ünï Café", "uni_cafe"),
        ("", "api"),
        ("x" * 99, "x" * 16),
    ],
)
def test_a_backend_is_called_by_its_title(title, name):
    assert backend_name(title) == name
    assert re.fullmatch(NAME, backend_name(title))


@pytest.mark.parametrize(
    ("wire", "name"),
    [
        ("page", "page"),
        ("X-Id", "X-Id"),
        ("ids[]", "ids"),
        ("$top", "top"),
        ("filter[a][b]", "filter_a_b"),
        ("[]", "value"),
    ],
)
def test_an_argument_has_a_name_that_models_can_say(wire, name):
    assert argument_name(wire) == name


def test_names_are_given_once_whatever_their_case():
    unique = Unique(10, taken=["Taken"])
    given = [unique.name(name) for name in ("get", "Get", "get", "taken", "a_long_name_here", "a_long_name_there")]
    assert given == ["get", "Get_2", "get_3", "taken_2", "a_long", "a_long_2"]


def test_a_thousand_bearers_of_a_name():
    unique = Unique(8)
    given = {unique.name("operation").lower() for _ in range(1_000)}
    assert len(given) == 1_000
    assert max(map(len, given)) == 8


@pytest.mark.parametrize(("name", "file"), [("a/b c", "a_b_c"), ("..", "schema"), (".x", "x"), ("é", "schema")])
def test_a_file_has_a_name_that_every_system_can_hold(name, file):
    assert file_name(name) == file


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("getUserByID", ["get", "user", "by", "id"]),
        ("HTTPServer2", ["http", "server", "2"]),
        ("delete_user-v1", ["delete", "user", "v", "1"]),
        ("", []),
    ],
)
def test_words_of_a_name(text, found):
    assert words(text) == found


def test_word_lists_are_sets():
    assert word_set("a b\n  a") == {"a", "b"}
