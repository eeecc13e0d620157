import json
import time

import pytest

from rules.openapi import BadDocument, Document, Options, contracts, files
from rules.source import read
from tests.rules.openapi.making import document, imported, loaded


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({}, "not an OpenAPI document"),
        ({"openapi": "4.0.0"}, "of version 4.0.0, which is not known"),
        ({"swagger": "1.2"}, "of version 1.2"),
        ({"asyncapi": "2.0.0"}, "not an OpenAPI document"),
        ({"openapi": None}, "of version None"),
    ],
)
def test_only_documents_of_known_versions(said, says):
    with pytest.raises(BadDocument, match=r"^a\.json: is ") as caught:
        contracts(Document("a.json", json.dumps(said).encode()))
    assert says in str(caught.value)


@pytest.mark.parametrize("version", ["3.0.0", "3.0.4", "3.1.0", "3.1.1"])
def test_versions_of_openapi(version):
    assert imported({"/x": {"get": {}}}, openapi=version).dialect == version


def test_a_version_may_be_a_number():
    text = b"swagger: 2.0\ninfo: {title: Shop, version: 1}\npaths: {/x: {get: {responses: {200: {description: ok}}}}}"
    found = contracts(Document("a.yaml", text))
    assert (found.dialect, found.version, list(found.tools)) == ("Swagger 2.0", "1", ["get_x"])


def test_names_differ_whatever_the_document_calls_them(tmp_path):
    paths = {f"/{n}": {"get": {"operationId": "Get" if n % 2 else "get"}} for n in range(20)}
    paths |= {f"/long/{'x' * 80}{n}": {"get": {}} for n in range(5)}
    found = imported(paths)
    assert len({name.lower() for name in found.tools}) == 25
    assert len(loaded(found, tmp_path)) == 25


def test_the_backend_is_named_and_described(tmp_path):
    found = imported(
        {"/x": {"get": {}}}, info={"title": "The <b>Shop</b>", "description": "Sells things.", "version": "2"}
    )
    assert found.name == "the_shop"
    assert found.backend["says"] == "The Shop: Sells things."
    found = contracts(document({"/x": {"get": {}}}), "crm", Options(url="http://127.0.0.1:9/v1"))
    assert (found.name, found.backend["url"], found.given_url) == (
        "crm",
        "http://127.0.0.1:9/v1",
        "http://127.0.0.1:9/v1",
    )
    assert list(loaded(found, tmp_path)) == ["get_x"]


def test_an_operation_elsewhere_is_said():
    paths = {
        "/here": {"get": {"operationId": "here", "servers": [{"url": "https://shop.test/"}]}},
        "/away": {"get": {"operationId": "away", "servers": [{"url": "https://uploads.test"}]}},
    }
    assert imported(paths).notes == {"away": ["the document has it at another address: https://uploads.test"]}


def test_the_folder_is_the_same_each_time_and_says_what_was_made(tmp_path):
    paths = {
        "/x/{id}": {
            "get": {
                "operationId": "it",
                "responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}}},
            }
        }
    }
    schemas = {
        "A": {"properties": {"a": {"$ref": "#/components/schemas/A"}, "b": {"type": "string", "description": "x" * 90}}}
    }
    found = imported(paths, components={"schemas": schemas})
    texts = files(found)
    assert texts == files(imported(paths, components={"schemas": schemas}))
    assert set(texts) == {"shop.yaml", "shop.policy.yaml", ".import/shop.json", "schemas/shop/A.json"}
    base = json.loads(texts[".import/shop.json"])
    root, problems = read("shop.yaml", texts["shop.yaml"].encode())
    assert problems == []
    assert base["tools"] == root.plain()["tools"], "the base and the file say the same"
    assert base["backend"] == {key: value for key, value in root.plain().items() if key != "tools"}
    assert base["schemas"]["schemas/shop/A.json"] == json.loads(texts["schemas/shop/A.json"])
    assert base["calls"] == {"it": "GET /x/{id}"}


HOSTILE = "x\n\u202e\x00# evil: {a: b}\r\n- \u2028 \"quoted\" 'x' \\ \U0001f600 {{}} *a &b !c"


