"""Masking a request: only what must go changes, and the arguments are read from the bytes that are sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxy.model import Call, Outgoing
from proxy.protocols.masking import masked
from rules.load import load

TOOLS = """
backend: crm
url: https://crm.test
credential: {send: {query: key}, from: caller}
tools:
  find:
    call: GET /x/{id}
    args:
      id: {type: string}
      q: {type: string, optional: true}
      list: {type: array, items: {type: string}, optional: true}
      more: {type: object, additionalProperties: true, optional: true}
    in: {list: {query: {style: spaceDelimited, explode: false}}, more: {query: {style: deepObject}}}
  put:
    call: PUT /x
    effect: write
    body: [application/json, application/x-www-form-urlencoded, multipart/form-data]
    args: {note: {type: string}, data: {type: string, optional: true}}
"""
FORM = "application/x-www-form-urlencoded"


class Upper:
    """Takes out every `x`, and writes what stands in a URL under another form."""

    def text(self, text: str, name: str) -> str:
        return text.replace("x", "<X> &")

    def json(self, body: bytes) -> bytes:
        return body.replace(b"x", b"<X>")


class Broken(Upper):
    def json(self, body: bytes) -> bytes:
        return body.replace(b'"x"', b'"a": 1, "a"')


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("rules")
    (folder / "crm.yaml").write_text(TOOLS)
    return load(folder).catalog.tools


def call(tool: Any, target: str, arguments: dict[str, Any], body: bytes = b"", kind: str = "") -> Call:
    headers = (("a", "x"), ("content-type", kind)) if kind else (("a", "x"),)
    given: Any = dict.fromkeys(Call._fields)
    outgoing = Outgoing(tool.method, target, headers, body)
    return Call(**given | {"tool": tool, "arguments": arguments, "outgoing": outgoing})


def test_a_query_pair_by_pair(tools: Any) -> None:
    target = "/x/x?key=x&q=a%78b&list=x%20b+c&more[x]=y&more[b]=x"
    made = masked(call(tools["crm.find"], target, {"id": "x", "q": "", "list": [], "more": {}}), Upper())
    assert made is not None
    assert (
        made.outgoing.target
        == "/x/x?key=x&q=a%3CX%3E%20%26b&list=%3CX%3E%20%26%20b%20c&more[x]=y&more[b]=%3CX%3E%20%26"
    )
    assert made.arguments == {
        "id": "x",
        "q": "a<X> &b",
        "list": ["<X>", "&", "b", "c"],
        "more": {"x": "y", "b": "<X> &"},
    }
    assert made.outgoing.headers == (("a", "x"),)


def test_where_nothing_changes_nothing_is_written_anew(tools: Any) -> None:
    given = call(tools["crm.find"], "/x/x?q=a+%62&&list=", {"id": "x", "q": "a b", "list": [""]})
    made = masked(given, Upper())
    assert made is not None
    assert made.outgoing == given.outgoing
    assert made.arguments == given.arguments


@pytest.mark.parametrize(
    ("kind", "body", "sent", "note"),
    [
        ("application/json", b'{"note" : "x", "data":"y"}', b'{"note" : "<X>", "data":"y"}', "<X>"),
        ("application/json; charset=utf-8", b'{"note":"x", "data":""}', b'{"note":"<X>", "data":""}', "<X>"),
        (FORM, b"note=1+x&data=+", b"note=1%20%3CX%3E%20%26&data=+", "1 <X> &"),
    ],
)
def test_bodies(tools: Any, kind: str, body: bytes, sent: bytes, note: str) -> None:
    made = masked(call(tools["crm.put"], "/x", {"note": "", "data": ""}, body, kind), Upper())
    assert made is not None
    assert (made.outgoing.body, made.arguments["note"]) == (sent, note)
    assert dict(made.outgoing.headers)["content-type"] == kind


def test_parts_of_text_are_masked_and_files_are_not(tools: Any) -> None:
    part = '--B\r\nContent-Disposition: form-data; name="{}"{}\r\n\r\nx\r\n'
    body = (part.format("note", "") + part.format("data", '; filename="a"') + "--B--\r\n").encode()
    kind = "multipart/form-data; boundary=B"
    made = masked(call(tools["crm.put"], "/x", {"note": "", "data": ""}, body, kind), Upper())
    assert made is not None
    assert made.arguments == {"note": "<X> &", "data": "eA=="}
    assert b"\r\n\r\n<X> &\r\n" in made.outgoing.body
    assert made.outgoing.body.startswith(b"--" + dict(made.outgoing.headers)["content-type"][30:].encode())


@pytest.mark.parametrize(
    ("body", "masks"),
    [(b'{"note":"a", "x": 1}', Upper()), (b'{"x":"a", "note": "b"}', Broken()), (b"x", Upper())],
)
def test_what_would_not_mean_the_same_call_is_none(tools: Any, body: bytes, masks: Upper) -> None:
    assert masked(call(tools["crm.put"], "/x", {"note": "a", "x": 1}, body, "application/json"), masks) is None


def test_what_the_masks_raise_passes_through(tools: Any) -> None:
    class Angry(Upper):
        def json(self, body: bytes) -> bytes:
            raise KeyError

    with pytest.raises(KeyError):
        masked(call(tools["crm.put"], "/x", {"note": ""}, b"{}", "application/json"), Angry())
