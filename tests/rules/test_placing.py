import pytest

from rules.load import load
from tests.rules.helpers import problems, write


def crm(call, rest):
    return f"""
        backend: crm
        url: https://crm.test
        tools:
          t:
            call: {call}
            effect: write
            {rest}
    """


def tool(folder, call, rest=""):
    return load(write(folder, crm=crm(call, rest))).catalog.tools["crm.t"]


def wires(one):
    return {param.name: (param.place, param.wire) for param in one.params} | {
        name: ("body", wire) for name, wire in one.body_wire.items()
    }


S = "{type: string}"
IN = "\n            in: "


@pytest.mark.parametrize(
    ("call", "rest", "expected"),
    [
        ("GET /x/{id}", f"args: {{id: {S}, q: {S}}}", {"id": ("path", "id"), "q": ("query", "q")}),
        ("DELETE /x/{id}", f"args: {{id: {S}, q: {S}}}", {"id": ("path", "id"), "q": ("query", "q")}),
        ("HEAD /x", f"args: {{q: {S}}}", {"q": ("query", "q")}),
        ("POST /x/{id}", f"args: {{id: {S}, q: {S}}}", {"id": ("path", "id"), "q": ("body", "q")}),
        ("PATCH /x", f"args: {{q: {S}, r: {S}}}{IN}{{q: query}}", {"q": ("query", "q"), "r": ("body", "r")}),
        (
            "GET /x",
            f"args: {{X-T: {S}, c: {S}}}{IN}{{X-T: header, c: cookie}}",
            {"X-T": ("header", "X-T"), "c": ("cookie", "c")},
        ),
        ("PUT /x/{id}", f"args: {{id: {S}, body_id: {S}}}", {"id": ("path", "id"), "body_id": ("body", "id")}),
        (
            "PUT /x/{id}",
            f"args: {{id: {S}, query_id: {S}, body_id: {S}}}{IN}{{query_id: query}}",
            {"id": ("path", "id"), "query_id": ("query", "id"), "body_id": ("body", "id")},
        ),
        ("GET /x", f"args: {{query_id: {S}}}", {"query_id": ("query", "query_id")}),
        ("GET /x/{id}", f"args: {{id: {S}, body_id: {S}}}", {"id": ("path", "id"), "body_id": ("query", "body_id")}),
    ],
)
def test_every_argument_has_its_place_and_its_name_there(tmp_path, call, rest, expected):
    assert wires(tool(tmp_path, call, rest)) == expected


@pytest.mark.parametrize(
    ("rest", "whole"),
    [
        ("args: {body: {type: array, items: {type: integer}}}", True),
        (f"args: {{body: {S}}}", True),
        ("args: {body: {}}", True),
        ("args: {body: {type: [object, string]}}", True),
        ("args: {body: {type: object}}", False),
        ("args: {body: {properties: {a: {}}}}", False),
        ("args: {body: {type: object}}\n            body: application/json", True),
        (f"args: {{body: {{type: object}}}}{IN}{{body: body}}\n            body: application/json", False),
        (f"args: {{body: {S}}}{IN}{{body: body}}", False),
        (f"args: {{body: {S}, other: {S}}}", False),
        (f"args: {{other: {S}}}", False),
        ("", False),
    ],
)
def test_an_argument_called_body_that_is_alone_is_the_body(tmp_path, rest, whole):
    assert tool(tmp_path, "POST /x", rest).whole_body is whole


def test_path_parameters_stand_in_the_order_of_the_path(tmp_path):
    one = tool(tmp_path, "GET /{z}/{a}/{m}", f"args: {{a: {S}, m: {S}, q: {S}, z: {S}}}")
    assert [param.name for param in one.params] == ["z", "a", "m", "q"]


def test_a_path_parameter_may_hold_an_encoded_slash_only_where_it_says_so(tmp_path):
    args = f"args: {{a: {S}, b: {S}, c: {S}}}"
    where = "in: {a: {path: {encoded_slash: true}}, b: {path: {style: matrix}}, c: path}"
    one = tool(tmp_path, "GET /{a}/{b}/{c}", f"{args}\n            {where}")
    assert [(param.encoded_slash, param.style) for param in one.params] == [
        (True, "simple"),
        (False, "matrix"),
        (False, "simple"),
    ]


def test_a_colon_that_is_no_parameter_s_is_literal_text(tmp_path):
    one = tool(tmp_path, "GET /x/:all/{id}:cancel", f"args: {{id: {S}, cancel: {S}}}")
    assert wires(one) == {"id": ("path", "id"), "cancel": ("query", "cancel")}


def test_names_of_an_open_body_are_arguments_too(tmp_path):
    assert tool(tmp_path, "POST /x", "input: {properties: {a: {}}, additionalProperties: true}").body_open
    assert not tool(tmp_path, "POST /x", "input: {properties: {a: {}}}").body_open


@pytest.mark.parametrize(
    ("call", "rest", "line", "says"),
    [
        (
            "GET /x/{id}",
            f"args: {{idd: {S}}}",
            5,
            "has the path parameter id, which is no argument (did you mean idd?)",
        ),
        ("GET /x/:id", f"args: {{id: {S}}}", 5, "holds :id, which is literal text (write {id})"),
        ("GET /x/{id}", "", 5, "has the path parameter id, which is no argument"),
        ("GET /x", f"args: {{a: {S}}}{IN}{{b: query}}", 8, "is no argument of this tool"),
        ("GET /x", f"args: {{a: {S}}}{IN}{{a: path}}", 8, "is not in the path of call (write {a} there)"),
        ("GET /x", f"args: {{a: {S}}}{IN}{{a: {{path: {{style: matrix}}}}}}", 8, "is not in the path"),
        ("GET /{a}", f"args: {{a: {S}}}{IN}{{a: query}}", 8, "is in the path of call"),
        ("GET /x", f"args: {{Cookie: {S}}}{IN}{{Cookie: header}}", 8, "is a header that is never"),
        (
            "GET /x",
            f"args: {{Toolwall-Key: {S}}}{IN}{{Toolwall-Key: header}}",
            8,
            "is a header that is never",
        ),
        (
            "GET /x",
            f"args: {{AUTHORIZATION: {S}}}{IN}{{AUTHORIZATION: header}}",
            8,
            "is a header that is never",
        ),
        ("GET /x", f"args: {{a b: {S}}}{IN}{{a b: header}}", 8, "is not a name that a header can have"),
        ("GET /x", f"args: {{a=b: {S}}}{IN}{{a=b: cookie}}", 8, "is not a name that a cookie can have"),
        (
            "GET /x",
            f"args: {{X-A: {S}, x-a: {S}}}{IN}{{X-A: header, x-a: header}}",
            8,
            "like another argument",
        ),
        ("POST /{id}", f"args: {{id: {S}, body_id: {S}, body_body_id: {S}}}", 7, None),
    ],
)
def test_what_cannot_travel_is_refused_with_its_line(tmp_path, call, rest, line, says):
    if says is None:
        assert wires(tool(tmp_path, call, rest))["body_body_id"] == ("body", "body_id")
        return
    found = problems(tmp_path, crm=crm(call, rest))
    assert [(one.line, says in str(one)) for one in found] == [(line, True)]
