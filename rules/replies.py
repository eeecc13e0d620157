"""Reply contracts: is this answer what the tool's `replies` say it looks like?

Schemas speak about JSON, so the body of a JSON type is judged as its value and a `text/plain` body as one string; of
any other type only the type itself is judged.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import Any, Final, NamedTuple

import jsonschema_rs

from redaction.mediatypes import CHARSETS
from rules.bulk import elements
from rules.documents import Folder
from rules.effort import MOST_STEPS, MOST_STEPS_EXPLAINED, Effort
from rules.problems import pointer
from rules.samples import Guide
from rules.schema import MOST_EXPLAINED, BadSchema, compiled, gathered, refuse_broken
from rules.source import LoadProblem, Node

MOST_DEVIATIONS = 8
"""Told of one answer: a Record is read by people, and the first few show what is wrong."""

_MOST_ERRORS = 200
"""Errors of the validator that are looked at for MOST_DEVIATIONS different places."""

_INTO_NAMED: Final = frozenset({"properties", "dependentSchemas", "patternProperties", "dependencies"})
_INTO_LISTED: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_INTO_ANY: Final = frozenset(
    {
        *("items", "prefixItems", "additionalItems", "unevaluatedItems", "contains"),
        *("additionalProperties", "patternProperties", "unevaluatedProperties"),
    }
)


class Deviation(NamedTuple):
    """One way in which an answer is off its contract, without any text of the answer.

    `where` is a JSON pointer that is made of names of the schema, `*` stands for items and for names that the schema
    does not list; or it is `status`, `media type` or `body`. `what` is the keyword that was broken, or words.
    """

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


UNDECLARED_STATUS: Final = Deviation("status", "is not declared")
UNDECLARED_TYPE: Final = Deviation("media type", "is not declared")


class Shape:
    """The schema of one answer, compiled when it is first needed. Safe to use from many threads."""

    def __init__(self, schema: Any, folder: Folder = None, *, foreign: bool = False) -> None:
        """Raises BadSchema with every flaw, those of referenced files included. `foreign`: see `gathered`."""
        self.schema = schema
        dialect, self.documents = gathered(schema, folder, foreign)
        refuse_broken(schema, dialect, self.documents)
        self._dialect = dialect

    @cached_property
    def _effort(self) -> Effort:
        return Effort(Guide(self.schema, self._dialect, self.documents))

    @cached_property
    def _validator(self) -> jsonschema_rs.Validator:
        return compiled(self.schema, self._dialect, self.documents)

    def deviations(self, value: Any) -> tuple[Deviation, ...]:
        """Where a JSON value does not fit, at most MOST_DEVIATIONS places. Never raises."""
        size = elements(value)
        if size < 0:
            return (Deviation("body", "is nested too deep"),)
        try:
            if self._effort.multiplies and self._effort.exceeds(value, MOST_STEPS):
                return (Deviation("body", "is nested too deep for the branches of its schema"),)
            if self._validator.is_valid(value):
                return ()
            if self._effort.multiplies and self._effort.exceeds(value, MOST_STEPS_EXPLAINED):
                return (Deviation("body", "does not fit its schema"),)
            return _few(_deviation(error) for error in self._errors(value, size))
        except (ValueError, RecursionError):  # what the validator cannot read, such as half a surrogate pair
            return (Deviation("body", "holds something that is not JSON"),)

    def _errors(self, value: Any, size: int) -> Iterable[Any]:
        if size <= MOST_EXPLAINED:
            return islice(self._validator.iter_errors(value), _MOST_ERRORS)
        try:
            self._validator.validate(value)
        except jsonschema_rs.ValidationError as error:
            return (error,)
        return ()


class Replies:
    """What a tool's answers look like. `by_status` maps a status (`200`), a class (`4XX`) or `default` to media types
    or ranges in lower case (`application/json`, `text/*`) and these to their Shape; without types there is no body.
    """

    def __init__(self, by_status: Mapping[str, Mapping[str, Shape]]) -> None:
        self.by_status = by_status

    def types(self) -> frozenset[str]:
        """All media types and ranges, of whatever status."""
        return frozenset(kind for types in self.by_status.values() for kind in types)

    def documents(self) -> dict[str, Any]:
        """The files that the schemas lead to, by URI."""
        shapes = [shape for types in self.by_status.values() for shape in types.values()]
        return {uri: document for shape in shapes for uri, document in shape.documents.items()}

    def declared(self, status: int) -> Mapping[str, Shape] | None:
        """The media types of a status, None for an undeclared one. The exact status beats its class, that default."""
        for key in (str(status), f"{status // 100}XX", "default"):
            if key in self.by_status:
                return self.by_status[key]
        return None

    def judge(self, status: int, media_type: str, charset: str | None, body: bytes | None) -> tuple[Deviation, ...]:
        """How an answer is off its contract; nothing means that it is not. Never raises.

        `media_type` and `charset` are in lower case. `body` is free of content codings; None where HTTP allows none.
        """
        types = self.declared(status)
        if types is None:
            return (UNDECLARED_STATUS,)
        if body is None:
            return ()
        if not types or not body:
            return (Deviation("body", "is missing" if types else "is not declared"),) if types or body else ()
        shape = _of_type(types, media_type)
        return (UNDECLARED_TYPE,) if shape is None else _judge(shape, media_type, charset, body)


def is_own_error(status: int, found: tuple[Deviation, ...]) -> bool:
    """Whether this is an error that the contract does not know: the agent shall see the backend's own words for it."""
    return status >= 400 and found == (UNDECLARED_STATUS,)


