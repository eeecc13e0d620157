import timeit
from dataclasses import replace

import pytest

from rules.schema import Contract
from rules.template import MOST_SEGMENTS, parse
from rules.tools import Backend, Catalog, Param, Pick, Reply, Tool
from rules.urls import Url


def tool(short, call, backend="crm"):
    method, path = call.split()
    params = tuple(Param(name, name, "path") for one in parse(path) for name in one.names)
    contract = Contract({})
    return Tool(f"{backend}.{short}", short, backend, "", method, path, params, {}, contract, "read", 1.0, Reply(), "")


CATALOG = Catalog(
    tools=[
        tool("root", "GET /"),
        tool("list", "GET /customers"),
        tool("slash", "GET /customers/"),
        tool("get", "GET /customers/{id}"),
        tool("me", "GET /customers/me"),
        tool("orders", "GET /customers/{id}/orders"),
        tool("mine", "GET /customers/me/settings"),
        tool("json", "GET /customers/{id}.json"),
        tool("v", "GET /customers/v{id}.json"),
        tool("put", "PUT /customers/{id}"),
        tool("dot", "GET /a%2Fb/{x}"),
        tool("get", "GET /customers/{id}", "erp"),
    ]
)


@pytest.mark.parametrize(
    ("path", "short", "values"),
    [
        ("/", "root", {}),
        ("/customers", "list", {}),
        ("/customers/", "slash", {}),
        ("/customers/7", "get", {"id": "7"}),
        ("/customers/me", "me", {}),
        ("/customers/me/settings", "mine", {}),
        ("/customers/me/orders", "orders", {"id": "me"}),
        ("/customers/7.json", "json", {"id": "7"}),
        ("/customers/v7.json", "v", {"id": "7"}),
        ("/customers/.json", "get", {"id": ".json"}),
        ("/customers/%2e%2e", "get", {"id": "%2e%2e"}),
        ("/customers/a%2Fb", "get", {"id": "a%2Fb"}),
        ("/a%2Fb/1", "dot", {"x": "1"}),
    ],
)
def test_a_path_finds_its_tool_and_raw_values(path, short, values):
    found, taken = CATALOG.match("crm", "GET", path)
    assert (found.short, taken) == (short, values)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "customers",
        "//customers",
        "/customers//",
        "/Customers",
        "/customer",
        "/customers/7/",
        "/customers/7/orders/",
        "/customers/7/settings",
        "/%63ustomers",
        "/a%2fb/1",
        "/a/b/1",
        "/customers?x=1",
        "/customers/7/../8/orders",
        "/x" * (MOST_SEGMENTS + 5),
    ],
)
def test_what_is_not_declared_byte_for_byte_is_no_tool(path):
    assert CATALOG.match("crm", "GET", path) is None


def test_method_and_backend_count():
    assert CATALOG.match("crm", "PUT", "/customers/7")[0].short == "put"
    assert CATALOG.match("erp", "GET", "/customers/7")[0].name == "erp.get"
    for backend, method in (("crm", "POST"), ("crm", "get"), ("erp", "PUT"), ("", "GET"), ("none", "GET")):
        assert CATALOG.match(backend, method, "/customers/7") is None


def test_the_order_of_declaration_never_matters():
    turned = Catalog(tools=reversed(CATALOG.tools.values()))
    for path in ("/customers/7", "/customers/me", "/customers/v7.json", "/customers/7.json", "/customers/me/orders"):
        first, second = CATALOG.match("crm", "GET", path), turned.match("crm", "GET", path)
        assert (first[0].name, first[1]) == (second[0].name, second[1])


def test_a_hostile_path_costs_no_more_than_the_tools_are_many():
    paths = ["".join(f"/{{p{i}}}" if mask >> i & 1 else "/a" for i in range(8)) + f"/end{mask}" for mask in range(256)]
    bushy = Catalog(tools=[tool(f"t{index}", f"GET {path}") for index, path in enumerate(paths)])
    assert bushy.match("crm", "GET", "/a" * 8 + "/nowhere") is None
    hostile = min(timeit.repeat(lambda: bushy.match("crm", "GET", "/a" * 8 + "/no"), number=20, repeat=3))
    plain = min(timeit.repeat(lambda: bushy.match("crm", "GET", "/a" * 8 + "/end0"), number=20, repeat=3))
    assert hostile < plain * 10_000


@pytest.mark.parametrize(
    ("url", "authority", "text"),
    [
        (Url("https", "crm.test", 443, "/api"), "crm.test", "https://crm.test/api"),
        (Url("http", "crm.test", 8080, ""), "crm.test:8080", "http://crm.test:8080"),
        (Url("https", "::1", 443, ""), "[::1]", "https://[::1]"),
        (Url("http", "::1", 443, ""), "[::1]:443", "http://[::1]:443"),
    ],
)
def test_the_authority_is_what_the_host_header_says(url, authority, text):
    assert (url.authority, str(url)) == (authority, text)


def test_a_backend_lies_in_no_private_network_unless_it_says_so():
    assert Backend("crm", Url("http", "x", 80, "")).addresses == ()


def picked(short, *pick):
    return replace(tool(short, "POST /x/{id}"), picked_by=Pick(*pick) if pick else None)


@pytest.mark.parametrize(
    ("sent", "short"),
    [
        ({}, "plain"),
        ({("header", "x-t"): ["a"]}, "a"),
        ({("header", "x-t"): ["b"]}, "b"),
        ({("query", "t"): ["a"]}, "q"),
        ({("header", "x-t"): ["c"]}, None),
        ({("header", "x-t"): ["a", "a"]}, None),
        ({("header", "x-t"): ["a", "b"]}, None),
        ({("header", "x-t"): ["a"], ("query", "t"): ["a"]}, None),
    ],
)
def test_of_tools_with_the_same_call_one_value_picks_one(sent, short):
    tools = [
        picked("a", "header", "x-t", "a"),
        picked("b", "header", "x-t", "b"),
        picked("plain"),
        picked("q", "query", "t", "a"),
    ]
    for order in (tools, tools[::-1]):
        found = Catalog(tools=order).match("crm", "POST", "/x/7", lambda place, name: sent.get((place, name), []))
        assert (found and found[0].short) == short
        assert found is None or found[1] == {"id": "7"}


def test_a_lone_tool_with_a_pick_is_nothing_without_its_value():
    catalog = Catalog(tools=[picked("a", "header", "x-t", "a")])
    assert catalog.match("crm", "POST", "/x/7") is None
