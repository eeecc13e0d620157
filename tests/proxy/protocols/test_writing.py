"""Arguments become a request that means just these, or none."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.model import Call, Carried, Outgoing
from proxy.protocols.writing import CannotWrite, carried, written
from rules.facts import Principal, Run
from rules.load import load
from rules.tools import Catalog

RULES = """
backend: crm
url: https://crm.example
credential:
  - {send: bearer, from: caller}
  - {send: {header: X-Api-Key}, from: caller}
  - {send: {query: key}, from: caller}
  - {send: {cookie: sid}, from: caller}
tools:
  path: {call: 'DELETE /a/{id}/b-{n}.json', args: {id: {type: string}, n: {type: integer}}, effect: write}
  slash: {call: 'DELETE /f/{p}', args: {p: {type: string}}, in: {p: {path: {encoded_slash: true}}}, effect: write}
  label: {call: 'DELETE /l/{id}', args: {id: {type: string}}, in: {id: {path: {style: label}}}, effect: write}
  matrix: {call: 'DELETE /m/{id}', args: {id: {type: string}}, in: {id: {path: {style: matrix}}}, effect: write}
  query:
    call: DELETE /q
    args:
      a: {type: string, optional: true}
      n: {type: number, optional: true}
      b: {type: boolean, optional: true}
      l: {type: array, items: {type: string}, optional: true}
      c: {type: array, items: {type: string}, optional: true}
      j: {type: object, optional: true}
      d: {type: object, optional: true}
    in: {c: {query: {explode: false}}, j: {query: {json: true}}, d: {query: {style: deepObject}}}
    effect: write
  head:
    call: POST /h
    args: {x: {type: string}, s: {type: string}}
    in: {x: {header: {name: X-What}}, s: {cookie: {name: s}}}
    effect: write
  json: {call: POST /j, args: {a: {}, deep: {type: object, optional: true}}, effect: write}
  whole: {call: PUT /w, args: {body: {type: array}}, effect: write}
  form:
    call: POST /form
    args: {a: {type: string}, l: {type: array, items: {type: integer}, optional: true}}
    body: application/x-www-form-urlencoded
    effect: write
  text: {call: POST /t, args: {body: {type: string}}, body: text/plain, effect: write}
  files: {call: POST /files, args: {a: {type: string}}, body: multipart/form-data, effect: write}
"""


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    folder = tmp_path_factory.mktemp("rules")
    (folder / "crm.yaml").write_text(RULES)
    return load(folder).catalog


@pytest.mark.parametrize(
    ("tool", "arguments", "target", "body"),
    [
        ("path", {"id": "a b@c.d", "n": 7}, "/a/a%20b%40c.d/b-7.json", b""),
        ("path", {"id": "é%", "n": -1}, "/a/%C3%A9%25/b--1.json", b""),
        ("slash", {"p": "a/b"}, "/f/a%2Fb", b""),
        ("label", {"id": "a"}, "/l/.a", b""),
        ("matrix", {"id": "a;b"}, "/m/;id=a%3Bb", b""),
        ("query", {"a": "x&y=z", "n": 1.5, "b": True}, "/q?a=x%26y%3Dz&n=1.5&b=true", b""),
        ("query", {"l": ["a,b", "c"], "c": ["d", "e"]}, "/q?l=a%2Cb&l=c&c=d,e", b""),
        ("query", {"j": {"k": [1]}}, "/q?j=%7B%22k%22%3A%5B1%5D%7D", b""),
        ("query", {}, "/q", b""),
        ("json", {"a": 2**64, "deep": {"é": [None]}}, "/j", '{"a":18446744073709551616,"deep":{"é":[null]}}'.encode()),
        ("whole", {"body": [1, {"a": 2}]}, "/w", b'[1,{"a":2}]'),
        ("form", {"a": "x y&z", "l": [1, 2]}, "/form", b"a=x%20y%26z&l=1&l=2"),
        ("text", {"body": "plain é"}, "/t", "plain é".encode()),
    ],
)  # fmt: skip
def test_what_is_written_and_what_it_means(
    catalog: Catalog, tool: str, arguments: dict[str, Any], target: str, body: bytes
) -> None:
    placed, outgoing = written(catalog.tools[f"crm.{tool}"], arguments, Carried(), catalog)
    assert (outgoing.target, outgoing.body, placed.arguments) == (target, body, arguments)


def test_headers_cookies_and_what_the_caller_brought(catalog: Catalog) -> None:
    brought = Carried((("x-api-key", "k"), ("via", "1.1 toolwall")), ("key=q",), (("sid", "c"),))
    _, outgoing = written(catalog.tools["crm.head"], {"x": "w", "s": "1"}, brought, catalog)
    assert outgoing.target == "/h?key=q"
    assert outgoing.headers == (
        ("x-what", "w"),
        ("cookie", "s=1; sid=c"),
        ("x-api-key", "k"),
        ("via", "1.1 toolwall"),
    )


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("path", {"id": "a/b", "n": 1}),
        ("path", {"id": "..", "n": 1}),
        ("path", {"id": "", "n": 1}),
        ("path", {"id": "a\nb", "n": 1}),
        ("path", {"id": "%2e%2e", "n": 1}),
        ("path", {"id": "a"}),
        ("path", {"id": None, "n": 1}),
        ("path", {"id": {"a": 1}, "n": 1}),
        ("slash", {"p": "../x"}),
        ("query", {"c": ["a,b"]}),
        ("query", {"l": [["a"]]}),
        ("query", {"l": []}),
        ("query", {"d": {"a": 1}}),
        ("query", {"a": "\ud800"}),
        ("query", {"unknown": "a"}),
        ("head", {"x": "a\r\nX-Evil: 1", "s": "1"}),
        ("head", {"x": "a", "s": "1; sid=evil"}),
        ("head", {"x": " a", "s": "1"}),
        ("json", {"a": float("inf")}),
        ("json", {"a": "\ud800"}),
        ("form", {"a": "x", "other": "y"}),
        ("files", {"a": "x"}),
    ],
)
def test_what_has_no_one_meaning_is_not_written(catalog: Catalog, tool: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(CannotWrite):
        written(catalog.tools[f"crm.{tool}"], arguments, Carried(), catalog)


def test_a_number_may_travel_as_text_and_text_as_a_number(catalog: Catalog) -> None:
    placed, _ = written(catalog.tools["crm.path"], {"id": 17, "n": "5"}, Carried(), catalog)
    assert placed.arguments == {"id": "17", "n": 5}


def test_what_a_call_brought_is_its_credential_and_its_way(catalog: Catalog) -> None:
    headers = (
        ("authorization", "Bearer t"),
        ("x-api-key", "k"),
        ("x-what", "argument"),
        ("accept", "*/*"),
        ("if-match", "1"),
        ("cookie", "sid=c; s=1"),
        ("forwarded", "for=127.0.0.1"),
    )
    outgoing = Outgoing("POST", "/h?key=q%20q&a=b", headers, b"")
    tool = catalog.tools["crm.head"]
    call = Call("c", Run("r", 1), Principal("ann"), tool, {}, (), outgoing, "", "", "")
    assert carried(call) == Carried(
        (("authorization", "Bearer t"), ("x-api-key", "k"), ("forwarded", "for=127.0.0.1")),
        ("key=q%20q",),
        (("sid", "c"),),
    )
    assert "Bearer" not in repr(carried(call))
