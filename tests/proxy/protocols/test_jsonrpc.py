"""One JSON-RPC message: what is none, whose id it has, and how messages are written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.errors import Refusal
from proxy.protocols import jsonrpc
from proxy.protocols.jsonrpc import BAD_PARAMS, INVALID, PARSE, Malformed, Message, likened, read
from tests.counts import examples

HEAD = '{"jsonrpc":"2.0",'


def test_the_three_kinds() -> None:
    params = {"name": "x", "arguments": {"a": [1]}}
    data = json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}).encode()
    assert read(data, 64) == Message("request", b"7", "tools/call", params, {})
    assert read(b'{"method":"notifications/initialized","jsonrpc":"2.0"}', 64) == Message(
        "notification", b"", "notifications/initialized", {}, {}
    )
    assert read(b'{"jsonrpc":"2.0","id":"a","result":{"x":1}}', 64).said == {"result": {"x": 1}}
    error = {"code": -32601, "message": "no", "data": [1]}
    assert read(json.dumps({"jsonrpc": "2.0", "id": "a", "error": error}).encode(), 64).said == {"error": error}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", PARSE),
        ("nope", PARSE),
        (HEAD + '"id":1,"method":"ping"', PARSE),
        (HEAD + '"id":1,"id":1,"method":"ping"}', PARSE),
        (HEAD + '"id":1,"method":"x","params":{"a":{"b":1,"b":2}}}', PARSE),
        (HEAD + '"id":1,"method":"x","params":{"a":NaN}}', PARSE),
        (HEAD + '"id":1,"method":"x","params":{"a":1e999}}', PARSE),
        (HEAD + '"id":1,"method":"x","params":{"a":"\\ud800"}}', PARSE),
        ("\ufeff" + HEAD + '"id":1,"method":"ping"}', PARSE),
        ("[" + HEAD + '"id":1,"method":"ping"}]', INVALID),
        ("[]", INVALID),
        ("7", INVALID),
        ("null", INVALID),
        ("{}", INVALID),
        ('{"id":1,"method":"ping"}', INVALID),
        ('{"jsonrpc":"1.0","id":1,"method":"ping"}', INVALID),
        ('{"jsonrpc":2.0,"id":1,"method":"ping"}', INVALID),
        ('{"JSONRPC":"2.0","id":1,"method":"ping"}', INVALID),
        (HEAD + '"id":1,"method":"ping","Method":"tools/call"}', INVALID),
        (HEAD + '"id":1,"method":"ping","\u017fomething":1}', INVALID),
        (HEAD + '"id":1,"method":"ping","extra":1}', INVALID),
        (HEAD + '"id":1,"METHOD":"ping"}', INVALID),
        (HEAD + '"id":1,"method":"ping","result":{}}', INVALID),
        (HEAD + '"id":1,"method":""}', INVALID),
        (HEAD + '"id":1,"method":7}', INVALID),
        (HEAD + '"id":1,"method":"' + "x" * 129 + '"}', INVALID),
        (HEAD + '"id":null,"method":"ping"}', INVALID),
        (HEAD + '"id":1.0,"method":"ping"}', INVALID),
        (HEAD + '"id":1.5,"method":"ping"}', INVALID),
        (HEAD + '"id":1e2,"method":"ping"}', INVALID),
        (HEAD + '"id":true,"method":"ping"}', INVALID),
        (HEAD + '"id":[1],"method":"ping"}', INVALID),
        (HEAD + '"id":{},"method":"ping"}', INVALID),
        (HEAD + '"id":"' + "x" * 255 + '","method":"ping"}', INVALID),
        (HEAD + '"id":' + "1" * 257 + ',"method":"ping"}', INVALID),
        (HEAD + '"id":1,"method":"ping","params":[1]}', BAD_PARAMS),
        (HEAD + '"id":1,"method":"ping","params":null}', BAD_PARAMS),
        (HEAD + '"id":1,"method":"x","params":{"Name":"a"}}', BAD_PARAMS),
        (HEAD + '"id":1,"method":"x","params":{"name":"a","NAME":"b"}}', BAD_PARAMS),
        (HEAD + '"id":1,"method":"x","params":{"_META":{}}}', BAD_PARAMS),
        (HEAD + '"id":1}', INVALID),
        (HEAD + '"result":{}}', INVALID),
        (HEAD + '"id":1,"result":{},"error":{"code":1,"message":"x"}}', INVALID),
        (HEAD + '"id":1,"result":[]}', INVALID),
        (HEAD + '"id":1,"result":null}', INVALID),
        (HEAD + '"id":1,"error":{"code":"1","message":"x"}}', INVALID),
        (HEAD + '"id":1,"error":{"code":true,"message":"x"}}', INVALID),
        (HEAD + '"id":1,"error":{"code":1}}', INVALID),
        (HEAD + '"id":1,"result":{},"params":{}}', INVALID),
    ],
)
def test_what_is_no_message(text: str, code: int) -> None:
    with pytest.raises(Malformed) as no:
        read(text.encode("utf-8"), 64)
    assert (no.value.code, no.value.rpc, no.value.status) == ("bad_request", code, 400)


def test_bad_utf8_is_no_message() -> None:
    with pytest.raises(Malformed) as no:
        read(b'{"jsonrpc":"2.0","id":1,"method":"p\xff"}', 64)
    assert no.value.rpc == PARSE


def test_a_message_that_is_refused_has_its_id_where_it_could_be_read() -> None:
    for text, id in [('"id":"a b","method":7}', b'"a b"'), ('"id":8,"method":"x","params":7}', b"8"), ('"x":1}', b"")]:
        with pytest.raises(Malformed) as no:
            read((HEAD + text).encode(), 64)
        assert no.value.id == id


def test_arguments_have_the_depth_of_the_door() -> None:
    deep = b"[" * 62 + b"]" * 62
    data = b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"arguments":%b}}'
    assert read(data % (b'{"a":{"b":%b}}' % deep), 64).method == "x"
    with pytest.raises(Refusal, match="too_large"):
        read(data % (b'{"a":{"b":[%b]}}' % deep), 64)
    with pytest.raises(Refusal, match="too_large"):
        read(b"[" * 100_000, 64)


@pytest.mark.parametrize(
    "id", ["0", "-0", "-7", "9007199254740993", "18446744073709551617", '""', '"a"', '"\\u0061\\/"', '"ä\\n"', '"{}"']
)
def test_an_id_stays_byte_for_byte(id: str) -> None:
    for data in (
        HEAD + f'"id":{id},"method":"x"}}',
        f'{{ "id" : {id} ,"params":{{"id":"\\u0062","x":"\\\\"}}, "method":"x",\n"jsonrpc":"2.0"}}',
    ):
        message = read(data.encode(), 64)
        assert message.id == id.encode()
        assert jsonrpc.reply(message.id, b'{"result":{}}') == f'{{"jsonrpc":"2.0","id":{id},"result":{{}}}}'.encode()


@given(
    st.one_of(st.integers(-(10**40), 10**40), st.text(max_size=40)),
    st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3),
    st.booleans(),
)
@settings(max_examples=examples(500), deadline=None, database=None)
def test_messages_are_read_as_they_were_written(id: Any, params: dict[str, Any], ascii_only: bool) -> None:
    text = json.dumps(id, ensure_ascii=ascii_only).encode()
    written = jsonrpc.request(text, "x/y", jsonrpc.written({"arguments": params}))
    assert read(written, 64) == Message("request", text, "x/y", {"arguments": params}, {})


@given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
@settings(max_examples=examples(500), deadline=None, database=None)
def test_whatever_comes_is_a_message_or_refused(data: bytes) -> None:
    try:
        message = read(data, 8)
    except Refusal:
        return
    assert message.method or message.said


def test_names_that_readers_take_for_each_other() -> None:
    for name in ("Name", "NAME", "nAmE"):
        assert likened([name], {"name"})
    for name in ("curſor", "CURSOR"):
        assert likened([name], {"cursor"})
    assert likened(["toKen"], {"token"})  # the sign of Kelvin
    assert likened(["urı"], {"uri"})
    assert not likened(["name", "names", "n"], {"name"})


def test_notifications_and_errors() -> None:
    assert jsonrpc.request(b"", "x", b"") == b'{"jsonrpc":"2.0","method":"x","params":{}}'
    assert json.loads(jsonrpc.error(-1, "no")) == {"error": {"code": -1, "message": "no"}}
    assert json.loads(jsonrpc.reply(b"", jsonrpc.error(-1, "no", {"a": 1})))["error"]["data"] == {"a": 1}


def test_large_and_deep_values_are_written() -> None:
    deep: Any = 1
    for _ in range(260):
        deep = [deep]
    for value in (2**64 + 1, {"a": [2**200]}, deep, "ä\u2028"):
        assert json.loads(jsonrpc.written(value)) == value
