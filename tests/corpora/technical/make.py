"""Technical text that holds nothing for the profile `standard`: `python -m tests.corpora.technical.make FOLDER`.

Made anew each time: what tools of this machine say now, and the forms of tools that it lacks. A document that holds an
e-mail address, a link with a password or a private key is left out by expressions of its own, not by the product.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from tests.corpora.technical import invented, machine
from tests.corpora.technical.machine import Document

LEAST = 500
"""So many documents there are at least."""

_PERSONAL = re.compile(
    r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}\b(?!:)"  # an address, but not git@host:path
    r"|://[^/\s:@]*:[^/\s@]+@"
    r"|PRIVATE KEY-----"
)


# Sixteen digits in fours, as dumps in hexadecimal show them by chance: with a good checksum that is a card's number.
_FOURS = re.compile(r"\b\d{4}(?: \d{4}){3}\b")


def documents() -> Iterator[Document]:
    """Name and text of each."""
    for name, text in chain(machine.documents(), invented.documents()):
        if text.strip() and not _PERSONAL.search(text) and not any(map(_is_card, _FOURS.findall(text))):
            yield name, text


def _is_card(fours: str) -> bool:
    return invented.is_luhn(fours.replace(" ", ""))


def main(folder: Path) -> None:
    """Write each document into a file."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (_, text) in enumerate(documents()):
        (folder / f"{number:04}.txt").write_text(text, "utf-8", "replace")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
