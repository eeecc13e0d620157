"""Values of several words, of which a text that is not at its end may show the beginning."""

from collections.abc import Iterable
from typing import Final

from redaction.window import BREAK

_LEAST: Final = 8  # bytes by which values are looked up; none is shorter


class Begun:
    """Those of some values in UTF-8 that hold a break, for a text is shown only up to one. Without any it is False."""

    def __init__(self, values: Iterable[bytes]) -> None:
        self._by_head: dict[bytes, list[bytes]] = {}
        self._shorter: set[bytes] = set()
        self._longest = 0
        for value in values:
            if BREAK.search(value.decode("utf-8", "replace")):
                self._by_head.setdefault(value[:_LEAST], []).append(value)
                self._shorter.update(value[:size] for size in range(1, _LEAST))
                self._longest = max(self._longest, len(value))

    def __bool__(self) -> bool:
        return bool(self._by_head)

    def place(self, text: str) -> int:
        """Where that begins with which a text ends and a value begins; its length if it ends with no such thing."""
        data = text.encode("utf-8", "surrogatepass").lower()
        size = len(data)
        for at in range(max(0, size - self._longest + 1), size):
            head = data[at : at + _LEAST]
            some = self._by_head.get(head, ())
            if head in self._shorter or any(len(one) > size - at and one.startswith(data[at:]) for one in some):
                return len(data[:at].decode("utf-8", "surrogatepass"))
        return len(text)
