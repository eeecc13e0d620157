"""What a server says, read strictly."""

from __future__ import annotations

import pytest

from proxy.mcp.heard import Untrue, body_of, heard, same_id, status_of

GOOD = b'{"jsonrpc":"2.0","id":1,"result":{"a":12345678901234567890,"b":1.50}}'

CODES = (
    (-32601, 404),
    (-32002, 404),
    (-32600, 400),
    (-32602, 400),
    (-32020, 400),
    (-32022, 400),
    (-32603, 500),
    (-32700, 500),
    (1, 500),
)


def test_an_answer_keeps_every_byte_of_what_it_says() -> None:
    said = heard(b" " + GOOD + b"\n")
    assert (said.kind, said.id) == ("result", b"1")
    assert body_of(said) == b'{"result":{"a":12345678901234567890,"b":1.50}}'


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (GOOD, 200),
        (b'{"jsonrpc":"2.0","id":1,"result":{"isError":true}}', 400),
        (b'{"jsonrpc":"2.0","id":1,"result":{"isError":"true"}}', 200),
        (b'{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required"}}', 425),
        (b'{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete"}}', 200),
        *((b'{"jsonrpc":"2.0","id":1,"error":{"code":%d,"message":""}}' % code, status) for code, status in CODES),
    ],
)
def test_an_answer_counts_as_a_status(data: bytes, status: int) -> None:
    assert status_of(heard(data)) == status


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"[" + GOOD + b"]",
        b"null",
        GOOD[:-1],
        GOOD.replace(b"2.0", b"2"),
        GOOD.replace(b'"id":1', b'"id":1.0'),
        GOOD.replace(b'"id":1', b'"id":true'),
        GOOD.replace(b'"id":1', b'"id":{}'),
        GOOD.replace(b'"id":1', b'"id":"%b"' % (b"x" * 300)),
        GOOD.replace(b'"id":1', b'"id":1,"id":1'),
        GOOD.replace(b"1.50", b"Infinity"),
        b'{"jsonrpc":"2.0","id":null,"method":"ping"}',
        b'{"jsonrpc":"2.0","method":7}',
        b'{"jsonrpc":"2.0","method":"ping","params":[]}',
        b'{"jsonrpc":"2.0","method":"ping","result":{}}',
        b'{"jsonrpc":"2.0","id":1,"error":{"code":true,"message":""}}',
        b'{"jsonrpc":"2.0","id":1,"error":"no"}',
    ],
)
def test_what_could_be_read_in_two_ways_is_untrue(data: bytes) -> None:
    with pytest.raises(Untrue):
        heard(data)


@pytest.mark.parametrize(
    "data",
    [
        b'{"jsonrpc":"2.0","id":1,"result":{"content":[],"%b":1}}' % name
        for name in (b"Content", b"StructuredContent", b"iserror", b"ISERROR", b"_META", b"Tools", b"tool\\u017f")
    ]
    + [
        b'{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"","%b":1}}' % name
        for name in (b"Code", b"Message", b"DATA")
    ]
    + [
        b'{"jsonrpc":"2.0","method":"notifications/message","params":{"%b":1}}' % name
        for name in (b"Data", b"URI", b"ProgressToken", b"Messages")
    ],
)
def test_a_name_that_some_readers_take_for_another_is_untrue(data: bytes) -> None:
    with pytest.raises(Untrue):
        heard(data)


def test_a_name_that_is_only_like_nothing_known_stays() -> None:
    for name in ("contents2", "Result", "x-Content", "example.com/Content"):
        assert heard(b'{"jsonrpc":"2.0","id":1,"result":{"%b":1}}' % name.encode()).value == {name: 1}


def test_a_message_is_a_request_or_a_notification() -> None:
    asked = heard(b'{"jsonrpc":"2.0","id":"a","method":"ping"}')
    assert (asked.kind, asked.id, asked.method, asked.body) == ("request", b'"a"', "ping", b"{}")
    told = heard(b'{"jsonrpc":"2.0","method":"notifications/message","params":{"a": 1}}')
    assert (told.kind, told.id, told.body, told.value) == ("notification", b"", b'{"a": 1}', {"a": 1})


def test_ids_are_the_same_by_value_and_type() -> None:
    assert same_id(b'"a"', b'"\\u0061"')
    assert same_id(b"7", b"7")
    for other in (b'"7"', b"8", b""):
        assert not same_id(b"7", other)
    assert not same_id(b"1", b"true")
