"""A refusal teaches: each wrong argument by its path, what is expected, an example that works, and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire import Reply, Stage, Told, Wall, staged

TOOLS = """
  order:
    call: POST /shops/{shop}/orders
    effect: write
    in: {page: query, tags: {query: {name: "tags[]"}}, trace: {header: {name: X-Trace}}, theme: cookie}
    input:
      type: object
      properties:
        shop: {type: integer, minimum: 1}
        page: {type: integer, maximum: 50}
        tags: {type: array, items: {enum: [red, blue]}}
        trace: {type: string, pattern: "^[a-f0-9]{8}$"}
        theme: {enum: [dark, light]}
        day: {type: string, format: date}
        kind: {const: gift}
        lines:
          type: array
          minItems: 1
          items:
            type: object
            properties: {sku: {type: string, pattern: "^SKU-[0-9]{4}$"}, count: {type: integer, minimum: 1}}
            required: [sku, count]
            additionalProperties: false
        pay:
          oneOf:
            - {type: object, properties: {card: {type: string}}, required: [card], additionalProperties: false}
            - {type: object, properties: {iban: {type: string}}, required: [iban], additionalProperties: false}
        extra: {type: object, additionalProperties: {type: integer}}
        note: {type: [string, "null"], maxLength: 5}
      required: [shop, lines]
      additionalProperties: false
  form:
    call: POST /forms
    effect: write
    body: application/x-www-form-urlencoded
    args: {count: {type: integer}, body_page: {type: integer, optional: true}, page: {type: integer, optional: true}}
    in: {page: query}
  upload:
    call: POST /upload
    effect: write
    body: multipart/form-data
    args: {count: {type: integer}, picture: {type: string, maxLength: 8}}
    in: {picture: {body: {name: file}}}
  open:
    call: GET /open
    input: {type: object, properties: {a: {type: integer}}, additionalProperties: {type: integer}}
