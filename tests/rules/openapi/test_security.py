import pytest

from rules.openapi.operation import Parameter
from rules.openapi.security import looks_like_key
from tests.rules.openapi.making import imported, loaded, operation


def slots(**schemes):
    found = imported(operation(operationId="it"), components={"securitySchemes": schemes})
    return [one["send"] for one in found.backend.get("credential", [])], found.warnings


@pytest.mark.parametrize(
    ("scheme", "send"),
    [
        ({"type": "http", "scheme": "bearer"}, "bearer"),
        ({"type": "http", "scheme": "Basic"}, "basic"),
        ({"type": "http", "scheme": "digest"}, {"header": "Authorization"}),
        ({"type": "oauth2", "flows": {}}, "bearer"),
        ({"type": "openIdConnect"}, "bearer"),
        ({"type": "basic"}, "basic"),
        ({"type": "apiKey", "in": "header", "name": "X-Api-Key"}, {"header": "X-Api-Key"}),
        ({"type": "apiKey", "in": "query", "name": "api_key"}, {"query": "api_key"}),
        ({"type": "apiKey", "in": "cookie", "name": "sid"}, {"cookie": "sid"}),
        ({"type": "apiKey", "in": "header", "name": "Authorization"}, {"header": "Authorization"}),
    ],
)
def test_a_security_scheme_is_a_slot(scheme, send, tmp_path):
    assert slots(a=scheme, b=scheme) == ([send], [])
    loaded(imported(operation(operationId="it"), components={"securitySchemes": {"a": scheme}}), tmp_path)


@pytest.mark.parametrize(
    "scheme",
    [
        {"type": "mutualTLS"},
        {"type": "apiKey", "in": "header", "name": "Host"},
        {"type": "apiKey", "in": "header", "name": "Toolwall-Key"},
        {"type": "apiKey", "in": "cookie", "name": "a b"},
        {"type": "apiKey", "in": "body", "name": "key"},
        {"type": "apiKey", "in": "header"},
        {"$ref": "#/nowhere"},
        {},
    ],
)
def test_a_scheme_that_is_no_place_in_a_request_is_left_out_and_said(scheme):
    sends, warnings = slots(a=scheme)
    assert sends == []
    assert len(warnings) == 1
    assert "security scheme a" in warnings[0]


def test_a_credential_is_no_argument(tmp_path):
    parameters = [
        {"name": "api_key", "in": "header", "schema": {"type": "string"}},
        {"name": "access_token", "in": "query", "schema": {"type": "string"}},
        {"name": "Authorization", "in": "header", "required": True, "schema": {"type": "string"}},
        {"name": "q", "in": "query", "schema": {"type": "string"}},
    ]
    scheme = {"type": "apiKey", "in": "header", "name": "API_KEY"}
    found = imported(
        operation(operationId="it", parameters=parameters), components={"securitySchemes": {"key": scheme}}
    )
    assert list(found.tools["it"]["args"]) == ["q"]
    assert [one["send"] for one in found.backend["credential"]] == [{"header": "API_KEY"}, {"query": "access_token"}]
    assert any("access_token carries a credential by its name" in one for one in found.warnings)
    loaded(found, tmp_path)


@pytest.mark.parametrize(
    ("name", "place", "expected"),
    [
        ("X-Auth-Token", "header", True),
        ("apikey", "query", True),
        ("session_token", "cookie", True),
        ("page_token", "query", False),
        ("token_type", "query", False),
        ("Authorization", "header", False),
        ("token", "path", False),
    ],
)
def test_a_name_can_say_that_it_is_a_key(name, place, expected):
    assert looks_like_key(Parameter(name, place, False, {}, "a.json")) is expected
