"""Flights: a server knows no id and no token of the client's, and the client none of the server's side."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from proxy.mcp.flights import MOST_GOING_ON, MOST_UNHEARD, MOST_UNHEARD_BYTES, Flights, cancelled
from proxy.mcp.heard import heard
from tests.mcpwire import played

SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"


def message(**members: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **members}).encode()


def asked(id: Any, method: str = "tools/call", **params: Any) -> Any:
    return heard(message(id=id, method=method, params=params))


def test_an_answer_is_of_the_request_whose_number_it_has_and_bears_the_clients_id() -> None:
    flights = Flights()
    first, line = flights.begin(asked("a\u00e9"))
    second, _ = flights.begin(asked("a\u00e9"))
    assert json.loads(line)["id"] == first.number != second.number
    found = flights.answered(heard(message(id=second.number, result={"x": 1})))
    assert found
    assert found[0] is second
    assert json.loads(found[1]) == {"jsonrpc": "2.0", "id": "a\u00e9", "result": {"x": 1}}
    for id in ("a\u00e9", 99, str(first.number), -1):
        assert flights.answered(heard(message(id=id, result={}))) is None
    flights.end(first)
    assert flights.answered(heard(message(id=first.number, result={}))) is None


def test_progress_is_of_the_request_whose_number_is_its_token() -> None:
    flights = Flights()
    flight, line = flights.begin(asked(1, _meta={"progressToken": "p", "other": 1}, name="x"))
    params = json.loads(line)["params"]
    assert params == {"_meta": {"progressToken": flight.number, "other": 1}, "name": "x"}
    told = flights.told(heard(message(method="notifications/progress", params={"progressToken": flight.number})))
    assert told
    assert told[0] is flight
    assert json.loads(told[1])["params"] == {"progressToken": "p"}
    for token in ("p", 77, True, None):
        assert flights.told(heard(message(method="notifications/progress", params={"progressToken": token}))) is None


def test_the_progress_of_what_goes_on_as_a_task_bears_its_token_after_the_answer_too() -> None:
    flights = Flights()
    params = {"_meta": {"progressToken": "p"}, "name": "x"}
    task, _ = flights.begin(asked(1, **params, task={}))
    call, _ = flights.begin(asked(2, **params))
    for flight in (task, call):
        flights.answered(heard(message(id=flight.number, result={"task": {"taskId": "t"}})))
        flights.end(flight)

    def told(token: Any) -> bytes | None:
        return flights.of_nobody(heard(message(method="notifications/progress", params={"progressToken": token})))

    assert json.loads(told(task.number) or b"")["params"] == {"progressToken": "p"}
    assert [told(each) for each in (call.number, "p", 77, True, None)] == [None] * 5
    other = flights.of_nobody(heard(message(id="q", method="ping", params={})))
    assert json.loads(other or b"") == {"jsonrpc": "2.0", "id": "q", "method": "ping", "params": {}}
    for number in range(MOST_GOING_ON):
        more, _ = flights.begin(asked(3 + number, **params, task={}))
        flights.answered(heard(message(id=more.number, result={"task": {}})))
    assert told(task.number) is None


def test_what_a_subscription_hears_names_it_as_the_client_does() -> None:
    flights = Flights()
    flight, _ = flights.begin(asked("sub", "subscriptions/listen"))
    meta = {SUBSCRIPTION: flight.number, "kept": 1}
    told = flights.told(heard(message(method="notifications/tools/list_changed", params={"_meta": meta})))
    assert told
    assert json.loads(told[1])["params"]["_meta"] == {SUBSCRIPTION: "sub", "kept": 1}
    over = flights.told(heard(message(method="notifications/cancelled", params={"requestId": flight.number})))
    assert over
    assert json.loads(over[1])["params"] == {"requestId": "sub"}
    assert flights.told(heard(message(method="notifications/message", params={"data": 1}))) is None


def test_a_request_is_taken_back_by_its_number() -> None:
    flights = Flights()
    flight, _ = flights.begin(asked(7))
    assert flights.of_id(b"7") is flight
    assert flights.of_id(b'"7"') is None
    line = cancelled(flight.number, {"requestId": 7, "reason": "r"})
    assert json.loads(line)["params"] == {"requestId": flight.number, "reason": "r"}


@played
async def test_who_does_not_listen_is_waited_for_and_who_left_is_not() -> None:
    flight, _ = Flights().begin(asked(1))
    for _ in range(MOST_UNHEARD):
        await flight.say(b"x")
    more = asyncio.create_task(flight.say(b"last"))
    await asyncio.sleep(0)
    assert not more.done()
    assert await flight.heard() == b"x"
    await more
    flight.close("gone")
    flight.close("later")
    said = [await flight.heard() for _ in range(MOST_UNHEARD + 1)]
    assert said[-2:] == [b"last", None]
    assert flight.why == "gone"
    await flight.say(b"nobody")
    assert await flight.heard() is None


@played
async def test_what_is_not_listened_to_takes_little_room() -> None:
    flight, _line = Flights().begin(asked(1))
    for _ in range(2):
        await flight.say(b"x" * MOST_UNHEARD_BYTES)  # one alone may be as long as a line
        more = asyncio.create_task(flight.say(b"y"))
        await asyncio.sleep(0)
        assert not more.done()
        assert len(await flight.heard() or b"") == MOST_UNHEARD_BYTES
        await more
        assert await flight.heard() == b"y"
