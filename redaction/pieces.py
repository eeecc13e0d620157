"""A long text in pieces that overlap, so that a name at the border of one stands whole in another."""

from collections.abc import Iterator

_BREAKS = " \t\n\r"
_MOST_BACK = 40
"""How far back from the end of a piece a gap between words is looked for."""


def pieces(text: str, size: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Where each piece starts and ends: at most `size` characters, whatever the text, and together the whole text.

    Each begins at least `overlap` characters before the one before it ends. They end between words where there is a
    gap. `overlap` is less than half of `size`.
    """
    start = 0
    while True:
        end = _end(text, start + size) if start + size < len(text) else len(text)
        yield start, end
        if end == len(text):
            return
        start = max(start + 1, _start(text, end - overlap))


def _end(text: str, most: int) -> int:
    gap = max(text.rfind(each, most - _MOST_BACK, most) for each in _BREAKS)
    return gap if gap > 0 else most


def _start(text: str, most: int) -> int:
    gap = max(text.rfind(each, max(0, most - _MOST_BACK), most) for each in _BREAKS)
    return gap + 1 if gap > 0 else most
