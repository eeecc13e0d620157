"""Batches as they are read: each body keeps its own text, whatever stands around it."""

from __future__ import annotations

import asyncio
import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.errors import Refusal
from proxy.model import Peer
from proxy.protocols.batch import PATH, BatchAsk, Limits
from proxy.protocols.head import Door
from proxy.protocols.rest import Greetings
from proxy.routes import BATCH

LIMITS = Limits(most_calls=5, most_line=100, most_field=100, most_headers=3)
CALL = {"method": "POST", "path": "/crm/a"}


def read(data: bytes, *headers: tuple[bytes, bytes], limits: Limits = LIMITS) -> Any:
    """The calls of a batch."""

    async def body() -> bytes:
        return data

    door = Door("d", frozenset({"localhost"}), {})
    kind = (b"Content-Type", b"application/json")
    ask = BatchAsk(
        Greetings(door, Peer("127.0.0.1")), "POST", PATH, (1, 1), ((b"Host", b"localhost"), kind, *headers), body
    )
    ask.hail()
    return asyncio.run(ask.asks(limits))


async def body_of(part: Any) -> bytes:
    body: bytes = await part._read_body()
    return body


@pytest.mark.parametrize(
    ("target", "is_one"),
    [
        (PATH, True),
        (PATH + "?a=b", True),
        (PATH + "/", False),
        (PATH + "es", False),
        ("/crm" + PATH, False),
        ("/.toolwall/%62atch", False),
    ],
)
def test_a_batch_has_one_place(target: str, is_one: bool) -> None:
    assert BATCH.means(target) == is_one


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=30, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_the_text_of_each_body_is_found_whatever_stands_around_it(values: list[Any], random: Random) -> None:
    def space() -> str:
        return "".join(random.choices(" \t\r\n", k=random.randrange(3)))

    calls, texts = [], []
    for value in values:
        texts.append(json.dumps(value, ensure_ascii=random.random() < 0.5, indent=random.choice([None, 1])))
        members = [f'"body"{space()}:{space()}{texts[-1]}', '"method":"PUT"', '"path" : "/a]}\\""']
        random.shuffle(members)
        calls.append(space() + "{" + ",".join(f"{space()}{member}{space()}" for member in members) + "}" + space())
    parts = read(f'{space()}{{{space()}"c\\u0061lls":[{",".join(calls)}]}}'.encode())
    assert [asyncio.run(body_of(part)).decode() for part in parts] == texts


def test_no_body_is_none_and_null_is_one() -> None:
    parts = read(json.dumps({"calls": [CALL, {**CALL, "body": None}, {**CALL, "body": ""}, CALL]}).encode())
    assert [asyncio.run(body_of(part)) for part in parts] == [b"", b"null", b'""', b""]


@pytest.mark.parametrize(
    ("calls", "limits"),
    [
        ([CALL] * 6, LIMITS),
        ([{**CALL, "path": "/" + "a" * 100}], LIMITS),
        ([{**CALL, "path": "/" + "ä" * 50}], LIMITS),
        ([{**CALL, "headers": {"a": "b" * 101}}], LIMITS),
        ([{**CALL, "headers": {"a": "ä" * 51}}], LIMITS),
        ([{**CALL, "headers": dict.fromkeys("abcd", "x")}], LIMITS),
        ([CALL], LIMITS._replace(most_calls=0)),
    ],
)
def test_what_is_larger_than_a_request_may_be_is_no_call(calls: Any, limits: Limits) -> None:
    with pytest.raises(Refusal, match="bad_request"):
        read(json.dumps({"calls": calls}).encode(), limits=limits)


def test_the_names_of_headers_have_no_case() -> None:
    for name in ("COOKIE", "Cookie", "cookie", "toolwall-KEY", "HOST"):
        with pytest.raises(Refusal, match="bad_request"):
            read(json.dumps({"calls": [{**CALL, "headers": {name: "x"}}]}).encode())


@pytest.mark.parametrize("path", ["/crm?a", "/crm", "/crm/", "/crm/b?c=/hr/d"])
def test_calls_of_one_backend_may_carry_its_credential(path: str) -> None:
    data = json.dumps({"calls": [CALL, {**CALL, "path": path}]}).encode()
    assert len(read(data, (b"Authorization", b"Bearer x"))) == 2


@pytest.mark.parametrize("path", ["/hr/a", "/", "", "/Crm/a", "/crm.x/a", "/%63rm/a", "//crm/a"])
def test_calls_of_several_may_not(path: str) -> None:
    data = json.dumps({"calls": [CALL, {**CALL, "path": path}]}).encode()
    assert len(read(data)) == 2
    for header in ((b"Authorization", b"Bearer x"), (b"Cookie", b"a=b")):
        with pytest.raises(Refusal, match="bad_request"):
            read(data, header)
