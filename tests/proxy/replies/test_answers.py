"""Answers that are kept, without a call."""

from __future__ import annotations

import pytest

from proxy.replies.answers import LARGEST_SHARE, OWN_BYTES, Answer, AnswerBounds, Answers


def answer(tool: str = "crm.get", at: float = 0.0, lasts: float = 60.0, body: bytes = b"{}") -> Answer:
    return Answer(tool, "c1", at, lasts, 200, (("a", "b"),), body, ("clean",), {})


def test_it_is_there_until_its_time_is_over() -> None:
    answers = Answers()
    key = answers.key("crm.get", b"1")
    answers.put(key, answer(at=10.0, lasts=5.0))
    assert answers.get(key, 14.9) is not None
    assert answers.get(key, 15.0) is None
    assert (len(answers), answers.size) == (0, 0)


def test_what_was_given_longest_ago_goes_first() -> None:
    answers = Answers(AnswerBounds(most_answers=2))
    keys = [answers.key("crm.get", bytes([number])) for number in range(3)]
    answers.put(keys[0], answer())
    answers.put(keys[1], answer())
    assert answers.get(keys[0], 0.0)
    answers.put(keys[2], answer())
    assert [answers.get(key, 0.0) is not None for key in keys] == [True, False, True]
    assert answers.counts["dropped"] == 1


def test_bytes_are_bounded_and_none_drives_out_all_others() -> None:
    room = 20 * OWN_BYTES
    answers = Answers(AnswerBounds(most_bytes=room))
    for number in range(100):
        answers.put(answers.key("crm.get", bytes([number])), answer(body=b"x" * 500))
        assert answers.size <= room
    before = len(answers)
    answers.put(answers.key("crm.get", b"large"), answer(body=b"x" * (room // LARGEST_SHARE)))
    assert len(answers) == before


def test_an_answer_in_the_place_of_another_counts_once() -> None:
    answers = Answers()
    key = answers.key("crm.get", b"1")
    answers.put(key, answer(body=b"x" * 100))
    answers.put(key, answer())
    assert (len(answers), answers.size) == (1, answer().size)


@pytest.mark.parametrize("cleared", [False, True])
def test_what_was_asked_before_its_tool_was_invalidated_is_neither_found_nor_kept(cleared: bool) -> None:
    answers = Answers()
    key, other = answers.key("crm.get", b"1"), answers.key("crm.list", b"1")
    answers.put(key, answer())
    answers.put(other, answer("crm.list"))
    answers.clear() if cleared else answers.invalidate(["crm.get"])
    answers.put(key, answer())
    assert answers.get(key, 0.0) is None
    assert answers.key("crm.get", b"1") != key
    assert (answers.get(other, 0.0) is None) is cleared
