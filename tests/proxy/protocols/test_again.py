"""A request that was written down is read as it was then, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.errors import Refusal
from proxy.model import Outgoing
from proxy.protocols.again import again
from rules.load import load
from rules.tools import Catalog

RULES = """
backend: crm
url: https://crm.example
tools:
  put:
    call: PUT /a/{id}
    args: {id: {type: integer}, q: {type: string}, x: {type: string}, b: {type: string}}
    in: {q: query, x: header}
    effect: write
  special: {call: PUT /a/special, effect: write}
  files: {call: POST /files, args: {a: {type: string}}, body: multipart/form-data, effect: write}
"""
PARTS = b'--xx\r\nContent-Disposition: form-data; name="a"\r\n\r\nvalue\r\n--xx--\r\n'


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    (tmp_path / "crm.yaml").write_text(RULES)
    return load(tmp_path).catalog


def test_all_arguments_are_read_and_the_bytes_stay(catalog: Catalog) -> None:
    headers = (("x", "v"), ("content-type", "application/json"))
    outgoing = Outgoing("PUT", "/a/7?q=s%20t", headers, b'{ "b" : "w" }')
    placed, read = again(catalog.tools["crm.put"], outgoing, catalog)
    assert placed.arguments == {"id": 7, "q": "s t", "x": "v", "b": "w"}
    assert read == outgoing


def test_parts_are_read_whatever_parts_them(catalog: Catalog) -> None:
    headers = (("content-type", "multipart/form-data; boundary=xx"),)
    placed, read = again(catalog.tools["crm.files"], Outgoing("POST", "/files", headers, PARTS), catalog)
    assert placed.arguments == {"a": "value"}
    assert again(catalog.tools["crm.files"], read, catalog)[0].arguments == {"a": "value"}


@pytest.mark.parametrize("target", ["/a/special", "/b/7", "/a/..", "/a/7?q=1;x=2"])
def test_what_means_another_tool_today_or_two_things_is_refused(catalog: Catalog, target: str) -> None:
    with pytest.raises(Refusal):
        again(catalog.tools["crm.put"], Outgoing("PUT", target, (), b""), catalog)


def test_what_breaks_the_contract_is_a_problem(catalog: Catalog) -> None:
    placed, _ = again(catalog.tools["crm.put"], Outgoing("PUT", "/a/7?r=1", (), b""), catalog)
    assert placed.problems