def test_hostile_texts_stay_texts(tmp_path):
    """Whatever a document calls things, the file holds what was meant and nothing else."""
    parameter = {
        "name": HOSTILE,
        "in": "query",
        "schema": {"type": "string", "enum": [HOSTILE], "default": HOSTILE},
        "description": HOSTILE,
    }
    said = {
        "operationId": HOSTILE,
        "summary": HOSTILE,
        "description": HOSTILE,
        "tags": [HOSTILE],
        "parameters": [parameter],
    }
    paths = {f"/{HOSTILE}/{{{HOSTILE.replace('{', '').replace('}', '')}}}": {"get": said}}
    schemas = {HOSTILE: {"type": "object", "properties": {HOSTILE: {"$ref": "#/components/schemas/" + HOSTILE}}}}
    found = imported(
        paths,
        info={"title": HOSTILE, "description": HOSTILE, "version": HOSTILE},
        components={"schemas": schemas},
        servers=[{"url": HOSTILE}],
    )
    (tool,) = loaded(found, tmp_path).values()
    (wire,) = [param.wire for param in tool.params if param.place == "query"]
    assert wire == HOSTILE
    assert "\n" not in tool.says


@pytest.mark.parametrize("odd", [None, 7, "x", [], [1], {}, True])
def test_odd_values_anywhere_are_no_crash(odd, tmp_path):
    """Documents in the wild hold nulls, lists and texts where mappings should be."""
    good = {
        "tags": ["a"],
        "summary": "s",
        "description": "d",
        "operationId": "it",
        "parameters": [{"name": "q", "in": "query", "schema": {"type": "string"}}],
        "requestBody": {
            "content": {"application/json": {"schema": {"type": "object", "properties": {"a": {"type": "string"}}}}}
        },
        "responses": {"200": {"content": {"application/json": {"schema": {"type": "object"}}}}},
        "servers": [{"url": "https://a.test"}],
        "security": [{}],
        "deprecated": False,
    }
    top = {"info": {"title": "t"}, "servers": [], "components": {"schemas": {}}, "tags": [], "security": []}
    for index, place in enumerate(_places(good)):
        found = imported({"/x": {"post": _with(good, place, odd)}})
        loaded(found, tmp_path / str(index))
        assert len(found.tools) == 1
    for name in top:
        found = imported({"/x": {"get": {}}}, **{**top, name: odd})
        assert len(loaded(found, tmp_path / name)) == 1


def _places(value, path=()):
    if path:
        yield path
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in below:
        yield from _places(one, (*path, key))


def _with(value, path, odd):
    if not path:
        return odd
    made = dict(value) if isinstance(value, dict) else list(value)
    made[path[0]] = _with(value[path[0]], path[1:], odd)
    return made


@pytest.mark.full
def test_a_large_document_takes_seconds(tmp_path):
    schemas = {
        f"S{n}": {
            "type": "object",
            "properties": {f"p{m}": {"$ref": f"#/components/schemas/S{(n * 7 + m) % 300}"} for m in range(20)},
        }
        for n in range(300)
    }
    content = [{"application/json": {"schema": {"$ref": f"#/components/schemas/S{n}"}}} for n in range(300)]
    paths = {
        f"/p{n}/{{id}}": {
            "put": {
                "requestBody": {"required": True, "content": content[n]},
                "responses": {"200": {"content": content[n]}},
            }
        }
        for n in range(300)
    }
    began = time.process_time()
    tools = loaded(imported(paths, components={"schemas": schemas}), tmp_path)
    assert len(tools) == 300
    assert time.process_time() - began < 20


@pytest.mark.parametrize("where", ["components", "arguments"])
def test_what_no_rules_folder_could_hold_is_said_before_it_is_written(where):
    large = {"type": "string", "enum": ["x" * 1_100_000] if where == "components" else ["y" * 17_000_000]}
    schema = {"$ref": "#/components/schemas/Large"} if where == "components" else large
    query = {"name": "q", "in": "query", "schema": schema}
    paths = {"/a": {"get": {"parameters": [query], "responses": {}}}}
    with pytest.raises(BadDocument, match="too large"):
        files(imported(paths, components={"schemas": {"Large": large}} if where == "components" else {}))


def test_trace_is_left_out_and_said(tmp_path):
    found = imported({"/x": {"trace": {"operationId": "echo"}, "get": {}}})
    assert list(loaded(found, tmp_path)) == ["get_x"]
    assert "TRACE /x is left out" in found.warnings[0]


def test_ids_that_a_framework_wrote_become_short_names():
    paths = {
        "/items/{id}": {
            "get": {"operationId": "read_item_items__id__get"},
            "put": {"operationId": "update_item_items__id__put"},
        },
        "/items": {"get": {"operationId": "history_items_get"}},
        "/users": {"get": {"operationId": "history_users_get"}},
        "/ping": {"get": {"operationId": "ping"}},
    }
    assert list(imported(paths).tools) == [
        "read_item",
        "update_item",
        "history_items_get",
        "history_users_get",
        "ping",
    ]


def test_an_id_that_only_looks_so_stays():
    paths = {"/users": {"get": {"operationId": "list_users_get"}}, "/x": {"get": {"operationId": "x"}}}
    assert list(imported(paths).tools) == ["list_users_get", "x"]
