"""What may truly be said of a call that did not end well."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from proxy.body import Body
from proxy.errors import CODES, Refusal
from proxy.outcomes import lost, never_sent, not_sent, oversized, unforeseen, unrecorded, whole, withheld
from proxy.record import Record


def record(effect: str = "read", upstream_status: int = 0) -> Record:
    return Record("c1", 0, effect=effect, upstream_status=upstream_status)


@pytest.mark.parametrize(("status", "executed"), [(200, "yes"), (204, "yes"), (302, "yes"), (404, "unknown"),
                                                  (500, "unknown"), (0, "unknown"), (101, "unknown")])  # fmt: skip
def test_an_answer_that_may_not_be_shown(status: int, executed: str) -> None:
    refusal = withheld(record(upstream_status=status), "Why.")
    assert refusal.code == "reply_refused"
    assert refusal.executed == executed
    assert refusal.detail.startswith("The action was carried out; its answer was withheld. ") == (executed == "yes")
    assert refusal.detail.endswith("Why.")


@pytest.mark.parametrize("timed_out", [True, False])
@pytest.mark.parametrize("effect", ["write", "irreversible", "admin"])
def test_an_effect_whose_answer_was_lost_is_neither_done_nor_undone(effect: str, timed_out: bool) -> None:
    refusal = lost(record(effect), timed_out=timed_out, note="n")
    assert (refusal.code, refusal.executed, refusal.retry_after) == ("outcome_unknown", "unknown", None)
    assert CODES[refusal.code].retry == "ask_human"


def test_a_read_whose_answer_was_lost_may_be_repeated() -> None:
    assert lost(record(), timed_out=True, note="").code == "timeout"
    assert lost(record(), timed_out=False, note="").code == "upstream_unreachable"
    assert lost(record(), timed_out=False, note="").retry_after


@pytest.mark.parametrize("code", ["timeout", "upstream_unreachable"])
def test_what_was_never_sent_was_not_executed(code: str) -> None:
    assert not_sent(code, "Why.").executed == "no"


def test_a_body_is_read_to_its_bound_and_closed_on_every_path() -> None:
    closed: list[int] = []

    async def close() -> None:
        closed.append(1)

    async def pieces() -> AsyncGenerator[bytes, None]:
        yield b"12"
        yield b"34"

    assert asyncio.run(whole(record(), Body(pieces(), close), 4)) == b"1234"
    with pytest.raises(Refusal) as caught:
        asyncio.run(whole(record(upstream_status=200), Body(pieces(), close), 3))
    assert caught.value.detail == oversized(record(upstream_status=200), 3).detail
    assert closed == [1, 1]


@pytest.mark.parametrize(("sent", "executed"), [(True, "unknown"), (False, "no")])
def test_our_own_faults_say_whether_something_may_have_happened(sent: bool, executed: str) -> None:
    for said in (unforeseen(sent, "KeyError"), unrecorded(record(), sent)):
        assert (said.code, said.executed) == ("internal", executed)
        assert "KeyError" not in said.detail + said.suggestion


@pytest.mark.parametrize(("status", "executed"), [(201, "yes"), (500, "unknown"), (0, "unknown")])
def test_what_was_sent_and_cannot_be_recorded_is_not_to_be_tried_again(status: int, executed: str) -> None:
    said = unrecorded(record("write", status), sent=True)
    assert (said.code, said.executed, CODES[said.code].retry) == ("reply_refused", executed, "never")
    assert (unrecorded(record("write"), sent=False).code, unrecorded(record("write"), sent=False).executed) == (
        "internal",
        "no",
    )


def test_what_will_never_be_sent_is_not_tried_again() -> None:
    assert never_sent("Not there.", note="n").lasting
    assert not not_sent("timeout", "Late.").lasting
