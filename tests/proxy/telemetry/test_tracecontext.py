from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.telemetry.tracecontext import MOST_MEMBERS, MOST_STATE, Parent, inside, parse

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01"


def test_a_valid_header_gives_ids_and_flags() -> None:
    assert parse(GOOD, None) == Parent(TRACE, SPAN, 1)


@pytest.mark.parametrize(("flags", "sampled"), [("00", False), ("01", True), ("02", False), ("03", True), ("ff", True)])
def test_the_sampled_bit_is_read_alone(flags: str, sampled: bool) -> None:
    parent = parse(GOOD[:-2] + flags, None)
    assert parent is not None
    assert parent.sampled is sampled


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "garbage",
        GOOD.upper(),
        " " + GOOD,
        GOOD + " ",
        GOOD + "\n",
        GOOD + "-extra",
        GOOD + "-",
        GOOD[:-1],
        GOOD.replace("-", "_"),
        f"ff-{TRACE}-{SPAN}-01",
        f"0-{TRACE}-{SPAN}-01",
        f"0g-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}0-{SPAN}-01",
        f"00-{TRACE[:-1]}g-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0x",
        f"00-{TRACE[:-1]}٣-{SPAN}-01",
        f"{GOOD},{GOOD}",
        f"01-{TRACE}-{SPAN}-01.what",
        f"01-{TRACE}-{SPAN}-01-" + "x" * 500,
    ],
)
def test_garbage_is_no_parent(header: str | None) -> None:
    assert parse(header, "vendor=1") is None


def test_a_later_version_may_be_longer_and_is_passed_on_as_version_00() -> None:
    parent = parse(f"cc-{TRACE}-{SPAN}-01-what-comes", None)
    assert parent is not None
    assert parent.headers() == {"traceparent": GOOD}


def test_flags_that_we_do_not_know_are_not_passed_on() -> None:
    parent = parse(f"00-{TRACE}-{SPAN}-ff", None)
    assert parent is not None
    assert parent.headers()["traceparent"].endswith("-03")


@pytest.mark.parametrize(
    "state",
    ["rojo=00f067aa0ba902b7", "rojo=1,congo=t61rcWkgMzE", "tenant@vendor=a b", "a=1, ,b=2", "a=1 ,\tb=2", "0a_-*/=~"],
)
def test_a_valid_tracestate_is_passed_on_as_it_came(state: str) -> None:
    parent = parse(GOOD, state)
    assert parent is not None
    assert parent.headers() == {"traceparent": GOOD, "tracestate": state}


@pytest.mark.parametrize(
    "state",
    [
        "",
        ",",
        "novalue",
        "a=",
        "=1",
        "A=1",
        "a=1;b=2\x00",
        "a=1\r\nX-Evil: 1",
        "a=b=c",
        "a=ü",
        "a=1,a=2",
        "@vendor=1",
        "a@=1",
        "k" * 257 + "=1",
        "a=" + "v" * 257,
        ",".join(f"k{n}=1" for n in range(MOST_MEMBERS + 1)),
        "a=" + "v" * 250 + ",b=" + "v" * 250 + ",c=" + "v" * MOST_STATE,
    ],
)
def test_a_bad_tracestate_is_dropped_and_the_parent_kept(state: str) -> None:
    assert parse(GOOD, state) == Parent(TRACE, SPAN, 1)


def test_the_largest_tracestate_within_bounds_is_kept() -> None:
    state = ",".join(f"k{n}=1" for n in range(MOST_MEMBERS))
    parent = parse(GOOD, state)
    assert parent is not None
    assert parent.state == state


@given(st.text(max_size=80), st.text(max_size=600))
def test_whatever_comes_is_parsed_or_ignored(header: str, state: str) -> None:
    found = parse(header, state)
    assert found is None or found.headers()["traceparent"][3:55] == header[3:55]
    kept = parse(GOOD, state)
    assert kept is not None
    assert kept.state in ("", state)
    assert "\n" not in kept.state


@pytest.mark.parametrize(
    "message",
    [
        b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{"a":1},"b":2}}',
        b'{"jsonrpc":"2.0","id":"\\"\\\\","method":"x/y","params":{"_meta":{}}}',
        b'{"jsonrpc":"2.0","method":"x","params":{"_meta":{"a":{}}}}',
    ],
)
def test_a_message_says_where_it_is_in_its_trace(message: bytes) -> None:
    said = {"traceparent": "00-a", "tracestate": 'a="\\'}
    before, after = json.loads(message), json.loads(inside(message, said))
    assert after["params"].pop("_meta") == {**before["params"].pop("_meta"), **said}
    assert after == before
    assert inside(message, {}) == message


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b'{"jsonrpc":"2.0","id":1,"result":{"a":1,"params":{"_meta":{}}}}',
        b'{"jsonrpc":"2.0","id":",\\"method\\":","result":{"method":"x","params":{"_meta":{}}}}',
        b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":{"_meta":{}}}}',
    ],
)
def test_no_other_message_is_touched(message: bytes) -> None:
    assert inside(message, {"traceparent": "00-a"}) == message
