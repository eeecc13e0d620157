"""What a folder looks like from outside, so that a change in it is noticed without reading its files.

Looking is cheap and works everywhere: notifications of the kernel have limits per user, do not cross network file
systems, and tell of a ConfigMap's swap (a symlink that is renamed over another) in ways of their own.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

MOST_ENTRIES = 50_000
"""Files and folders that are looked at: the largest public API descriptions make some thousands."""


class TooMany(Exception):
    """The folder holds more than can be watched. The text says so."""


def signature(folder: Path) -> bytes:
    """A digest that changes when a file below `folder` is written, replaced, added, removed or made unreadable.

    Like the loader it skips names that begin with a dot and follows symlinks, each real folder once: where `..data`
    is swapped, what the visible names lead to is another file. What cannot be looked at has its error as its look.
    Raises TooMany.
    """
    digest = hashlib.blake2b(digest_size=16)
    for count, line in enumerate(_lines(str(folder))):
        if count >= MOST_ENTRIES:
            raise TooMany(f"holds more than {MOST_ENTRIES} files and folders")
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.digest()


def _lines(top: str) -> Iterator[str]:
    """One line for each thing in the folder, in an order that depends on names only."""
    seen: set[tuple[int, int]] = set()
    todo = [top]
    while todo:
        here = todo.pop()
        try:
            place = os.stat(here)
            names = sorted(name for name in os.listdir(here) if not name.startswith("."))
        except OSError as error:
            yield f"{here}\0{error.errno}\n"
            continue
        if (place.st_dev, place.st_ino) not in seen:
            seen.add((place.st_dev, place.st_ino))
            for name in names:
                path = f"{here}/{name}"
                line, is_folder = _look(path)
                yield line
                if is_folder:
                    todo.append(path)


def _look(path: str) -> tuple[str, bool]:
    """One thing's line, and whether it is a folder. The time of the last change of its state tells also of an edit that
    put the old time of writing back. Of a folder only its place counts: what lies in it has lines of its own.
    """
    try:
        found = os.stat(path)
    except OSError as error:
        return f"{path}\0{error.errno}\n", False
    if stat.S_ISDIR(found.st_mode):
        return f"{path}\0{found.st_dev} {found.st_ino}\n", True
    look = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_mode)
    return f"{path}\0{look}\n", False
