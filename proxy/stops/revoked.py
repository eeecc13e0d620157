"""What is revoked, as a file of the state folder: it holds over a restart, and while no sidecar runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from proxy.replacing import Busy, alone, replace_file
from proxy.state import StateError, state_folder
from proxy.stops.halts import Mark
from rules.facts import MOST_ID

NAME: Final = "revoked.json"
MOST_MARKS: Final = 10_000
MOST_BYTES: Final = 8 * 1024 * 1024
_NAMES: Final = frozenset({"principal", "run", "at", "unnamed"})


class RevokedError(Exception):
    """The file cannot be used, or cannot be changed. The text says why and what to do."""


class Entry(NamedTuple):
    """One line of it. `unnamed`: the caller gave its run no name, so that after a restart nothing but this tells that
    its calls belong to it."""

    mark: Mark
    at: str = ""
    unnamed: bool = False

    def said(self) -> dict[str, Any]:
        """As it is written."""
        said = {"principal": self.mark.principal, "run": self.mark.run, "at": self.at, "unnamed": self.unnamed}
        return {name: value for name, value in said.items() if value}


def read(state: Path) -> tuple[Entry, ...]:
    """All that is revoked. Raises RevokedError: what cannot be read is not nothing."""
    path = state / NAME
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise RevokedError(f"{path} cannot be read: {error.strerror}") from None
    try:
        if len(data) > MOST_BYTES:
            raise ValueError
        entries = tuple(_entry(each) for each in json.loads(data)["revoked"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise RevokedError(
            f"{path} is not what `toolwall runs revoke` writes: mend it, or remove it, then nothing is revoked any more"
        ) from None
    return entries


def _entry(said: Mapping[str, Any]) -> Entry:
    texts = [said.get(name, "") for name in ("principal", "run", "at")]
    unnamed = said.get("unnamed", False)
    right = all(isinstance(text, str) and len(text) <= MOST_ID for text in texts) and isinstance(unnamed, bool)
    if not right or not said.keys() <= _NAMES or not (texts[0] or texts[1]):
        raise ValueError
    return Entry(Mark(texts[0], texts[1]), texts[2], unnamed)


def change(state: Path, make: Callable[[tuple[Entry, ...]], tuple[Entry, ...]]) -> tuple[Entry, ...]:
    """Change what is revoked; nobody else does meanwhile. Raises RevokedError."""
    try:
        with alone(state_folder(state)):
            entries = make(read(state))
            if len(entries) > MOST_MARKS:
                raise RevokedError(f"{MOST_MARKS} runs are revoked, and no more fit in: `toolwall runs allow` some")
            text = json.dumps({"revoked": [each.said() for each in entries]}, ensure_ascii=False, indent=1)
            replace_file(state / NAME, text.encode("utf-8") + b"\n")
            return entries
    except (Busy, StateError) as error:
        raise RevokedError(str(error)) from None
    except UnicodeEncodeError:
        raise RevokedError("a name cannot be written") from None
    except OSError as error:
        raise RevokedError(f"{state / NAME} cannot be written: {error.strerror}") from None


def revoke(state: Path, mark: Mark, at: str) -> bool:
    """Whether it was not revoked before. Raises RevokedError."""
    known: list[bool] = []

    def make(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
        known.append(any(each.mark == mark for each in entries))
        return entries if known[0] else (*entries, Entry(mark, at))

    change(state, make)
    return not known[0]


def allow(state: Path, mark: Mark) -> tuple[Mark, ...]:
    """Take back what was revoked: all that is said of a run, or of a principal and none of its runs, or of both. What
    was taken back. Raises RevokedError.
    """
    gone: list[Mark] = []

    def make(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
        gone.extend(each.mark for each in entries if _meant(each.mark, mark))
        return tuple(each for each in entries if each.mark not in gone)

    change(state, make)
    return tuple(gone)


def _meant(known: Mark, mark: Mark) -> bool:
    return known.run == mark.run and (known.principal == mark.principal or not mark.principal)
