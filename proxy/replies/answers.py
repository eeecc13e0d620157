"""Answers that are kept to be given again: cleaned replies in memory, bounded in number and bytes."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from proxy.model import Result
from proxy.record import Record

OWN_BYTES = 1_000
"""What keeping one answer costs besides its text, roughly."""

LARGEST_SHARE = 8
"""An answer larger than this part of the room is not kept: it would drive out all others."""


@dataclass(frozen=True, slots=True)
class AnswerBounds:
    """Of all answers that are kept: their number, and their bytes."""

    most_answers: int = 10_000
    most_bytes: int = 64 << 20


class Answer(NamedTuple):
    """A reply as it left the guards, and what its Record says of it. `call` is the id of the call that it answered,
    `kept_at` when, on the clock of whoever keeps it; `checks` are those that ran for it.
    """

    tool: str
    call: str
    kept_at: float
    lasts_s: float
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    checks: tuple[str, ...]
    redactions: Mapping[str, int]

    @classmethod
    def of(
        cls, tool: str, record: Record, result: Result, before: int, at: float, lasts_s: float = 0.0
    ) -> Answer | None:
        """A whole answer that passed every check; None for others. `before` checks of its Record ran for other ends."""
        if result.body.whole is None or record.passed_unchecked:
            return None
        checks, headers = tuple(record.checks[before:]), tuple(result.headers)
        told = dict(record.redactions)
        return cls(tool, record.call, at, lasts_s, result.status, headers, result.body.whole, checks, told)

    @property
    def size(self) -> int:
        return OWN_BYTES + len(self.body) + sum(len(name) + len(value) for name, value in self.headers)


def replayed(call: str, at: float) -> str:
    """The header of an answer that is given again: the call that it answered, and when, in seconds since the epoch."""
    return f'{call};at="{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"'


Key = tuple[str, bytes, int]


class Answers:
    """The answers, those that were given longest ago first to go. `counts` says how often what happened to them."""

    def __init__(self, bounds: AnswerBounds | None = None) -> None:
        self.counts: Counter[str] = Counter(hit=0, miss=0, joined=0, stale=0, dropped=0, invalidated=0)
        self.size = 0
        self._bounds = bounds or AnswerBounds()
        self._answers: OrderedDict[Key, Answer] = OrderedDict()
        self._turns: Counter[str] = Counter()
        self._clearings = 0

    def __len__(self) -> int:
        return len(self._answers)

    def key(self, tool: str, call: bytes) -> Key:
        """The place of an answer. What was asked before its tool was invalidated is never found after it."""
        return tool, call, self._turn(tool)

    def _turn(self, tool: str) -> int:
        return self._turns[tool] + self._clearings

    def get(self, key: Key, now: float) -> Answer | None:
        """The answer that is kept there, if it has not outlived all its uses. `now` is in monotonic seconds."""
        answer = self._answers.get(key)
        if answer is None:
            return None
        if now - answer.kept_at >= answer.lasts_s:
            self._drop(key)
            return None
        self._answers.move_to_end(key)
        return answer

    def put(self, key: Key, answer: Answer) -> None:
        """Keep an answer, unless it is too large, or its tool was invalidated since it was asked for."""
        if answer.size * LARGEST_SHARE > self._bounds.most_bytes or key[2] != self._turn(answer.tool):
            return
        if key in self._answers:
            self._drop(key)
        self._answers[key] = answer
        self.size += answer.size
        while self.size > self._bounds.most_bytes or len(self._answers) > self._bounds.most_answers:
            self._drop(next(iter(self._answers)))
            self.counts["dropped"] += 1

    def forget(self, key: Key) -> None:
        """Forget one answer."""
        if key in self._answers:
            self._drop(key)

    def invalidate(self, tools: Iterable[str]) -> None:
        """Forget all answers of these tools, also those that are on their way."""
        gone = frozenset(tools)
        self._turns.update(gone)
        self._forget(gone)

    def clear(self) -> None:
        """Forget everything."""
        self._clearings += 1
        self._forget({answer.tool for answer in self._answers.values()})

    def _forget(self, tools: Collection[str]) -> None:
        gone = [key for key, answer in self._answers.items() if answer.tool in tools]
        for key in gone:
            self._drop(key)
        self.counts["invalidated"] += len(gone)

    def _drop(self, key: Key) -> None:
        self.size -= self._answers.pop(key).size
