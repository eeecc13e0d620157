"""Answers about names, kept: the same names come again and again, but a stranger may send any number, of any length."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LONGEST = 128
"""Characters of a name whose answer is kept. Longer ones are asked about anew: they are no names of an API."""


class Kept(dict[str, T]):
    """The answers of a function about the last names, at most `most`. `kept[name]` asks where it does not know."""

    def __init__(self, ask: Callable[[str], T], most: int) -> None:
        super().__init__()
        self._ask = ask
        self._most = most

    def __missing__(self, name: str) -> T:
        answer = self._ask(name)
        if len(name) <= LONGEST:
            if len(self) >= self._most:
                self.clear()
            self[name] = answer
        return answer
