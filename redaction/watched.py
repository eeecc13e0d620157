"""Known secrets during the look at one answer: what is taken out is the same, and whose it was is remembered."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from redaction.finding import Span
from redaction.known import Known
from redaction.pointers import Path
from redaction.scanner import Cleaned, Unreadable
from redaction.window import Edit

_Text = TypeVar("_Text", str, bytes)


class Watched:
    """Cleans as `known` does. `tags` are those of what was seen so far, also of what could not be taken out."""

    needs_presidio = False

    def __init__(self, known: Known) -> None:
        self._known = known
        self.tags: set[str] = set()

    def spared(self, data: str, path: Path) -> frozenset[str]:
        """Nothing."""
        return self._known.spared(data, path)

    def edits(self, text: str, left: frozenset[str] = frozenset()) -> list[Edit]:
        """See Known."""
        if found := self._known.edits(text, left):
            self._saw(text)
        return found

    def begun(self, text: str) -> int:
        """See Known."""
        return self._known.begun(text)

    def text(self, text: str) -> str:
        """See Known."""
        if (cleaned := self._known.text(text)) != text:
            self._saw(text)
        return cleaned

    def clean_text(self, text: str) -> Cleaned[str]:
        """See Known."""
        return self._look(text, self._known.clean_text)

    def clean_json(self, text: str, written: Sequence[Span] = ()) -> Cleaned[str]:
        """See Known."""
        return self._look(text, self._known.clean_json)

    def clean(self, body: bytes, media_type: str, charset: str | None) -> Cleaned[bytes]:
        """See Known."""
        return self._look(body, lambda body: self._known.clean(body, media_type, charset))

    def _look(self, data: _Text, way: Callable[[_Text], Cleaned[_Text]]) -> Cleaned[_Text]:
        try:
            cleaned = way(data)
        except Unreadable:
            self._saw(data)
            raise
        if cleaned.counts:
            self._saw(data)
        return cleaned

    def _saw(self, data: str | bytes) -> None:
        self.tags |= self._known.whose(data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data)
