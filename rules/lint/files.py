"""What stands in the files themselves, comments included: secrets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from redaction.profiles import kinds_of
from redaction.scanner import Scanner, Unreadable
from rules.lint.findings import Finding, finding

MOST_FILES: Final = 5_000
"""Of one rules folder, schema files included."""

MOST_BYTES: Final = 4 * 1024 * 1024
"""Of one file; the loader refuses larger ones."""

_ENDINGS: Final = frozenset({".yaml", ".yml", ".json"})


def about_files(folder: Path) -> Iterator[Finding]:
    """Where a file seems to hold a secret. The secret itself is in no finding."""
    scanner = Scanner(kinds_of("secrets"))
    for file in _files(folder):
        try:
            data = file.read_bytes()
            text = data.decode("utf-8-sig") if len(data) <= MOST_BYTES else ""
            found = scanner.find(text)
        except (OSError, UnicodeDecodeError, Unreadable):  # the loader tells what cannot be read
            continue
        name = file.relative_to(folder).as_posix()
        for each in found:
            place = name, text.count("\n", 0, each.start) + 1
            yield finding("secret-in-rules", place, name, f"seems to hold a secret: {each.kind}")


def _files(folder: Path) -> list[Path]:
    """Files that rules are read from; names that begin with a dot are skipped at every level."""
    found = []
    for file in sorted(folder.rglob("*")):
        parts = file.relative_to(folder).parts
        if file.suffix.lower() in _ENDINGS and not any(part.startswith(".") for part in parts) and file.is_file():
            found.append(file)
    return found[:MOST_FILES]
