"""Which name on the wire belongs to which argument."""

import pytest

from rules.load import load
from rules.wire import Slot
from tests.rules.helpers import problems, write


def crm(rest, call="GET /x", backend=""):
    return f"""
        backend: crm
        url: https://crm.test
        {backend}
        tools:
          t:
            call: {call}
            effect: write
            {rest}
    """


def tool(folder, rest, call="GET /x", backend=""):
    return load(write(folder, crm=crm(rest, call, backend))).catalog.tools["crm.t"]


I = "\n            in: "  # noqa: E741


def test_plain_and_repeated_names_are_simple(tmp_path):
    one = tool(tmp_path, "args: {a: {type: string}, b: {type: array, items: {type: integer}}}")
    assert one.query.is_simple
    assert set(one.query.own) == {"a", "b"}


@pytest.mark.parametrize(
    "said", ["{query: {explode: false}}", "{query: {style: pipeDelimited}}", "{query: {style: deepObject}}"]
)
def test_other_styles_are_not(tmp_path, said):
    assert not tool(tmp_path, f"args: {{a: {{type: array, items: {{type: string}}}}}}{I}{{a: {said}}}").query.is_simple


def test_an_object_is_spread_in_the_query(tmp_path):
    schema = "{type: object, properties: {x: {}, y: {}}, additionalProperties: false}"
    one = tool(tmp_path, f"args: {{a: {schema}, y: {{type: string}}}}")
    assert (set(one.query.own), set(one.query.members), one.query.rest) == ({"y"}, {"x"}, None)
    assert tool(tmp_path, "args: {a: {type: object}}").query.rest.name == "a"


def test_explode_is_as_openapi_has_it(tmp_path):
    args = "args: {a: {}, b: {}, c: {}, d: {}}"
    said = "{a: query, b: {query: {style: spaceDelimited}}, c: {header: {}}, d: cookie}"
    one = tool(tmp_path, f"{args}{I}{said}".replace("{header: {}}", "{header: {style: simple}}"))
    assert [(param.style, param.explode) for param in one.params] == [
        ("form", True),
        ("spaceDelimited", False),
        ("simple", False),
        ("form", True),
    ]


def test_names_on_the_wire(tmp_path):
    said = "{a: {query: {name: 'a[]'}}, b: {header: {name: X-B}}, c: {cookie: {name: sid}}}"
    one = tool(tmp_path, f"args: {{a: {{}}, b: {{}}, c: {{}}}}{I}{said}")
    assert (set(one.query.own), one.headers, one.cookies) == ({"a[]"}, {"x-b"}, {"sid"})
    body = tool(tmp_path, f"args: {{a: {{}}, b: {{}}}}{I}{{a: {{body: {{name: B}}}}}}", "POST /x")
    assert body.body_wire == {"a": "B", "b": "b"}


def test_media_types_of_a_body(tmp_path):
    assert tool(tmp_path, "args: {a: {}}", "POST /x").body_types == ("application/json", "application/*+json")
    assert tool(tmp_path, "args: {a: {}}", "POST /x").body_params == ()
    one = tool(tmp_path, "args: {a: {}}\n            body: [Multipart/Form-Data, multipart/form-data]", "POST /x")
    assert one.body_types == ("multipart/form-data",)
    assert [param.wire for param in one.body_params] == ["a"]
    whole = "args: {body: {properties: {x: {type: integer}}}}\n            body: [application/x-www-form-urlencoded]"
    assert tool(tmp_path, whole, "POST /x").form.own["x"].kind.simple == "integer"


def test_credentials_of_the_caller(tmp_path):
    said = "credential: [{send: bearer, from: caller}, {send: {header: X-Key}, from: caller}]"
    assert tool(tmp_path, "", backend=said).credentials == (Slot("bearer"), Slot("header", "x-key"))
    assert tool(tmp_path, "", backend="credential: {send: {query: Key}, from: caller}").credentials == (
        Slot("query", "Key"),
    )
    assert tool(tmp_path, "").credentials == ()


@pytest.mark.parametrize(
    ("rest", "backend", "says"),
    [
        ("", "credential: {send: {header: Cookie}, from: caller}", "is not a header that can hold a credential"),
        ("", "credential: {send: {header: Toolwall-Key}, from: caller}", "is not a header that can hold"),
        ("", "credential: {send: {header: Host}, from: caller}", "is not a header that can hold"),
        ("", "credential: {send: {header: 'a b'}, from: caller}", "is not a header that can hold"),
        ("", "credential: {send: {cookie: 'a=b'}, from: caller}", "is not a cookie that can hold"),
        ("", "credential: {send: digest, from: caller}", "must be one of: bearer, basic"),
        ("", "credential: {send: bearer, from: vault}", "must be one of: caller"),
        ("", "credential: {send: bearer}", "needs exactly one of the keys from, env, file, vault"),
        ("", "credential: {send: {header: X, query: y}, from: caller}", "exactly one of"),
        ("args: {key: {}}", "credential: {send: {query: key}, from: caller}", "like another argument or a credential"),
        (
            f"args: {{x-key: {{}}}}{I}{{x-key: header}}",
            "credential: {send: {header: X-Key}, from: caller}",
            "like another argument or a credential",
        ),
    ],
)
def test_a_slot_that_could_not_be_told_from_something_else(tmp_path, rest, backend, says):
    (found,) = problems(tmp_path, crm=crm(rest, backend=backend))
    assert says in str(found)


@pytest.mark.parametrize(
    ("rest", "says"),
    [
        ("args: {a: {}}\n            body: [image/png]", "needs an argument `body`"),
        ("args: {a: {}}\n            body: text/plain", "needs an argument `body`"),
        ("args: {a: {}}\n            body: json", "must be a media type"),
        ("args: {a: {}}\n            body: []", "is an empty list"),
        (f"args: {{a: {{}}}}{I}{{a: {{query: {{style: simple}}}}}}", "must be one of: form"),
        (f"args: {{a: {{}}}}{I}{{a: {{query: {{style: form, json: true}}}}}}", "only one of the keys style, json"),
        (f"args: {{a: {{}}}}{I}{{a: {{query: {{name: b}}, header: {{name: b}}}}}}", "exactly one of the keys"),
        (f"args: {{a: {{}}}}{I}{{a: {{}}}}", "exactly one of the keys"),
        (f"args: {{a: {{}}, b: {{}}}}{I}{{a: {{body: {{name: b}}}}}}", "like another argument"),
        ("args: {a: {}}\n            guessed: maybe", "must be true or false"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, rest, says):
    (found,) = problems(tmp_path, crm=crm(rest, "POST /x"))
    assert says in str(found)
