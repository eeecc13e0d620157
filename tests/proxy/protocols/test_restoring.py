"""Values in the place of pseudonyms, held to what holds for the agent's own text."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.errors import Refusal
from proxy.model import Call, Outgoing
from proxy.protocols.restoring import restored
from redaction.pseudonyms import ANY, Pseudonyms, Restoring
from rules.facts import Principal, Run
from rules.load import load
from rules.tools import Catalog

RULES = """
backend: crm
url: https://crm.test
restore: true
tools:
  one: {call: "GET /people/{who}", args: {who: {type: string}}}
  all: {call: GET /people/all}
  slash: {call: "GET /files/{name}", args: {name: {type: string}}, in: {name: {path: {encoded_slash: true}}}}
  list: {call: "GET /lists/{ids}", args: {ids: {type: array, items: {type: string}}}}
  two: {call: "GET /diff/{a}...{b}", args: {a: {type: string}, b: {type: string}}}
  head:
    call: GET /head
    args: {x-who: {type: string}, sid: {type: string, optional: true}}
    in: {x-who: header, sid: cookie}
  find: {call: GET /find, args: {q: {type: string}}}
"""


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    folder: Path = tmp_path_factory.mktemp("rules")
    (folder / "crm.yaml").write_text(RULES)
    return load(folder).catalog


def made(catalog: Catalog, name: str, target: str, value: str, headers: tuple[tuple[str, str], ...] = ()) -> Call:
    known = Pseudonyms(bytes(16))
    known.give("A", value)
    call = Call(
        "id", Run("r", 1), Principal("p"), catalog.tools[f"crm.{name}"], {}, (), Outgoing("GET", target, headers, b""),
        "/crm", "", "",
    )  # fmt: skip
    return restored(call, Restoring(known, frozenset({ANY})), catalog)


TOKEN = "%3CA_1%3E"


@pytest.mark.parametrize("value", ["x", "a b", "é", "a.b", "a%b", "a?b#c", "a&b=c", "a,b", "a;b"])
def test_a_value_in_a_path_is_encoded(catalog: Catalog, value: str) -> None:
    call = made(catalog, "one", f"/people/{TOKEN}", value)
    assert call.arguments == {"who": value}
    assert call.outgoing.target.count("/") == 2


@pytest.mark.parametrize("value", ["..", ".", "a/b", "../b", "a\\b", "a\nb", "a\x00b", "%2e%2e", "%2f", "..;x", "all"])
def test_what_an_agent_may_not_write_in_a_path_no_value_may(catalog: Catalog, value: str) -> None:
    with pytest.raises(Refusal) as no:
        made(catalog, "one", f"/people/{TOKEN}", value)
    assert value not in str(no.value.detail) or value in (".", "..")


def test_a_slash_may_stand_where_the_contract_has_one(catalog: Catalog) -> None:
    call = made(catalog, "slash", f"/files/{TOKEN}", "a/b")
    assert (call.outgoing.target, call.arguments) == ("/files/a%2Fb", {"name": "a/b"})
    with pytest.raises(Refusal):
        made(catalog, "slash", f"/files/{TOKEN}", "a/../b")


def test_a_value_does_not_become_two(catalog: Catalog) -> None:
    assert made(catalog, "list", f"/lists/a,{TOKEN}", "b").arguments == {"ids": ["a", "b"]}
    with pytest.raises(Refusal):
        made(catalog, "list", f"/lists/a,{TOKEN}", "b,c")
    assert made(catalog, "two", f"/diff/{TOKEN}...z", "b").arguments == {"a": "b", "b": "z"}
    with pytest.raises(Refusal):
        made(catalog, "two", f"/diff/{TOKEN}...z", "b...c")


@pytest.mark.parametrize("value", ["a\r\nx: y", "a\nb", "a\x00", "a\x7f", " a", "a "])
def test_a_header_stays_one_header(catalog: Catalog, value: str) -> None:
    with pytest.raises(Refusal):
        made(catalog, "head", "/head", value, (("x-who", "<A_1>"),))


@pytest.mark.parametrize("value", ["a;b", "a b", 'a"b', "a,b", "é", "a\\b", "a%20b"])
def test_a_cookie_stays_one_cookie(catalog: Catalog, value: str) -> None:
    with pytest.raises(Refusal):
        made(catalog, "head", "/head", value, (("x-who", "x"), ("cookie", "sid=<A_1>")))


def test_headers_and_cookies_that_are_no_arguments_stay(catalog: Catalog) -> None:
    headers = (("cookie", "sid=<A_1>; other=<A_1>"), ("x-who", "é <A_1>"), ("authorization", "<A_1>"))
    call = made(catalog, "head", "/head", "v", headers)
    assert call.outgoing.headers == (
        ("cookie", "sid=v; other=<A_1>"), ("x-who", "é v"), ("authorization", "<A_1>")
    )  # fmt: skip
    assert call.arguments == {"x-who": "é v", "sid": "v"}


def test_what_is_wrong_with_a_call_is_judged_later(catalog: Catalog) -> None:
    call = made(catalog, "find", f"/find?q={TOKEN}&other=1", "a&other=2")
    assert call.arguments == {"q": "a&other=2"}
    assert len(call.problems) == 1
