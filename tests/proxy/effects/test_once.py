"""What follows from what is known of an action: the rules alone, and a thousand ways in which calls can cross."""

from __future__ import annotations

import random
from hashlib import sha256
from itertools import count

import pytest

from proxy.effects.once import Held, State, acting, answered, broken, following, named, sealed, unsealed
from proxy.errors import Refusal
from proxy.record import Record
from proxy.replies.answers import Answer
from rules.once import NOT_DONE

ANSWER = Answer("crm.pay", "c1", 5.0, 0.0, 201, (("a", "b"),), b'{"id":7}\n\x00\xff', ("clean",), {"EMAIL_ADDRESS": 1})


def held(state: State, asked: str = "this", answer: Answer | None = None) -> Held:
    return Held("c1", "c0", asked, 5.0, "run", "rev", state, 201, answer)


@pytest.mark.parametrize(
    ("known", "asked", "next_"),
    [
        (None, "this", "send"),
        (held("done"), "this", "replay"),
        (held("done"), "that", "clash"),
        (held("declined"), "this", "replay"),
        (held("declined"), "that", "send"),
        (held("unknown"), "this", "doubt"),
        (held("unknown"), "that", "clash"),
        (held("again"), "this", "send"),
        (held("again"), "that", "send"),
    ],
)
def test_what_follows(known: Held | None, asked: str, next_: str) -> None:
    assert following(known, asked) == next_


@pytest.mark.parametrize(
    ("status", "state"),
    [(200, "done"), (204, "done"), (303, "done"), (400, "declined"), (404, "declined"), (422, "declined"),
     (408, None), (409, None), (425, None), (429, None), (500, "unknown"), (503, "unknown"), (599, "unknown")],
)  # fmt: skip
def test_what_a_status_says(status: int, state: State | None) -> None:
    assert answered(status, NOT_DONE) == state


def test_a_contract_may_say_which_status_means_that_nothing_was_done() -> None:
    assert answered(503, frozenset({503})) is None
    assert answered(409, frozenset({503})) == "declined"


@pytest.mark.parametrize(
    ("sent", "error", "status", "state"),
    [
        (False, Refusal("internal", executed="unknown"), 0, None),
        (True, Refusal("outcome_unknown", executed="unknown"), 0, "unknown"),
        (True, Refusal("reply_refused", executed="yes"), 200, "done"),
        (True, Refusal("reply_refused", executed="unknown"), 404, "declined"),
        (True, Refusal("reply_refused", executed="unknown"), 500, "unknown"),
        (True, Refusal("timeout", executed="no"), 0, None),
        (True, KeyError("a fault of ours"), 0, "unknown"),
        (True, KeyError("a fault of ours"), 200, "done"),
    ],
)
def test_what_a_call_without_an_answer_leaves(sent: bool, error: Exception, status: int, state: State | None) -> None:
    record = Record("c1", 0)
    record.upstream_status = status
    assert broken(record, sent, error, NOT_DONE) == state


@pytest.mark.parametrize("answer", [None, ANSWER, ANSWER._replace(body=b"")])
def test_what_is_stored_comes_back(answer: Answer | None) -> None:
    assert unsealed(sealed(held("done", answer=answer))) == held("done", answer=answer)


def test_a_name_depends_on_all_its_parts_and_on_where_they_end() -> None:
    def hashed(parts: object) -> str:
        return sha256(repr(parts).encode()).hexdigest()

    names = {named(hashed, parts) for parts in (["ann", "b"], ["an", "nb"], ["ann", "b", ""], ["bob", "b"])}
    assert len(names) == 4
    assert named(hashed, ["ann", "b"]) in names


def test_who_the_backend_takes_the_caller_for_belongs_to_what_is_asked_for() -> None:
    own = ("authorization", "Bearer one")
    assert acting([own]) != acting([("authorization", "Bearer two")])
    assert acting([own, ("if-match", '"1"')]) != acting([own])
    assert acting([own, ("traceparent", "x"), ("content-type", "a/b; boundary=c")]) == acting([own])


class World:
    """Calls of one action that cross in any way, and a backend that counts. Chance says what happens next."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.known: Held | None = None
        self.underway: str | None = None
        self.ids = count(1)
        self.executed = 0

    def step(self) -> None:
        self.chance.choice([self.arrive, self.arrive, self.end, self.crash, self.settle])()

    def arrive(self) -> None:
        if self.underway is None and following(self.known, "this") == "send":
            self.underway = f"c{next(self.ids)}"

    def end(self) -> None:
        """The call under way ends: refused before it was sent, answered with any status, or without an answer."""
        if self.underway is None:
            return
        sent = self.chance.random() < 0.8
        status = self.chance.choice([0, 200, 404, 429, 500]) if sent else 0
        ran = sent and (status == 200 or (status in (0, 500) and self.chance.random() < 0.5))
        self.executed += ran
        record = Record(self.underway, 0)
        record.upstream_status = status
        if status:
            state = answered(status, NOT_DONE)
        else:
            state = broken(record, sent, Refusal("outcome_unknown", executed="unknown"), NOT_DONE)
        self._remember(state)

    def crash(self) -> None:
        """Killed with the intent on disk: it may have been carried out."""
        if self.underway is not None:
            self.executed += self.chance.random() < 0.5
            self._remember("unknown")

    def settle(self) -> None:
        """Somebody found out, truly, what became of it."""
        if self.known is not None and self.known.state == "unknown":
            self.known = self.known._replace(state="done" if self.executed else "again")

    def _remember(self, state: State | None) -> None:
        if state is not None and self.underway is not None:
            self.known = held(state)._replace(call=self.underway)
        self.underway = None


def test_a_thousand_ways_to_cross_and_never_a_second_effect() -> None:
    ended = set()
    for seed in range(1_000):
        world = World(random.Random(seed))
        for _ in range(40):
            world.step()
            assert world.executed <= 1, seed
        ended.add((world.known and world.known.state, world.executed))
    assert {("done", 1), ("declined", 0), ("unknown", 1), ("unknown", 0), ("again", 0)} <= ended