"""
CANARY = "zq7x"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("teaching"), TOOLS) as stage:
        yield stage


def send(house: Stage, path: str, body: Any = None, *headers: tuple[str, str], method: str = "POST") -> Told:
    ends: list[Told] = []
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()

    async def play(w: Wall) -> None:
        ends.append(await w.tell(method, path, data, headers))

    house.run(play)
    return ends[0]


ORDERS = "/crm/shops/1/orders"
LINE = {"sku": "SKU-0000", "count": 1}
WRONG: list[tuple[str, Any, dict[str, Any]]] = [
    ("/crm/shops/x/orders", {"lines": [LINE]},
     {"path": "/shop", "in": "path", "problem": "is a string, must be an integer", "example": 1}),
    (f"{ORDERS}?page=51", {"lines": [LINE]},
     {"path": "/page", "in": "query", "problem": "must be at most 50", "example": 50}),
    (f"{ORDERS}?tags%5B%5D=green", {"lines": [LINE]},
     {"path": "/tags/0", "in": "query", "name": "tags[]", "problem": "must be one of: red, blue", "example": "red"}),
    (ORDERS, {}, {"path": "/lines", "problem": "is missing", "example": [LINE]}),
    (ORDERS, {"lines": []}, {"path": "/lines", "problem": "must have at least 1 items", "example": [LINE]}),
    (ORDERS, {"lines": [LINE, {"sku": "SKU-0000"}]},
     {"path": "/lines/1/count", "problem": "is missing", "example": 1}),
    (ORDERS, {"lines": [{**LINE, "sku": "sku-1"}]},
     {"path": "/lines/0/sku", "problem": "must match the pattern ^SKU-[0-9]{4}$", "example": "SKU-0000"}),
    (ORDERS, {"lines": [{**LINE, "cuont": 1}]},
     {"path": "/lines/0", "problem": "holds a name that is not declared (did you mean count?); declared: count, sku",
      "example": LINE}),
    (ORDERS, {"lines": [LINE], "day": "tomorrow"},
     {"path": "/day", "problem": "must be of the format date", "example": "2026-01-31"}),
    (ORDERS, {"lines": [LINE], "kind": "sale"}, {"path": "/kind", "problem": "must be gift", "example": "gift"}),
    (ORDERS, {"lines": [LINE], "pay": {}},
     {"path": "/pay", "problem": "must fit exactly one of the allowed forms", "example": {"card": "text"}}),
    (ORDERS, {"lines": [LINE], "extra": {"n": "x"}},
     {"path": "/extra/*", "problem": "is a string, must be an integer", "example": 1}),
    (ORDERS, {"lines": [LINE], "note": "too long"},
     {"path": "/note", "problem": "must have at most 5 characters", "example": "text"}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "error"), WRONG)
def test_a_wrong_argument_is_named_and_shown_right(house: Stage, path: str, body: Any, error: dict[str, Any]) -> None:
    said = send(house, path, body).reply.json
    assert said["code"] == "schema_violation"
    assert said["errors"] == [error]
    assert said["example"] == {"shop": 1, "lines": [LINE]}
    assert said["suggestion"] == "Correct the listed arguments and call again. `example` shows a call that fits."


@pytest.mark.parametrize(("path", "body", "error"), WRONG)
def test_the_example_is_a_call_that_works(house: Stage, path: str, body: Any, error: dict[str, Any]) -> None:
    example = send(house, path, body).reply.json["example"]
    shop = example.pop("shop")
    assert send(house, f"/crm/shops/{shop}/orders", example).reply.status == 200


def test_every_wrong_argument_is_named_at_once(house: Stage) -> None:
    headers = (("X-Trace", "none"), ("Cookie", "theme=blue"))
    said = send(house, "/crm/shops/0/orders?page=x", {"lines": "x", "day": 1}, *headers).reply.json
    assert [(error["path"], error.get("in"), error.get("name")) for error in said["errors"]] == [
        ("/day", None, None),
        ("/lines", None, None),
        ("/page", "query", None),
        ("/shop", "path", None),
        ("/theme", "cookie", None),
        ("/trace", "header", "X-Trace"),
    ]
    assert all("example" in error for error in said["errors"])


def test_names_of_a_form_are_told_as_they_travel(house: Stage) -> None:
    form = ("Content-Type", "application/x-www-form-urlencoded")
    said = send(house, "/crm/forms", b"count=x&page=y", form).reply.json
    assert said["errors"] == [
        {
            "path": "/body_page",
            "in": "body",
            "name": "page",
            "problem": "is a string, must be an integer",
            "example": 1,
        },
        {"path": "/count", "problem": "is a string, must be an integer", "example": 1},
    ]
    assert said["example"] == {"count": 1}


def multipart(**parts: str) -> tuple[bytes, tuple[str, str]]:
    lines = [f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{parts[name]}\r\n' for name in parts]
    return ("".join(lines) + "--b--\r\n").encode(), ("Content-Type", "multipart/form-data; boundary=b")


def test_parts_are_told_by_their_names(house: Stage) -> None:
    body, kind = multipart(count="x", file=f"{CANARY} is too long")
    end = send(house, "/crm/upload", body, kind)
    assert end.reply.json["errors"] == [
        {"path": "/count", "problem": "is a string, must be an integer", "example": 1},
        {"path": "/picture", "in": "body", "name": "file", "problem": "must have at most 8 characters",
         "example": "text"},
    ]  # fmt: skip
    assert end.reply.json["example"] == {"count": 1, "picture": "text"}
    assert not leaks(end.reply)
    body, kind = multipart(count="1", file="x", **{f"{CANARY}": CANARY})
    end = send(house, "/crm/upload", body, kind)
    assert end.reply.json["code"] == "schema_violation"
    assert not leaks(end.reply)


def test_a_name_of_the_callers_choice_is_no_part_of_an_example(house: Stage) -> None:
    end = send(house, f"/crm/open?{CANARY}=x", method="GET")
    assert [error["path"] in ("", "/*") for error in end.reply.json["errors"]] == [True]
    assert CANARY.encode() not in end.reply.body


text = st.text("abz09 -_\"'<>é{}", max_size=8).map(lambda some: CANARY + some)
words = text | st.integers() | st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
names = text | st.sampled_from(["shop", "lines", "sku", "count", "pay", "card", "iban", "extra", "note", "day", "kind"])
bodies = st.recursive(
    words, lambda below: st.lists(below, max_size=3) | st.dictionaries(names, below, max_size=4), max_leaves=12
)


def leaks(reply: Reply) -> bool:
    return CANARY.encode() in reply.raw.lower()


@given(
    st.lists(
        st.tuples(
            st.dictionaries(names, bodies, max_size=5) | bodies,
            text,
            st.dictionaries(names | st.sampled_from(["page", "tags[]"]), text, max_size=3),
            text,
        ),
        min_size=1,
        max_size=40,
    )
)
@settings(max_examples=8, deadline=None, database=None)
def test_nothing_that_was_sent_comes_back(house: Stage, calls: list[tuple[Any, str, dict[str, str], str]]) -> None:
    async def play(w: Wall) -> None:
        for body, shop, query, trace in calls:
            asked = "&".join(f"{quote(name)}={quote(value)}" for name, value in query.items())
            path = f"/crm/shops/{quote(shop, safe='')}/orders?{asked}"
            headers = [("X-Trace", quote(trace)), ("Cookie", f"theme={quote(trace)}")]
            end = await w.tell("POST", path, json.dumps(body).encode(), headers)
            assert end.reply.json["code"] in ("schema_violation", "bad_request", "denied")
            assert end.reached == []
            assert not leaks(end.reply)
            assert CANARY not in json.dumps(end.record)
            await asyncio.sleep(0)

    house.run(play)
