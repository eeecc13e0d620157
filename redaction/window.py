"""Text that comes in pieces: how much of it can be shown already, and what is to be replaced in that.

What stands near the end may be the beginning of a finding, or be one only with the words that follow. So text is
decided on only so far before its end, and only up to a break between words, for no long finding holds a space: those
that do are shorter than HOLD. What was shown stays as context.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

HOLD: Final = 256
"""Characters at the end that are held back: more than the longest finding of several words and the words behind it."""

_CONTEXT: Final = 256  # characters before, which are looked at again
_CALM: Final = 64  # at the end, without a sign of a finding: then a pause lets it go
BREAK: Final = re.compile(r"[\s\u3000-\u30ff\u3400-\u9fff\uac00-\ud7a3\uff00-\uffef]")
"""Where no long finding goes on: white space, and scripts that are written without it."""

_WORD: Final = re.compile(r"\S+")
_SIGN: Final = re.compile(
    r"[0-9@/\\=+%_\-]"
)  # of a word that may be or begin a finding; so may a long one, or the last
_PLAIN: Final = 19
_OPENING, _CLOSING = "-----BEGIN", "-----END"  # a key (RFC 7468) is many words


class Edit(NamedTuple):
    """What is to stand in the place of a finding, in code points. `made` gives `new` where it is not made before it is
    shown: a text is looked at again and again.
    """

    start: int
    end: int
    new: str
    kind: str
    made: Callable[[], str] | None = None


class Window:
    """One text. `find` gives the edits of a text, in order; `begun` where a text ends with the beginning of a value
    that may be longer than HOLD, its length if it does not.
    """

    def __init__(self, find: Callable[[str], list[Edit]], begun: Callable[[str], int] = len) -> None:
        self.done = 0
        """How many characters are decided on."""
        self.size = 0
        """How many characters came."""
        self._find = find
        self._begun = begun
        self._before = ""
        self._pieces: list[str] = []
        self._broken = False  # a break came since the last look
        self._enough = 0  # how much must be held before it is worth a look

    def add(self, text: str) -> None:
        """The text goes on."""
        self._pieces.append(text)
        self.size += len(text)
        self._broken = self._broken or BREAK.search(text) is not None

    @property
    def held(self) -> str:
        """The text that is not decided on."""
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""

    def flow(self) -> tuple[str, list[Edit]]:
        """What can be shown by now, and its edits; places count from the beginning of the whole text."""
        size = self.size - self.done
        if not self._broken or size <= max(HOLD, self._enough):
            return "", []
        text = self.held
        cut = _last_break(text, size - HOLD)
        return self._decide(text, cut) if cut else self._wait(size)

    def pause(self) -> tuple[str, list[Edit]]:
        """The same where nothing came for a while: all but what may be the beginning of a finding."""
        text = self.held
        return self._decide(text, _calm(text)) if text else ("", [])

    def close(self) -> tuple[str, list[Edit]]:
        """All the rest."""
        return self._show(text, len(text), self._looked(text)) if (text := self.held) else ("", [])

    def _decide(self, text: str, cut: int) -> tuple[str, list[Edit]]:
        key = text.rfind(_OPENING)
        if key >= 0 and text.find(_CLOSING, key) < 0:
            cut = min(cut, key)
        cut = self._begun(text[:cut])
        edits = self._looked(text)
        for edit in reversed(edits):
            if edit.start < cut < edit.end:
                cut = edit.start
        if cut <= 0:
            return self._wait(len(text))
        return self._show(text, cut, [edit for edit in edits if edit.end <= cut])

    def _wait(self, size: int) -> tuple[str, list[Edit]]:
        # Else a long text of one word would be read again with each piece.
        self._enough = 2 * size if size > 4 * HOLD else 0
        return "", []

    def _looked(self, text: str) -> list[Edit]:
        first = len(self._before)
        edits = (edit._replace(start=max(0, edit.start - first), end=edit.end - first) for edit in
                 self._find(self._before + text))  # fmt: skip
        return [edit for edit in edits if edit.end > 0]

    def _show(self, text: str, cut: int, edits: list[Edit]) -> tuple[str, list[Edit]]:
        first = self.done
        self.done += cut
        self._before = (self._before + text[:cut])[-_CONTEXT:]
        self._pieces = [text[cut:]]
        self._enough = 0
        self._broken = BREAK.search(self._pieces[0]) is not None
        return text[:cut], [_shown(edit, first) for edit in edits]


def _shown(edit: Edit, first: int) -> Edit:
    new = edit.made() if edit.made else edit.new
    return Edit(edit.start + first, edit.end + first, new, edit.kind)


def _last_break(text: str, limit: int) -> int:
    """Just behind the last break that ends before `limit`; 0 if there is none."""
    for first in (max(0, limit - 1024), 0):
        places = [found.end() for found in BREAK.finditer(text, first, limit)]
        if places:
            return places[-1]
    return 0


def _calm(text: str) -> int:
    """Where the first of the last words stands that may be, or begin, a finding."""
    first = size = len(text)
    for word in reversed([*_WORD.finditer(text, _last_break(text, max(0, size - HOLD)))]):
        if word.end() == size or len(word[0]) > _PLAIN or _SIGN.search(word[0]):
            first = word.start()
        elif word.end() < size - _CALM:
            break
    return first
