"""One thing that a review found, and where."""

from __future__ import annotations

from dataclasses import dataclass

from rules.lint.kinds import KINDS, LEVELS, Kind, Level


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """`id` is a key of KINDS. `about` is the tool, rule, backend or caller; `what` says what is the matter with it.

    `file` is relative to the rules folder and empty where it is about the whole; `line` counts from 1. `edit`
    replaces the general advice of the kind, `level` its gravity.
    """

    file: str
    line: int
    id: str
    about: str
    what: str
    edit: str = ""
    level: Level = "note"

    @property
    def kind(self) -> Kind:
        """The question behind it."""
        return KINDS[self.id]

    @property
    def advice(self) -> str:
        """The edit that mends it."""
        return self.edit or self.kind.edit

    @property
    def text(self) -> str:
        """What is the matter, with whom."""
        return f"{self.about} {self.what}".strip()

    @property
    def place(self) -> str:
        """`file:line`, or nothing."""
        return f"{self.file}:{self.line}" if self.file else ""

    @property
    def rank(self) -> int:
        """0 for the gravest level."""
        return LEVELS.index(self.level)


def finding(
    id: str, place: tuple[str, int], about: str, what: str, edit: str = "", level: Level | None = None
) -> Finding:
    """A finding of a kind, as grave as the kind is unless `level` says otherwise. Texts from files become one line."""
    about, what, edit = (" ".join(text.splitlines()) for text in (about, what, edit))
    return Finding(*place, id, about, what, edit, level or KINDS[id].level)
