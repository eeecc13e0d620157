"""Names: readable ones for tools, arguments and schema files, each unique where it stands."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

MOST_NAME: Final = 64
"""Characters of a name: what rules files allow."""

MOST_TOOL: Final = 48
"""Characters of a tool's short name: with its backend in front it fits the 64 that providers of models allow."""

_ODD: Final = re.compile(r"[^A-Za-z0-9]+")
_WORD: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")


class Unique:
    """Gives each name once; a second bearer gets a number. Case does not tell names apart (file systems)."""

    def __init__(self, most: int = MOST_NAME, taken: Iterable[str] = ()) -> None:
        self._most = most
        self._taken = {name.casefold() for name in taken}
        self._counts: dict[str, int] = {}

    def name(self, wanted: str) -> str:
        """The wanted name, or the next free one."""
        name = _cut(wanted, self._most)
        count = self._counts.get(wanted.casefold(), 2)
        while name.casefold() in self._taken:
            name = f"{_cut(wanted, self._most - len(str(count)) - 1)}_{count}"
            count += 1
        self._counts[wanted.casefold()] = count
        self._taken.add(name.casefold())
        return name


def _cut(name: str, most: int) -> str:
    """A name that is short enough, cut between words where one is near."""
    if len(name) <= most:
        return name
    cut = name[:most]
    end = max(cut.rfind("_"), cut.rfind("-"))
    return (cut[:end] if end > most // 2 else cut).rstrip("_-.")


def without_call(operation_id: str, method: str, path: str) -> str:
    """An operation's id without the path and method that FastAPI writes behind the function's name."""
    behind = re.sub(r"\W", "_", path) + f"_{method.lower()}"
    return operation_id.removesuffix(behind) or operation_id


def tool_name(operation_id: str, method: str, path: str) -> str:
    """A tool's name from the operation's own, else from method and path: `GET /pets/{id}` is `get_pets_id`."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", operation_id.strip())
    name = re.sub(r"_{2,}", "_", name).strip("_-")
    if not re.search("[A-Za-z]", name):
        name = _ODD.sub("_", f"{method.lower()}_{path}").strip("_")
    return name if name[0].isalpha() else f"{method.lower()}_{name}"


def backend_name(title: str) -> str:
    """A backend's name from a title or a file name."""
    bare = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    name = _ODD.sub("_", bare.lower()).strip("_")
    name = name if name[:1].isalpha() else f"api_{name}".rstrip("_")
    return _cut(name, MOST_NAME - MOST_TOOL)


def argument_name(wire: str) -> str:
    """An argument's name from its name on the wire: letters, digits, `_`, `-` and `.` stay."""
    if re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", wire):
        return wire
    return _cut(re.sub(r"[^A-Za-z0-9_.-]+", "_", wire).strip("_.-"), MOST_NAME) or "value"


def file_name(name: str) -> str:
    """A schema file's name without its ending: what a URL and every file system can hold."""
    return _cut(re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("_.-") or "schema", MOST_NAME)


def words(text: str) -> list[str]:
    """The words of a name, in lower case: `getUserByID` is get, user, by, id."""
    return [word.lower() for word in _WORD.findall(text)]


def word_set(text: str) -> frozenset[str]:
    """Words that stand in one text, for lists that people keep."""
    return frozenset(text.split())