def _of_type(types: Mapping[str, Shape], media_type: str) -> Shape | None:
    """The nearest of the declared types (RFC 9110, 12.5.1): the type itself, a range of its kind, or any."""
    kind = media_type.partition("/")[0]
    return types.get(media_type) or types.get(f"{kind}/*") or types.get("*/*")


def is_json(media_type: str) -> bool:
    """Whether a media type in lower case is JSON (RFC 8259) or has its suffix (RFC 6839)."""
    return media_type in ("application/json", "text/json") or media_type.endswith("+json")


def _judge(shape: Shape, media_type: str, charset: str | None, body: bytes) -> tuple[Deviation, ...]:
    if not is_json(media_type) and media_type != "text/plain":
        return ()
    try:
        text = body.decode(CHARSETS[charset or "utf-8"]).removeprefix("\ufeff")
        return shape.deviations(_DECODER.decode(text) if is_json(media_type) else text)
    except (UnicodeDecodeError, KeyError):
        return (Deviation("body", "is not in a known charset"),)
    except (ValueError, RecursionError):
        return (Deviation("body", "is not JSON"),)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):  # the agent may read the other one
        raise ValueError("a name occurs twice")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def _few(found: Iterable[Deviation]) -> tuple[Deviation, ...]:
    return tuple(sorted(set(found))[:MOST_DEVIATIONS])


def _deviation(error: Any) -> Deviation:
    """Where and what, from the schema's side alone: what is in the answer may be chosen by an attacker."""
    place = list(_place(error.evaluation_path))
    if error.kind.name == "required":
        place.append(error.kind.as_dict()["property"])
    return Deviation(pointer(place) or "body", error.kind.name)


def _place(path: Sequence[str | int]) -> Iterable[str]:
    """The names on the way through a schema to one of its keywords."""
    index = 0
    while index < len(path) - 1:
        word = path[index]
        if word == "properties":
            yield str(path[index + 1])
        elif word in _INTO_ANY:
            yield "*"
        index += 2 if word in _INTO_NAMED or word in _INTO_LISTED else 1


def read_replies(node: Node, folder: Folder, known: dict[str, Shape]) -> tuple[Replies, list[LoadProblem]]:
    """The key `replies` of a tool, whose form was checked, and what is wrong with it.

    `folder` is where the files of a `$ref` are. `known` keeps each schema that was read, for the next tool: the
    answers of an API have much in common.
    """
    by_status: dict[str, dict[str, Shape]] = {}
    problems: list[LoadProblem] = []
    for status, types in node.items():
        shapes = by_status[status] = {}
        for media_type, schema in types.items():
            if media_type.lower() in shapes:
                problems.append(types.key_problem(media_type, "stands twice, since case does not count"))
            try:
                shapes[media_type.lower()] = _known(schema.plain(), folder, known)
            except BadSchema as bad:
                problems += _flawed(types, media_type, bad)
    return Replies(by_status), problems


def _known(schema: Any, folder: Folder, known: dict[str, Shape]) -> Shape:
    key = json.dumps(schema, sort_keys=True)
    if key not in known:
        known[key] = Shape(schema, folder)
    return known[key]


def _flawed(types: Node, media_type: str, bad: BadSchema) -> Iterable[LoadProblem]:
    for flaw in bad.flaws:
        if bad.file:
            yield LoadProblem(bad.file, 1, 1, ".".join(map(str, flaw.path)), flaw.message, flaw.hint)
        else:
            yield types.at((media_type, *flaw.path), flaw.message, flaw.hint)
