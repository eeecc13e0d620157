"""How arguments travel: their places, their names and styles there, and the slots of the caller's own credential."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from rules.kinds import TEXT, Kind

Place = Literal["path", "query", "header", "cookie", "body"]
Style = Literal["simple", "label", "matrix", "form", "spaceDelimited", "pipeDelimited", "deepObject", "json"]
"""The styles of OpenAPI 3.1 (4.8.12.2), and `json` for a value that is JSON text."""

JSON_TYPE = "application/json"
FORM_TYPE = "application/x-www-form-urlencoded"
JSON_TYPES = (JSON_TYPE, "application/*+json")
MULTIPART_TYPE = "multipart/form-data"


@dataclass(frozen=True, slots=True)
class Param:
    """An argument with a name of its own on the wire. `name` is the argument's name, `wire` that on the wire.

    `kind` says what its text can stand for; `style` and `explode` how arrays and objects are written. `brackets`:
    names such as `name[key]` are read as well. `encoded_slash` allows `%2f` in a path value. `is_plain`: its text is
    its value, whatever the style.
    """

    name: str
    wire: str
    place: Place
    kind: Kind = field(default=TEXT, compare=False)
    style: Style = "form"
    explode: bool = True
    brackets: bool = False
    encoded_slash: bool = False
    is_plain: bool = field(init=False, compare=False)

    def __post_init__(self) -> None:
        is_bare = self.style in ("form", "simple", "spaceDelimited", "pipeDelimited")
        object.__setattr__(self, "is_plain", is_bare and bool(self.kind.simple))

    @property
    def is_spread(self) -> bool:
        """Whether it is an object whose members travel under their own names."""
        return self.style == "form" and self.explode and self.kind.is_map and not self.kind.is_list

    @property
    def is_repeated(self) -> bool:
        """Whether it is an array of plain values that is written as a name that comes again."""
        repeated = self.style == "form" and self.explode and self.kind.types == {"array"}
        return repeated and bool(self.kind.item().simple)


@dataclass(frozen=True, slots=True)
class Fields:
    """How the names of a query or a form are read: each of them belongs to one argument at most.

    `own` are names of arguments, `deep` the names before a bracket, `members` those of objects that are spread, and
    `rest` is the object that takes whatever is left. `is_simple`: there are only plain and repeated values.
    """

    own: Mapping[str, Param]
    deep: Mapping[str, Param]
    members: Mapping[str, Param]
    rest: Param | None
    is_simple: bool


def fields(params: Iterable[Param]) -> Fields:
    """The names of some arguments that travel together."""
    params = list(params)
    spread = [param for param in params if param.is_spread]
    own = {param.wire: param for param in params if not param.is_spread or param.kind.is_scalar}
    deep = {param.wire: param for param in params if param.style == "deepObject" or param.brackets}
    members = {name: param for param in spread for name in param.kind.names if name not in own}
    rest = [param for param in spread if param.kind.is_open]
    is_simple = not spread and all(param.is_plain or param.is_repeated for param in params)
    return Fields(own, deep, members, rest[0] if rest else None, is_simple)


@dataclass(frozen=True, slots=True)
class Slot:
    """Where the backend's API takes a credential. `name` is empty for `bearer` and `basic`.

    What the caller sends there `passes` on as it is, or ends at the sidecar, which has its own or sends none. It is no
    argument, and is written down nowhere.
    """

    send: Literal["bearer", "basic", "header", "query", "cookie"]
    name: str = ""
    passes: bool = True


@dataclass(frozen=True, slots=True)
class Slots:
    """Where the credentials of the caller travel: names of headers (in lower case), of the query and of cookies.
    `schemes` are those of the header Authorization that pass (in lower case), None where all do. `dropped` are names of
    the query, and `ours` headers, which are the sidecar's own affair.
    """

    headers: frozenset[str] = frozenset()
    query: frozenset[str] = frozenset()
    cookies: frozenset[str] = frozenset()
    schemes: frozenset[str] | None = None
    dropped: frozenset[str] = frozenset()
    ours: frozenset[str] = frozenset()

    def passing(self, authorization: str) -> bool:
        """Whether a value of the header Authorization goes on to the backend."""
        return self.schemes is None or authorization.partition(" ")[0].lower() in self.schemes


@cache
def slots(declared: tuple[Slot, ...]) -> Slots:
    """The slots of a backend. Authorization passes where nothing is declared, else only where that is declared."""

    def names(place: str, passes: bool = True) -> frozenset[str]:
        return frozenset(one.name for one in declared if one.send == place and one.passes == passes)

    schemes = frozenset(one.send for one in declared if one.send in ("bearer", "basic"))
    free = None if not declared or "authorization" in names("header") else schemes
    ours = names("query", False), names("header", False)
    return Slots(names("header"), names("query"), names("cookie"), free, *ours)
