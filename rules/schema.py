"""Contracts: are these arguments what the tool's JSON Schema asks for?

jsonschema-rs answers on the path of a call and explains: its patterns run in linear time and it is right on every
case of the JSON-Schema-Test-Suite, formats included. `jsonschema` is asked for a second opinion where the answer
hangs on dynamic scope or on annotations (see DISPUTED): a call is refused where either says no.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Final

import jsonschema_rs

from rules.bulk import MOST_DEPTH
from rules.bulk import elements as elements_of
from rules.dialects import Dialect, Flaw, dialect_of, flaws, subschemas
from rules.documents import ROOT, BadSchema, Documents, File, Folder, as_documents, dialect_of_file, gather
from rules.effort import MOST_STEPS, MOST_STEPS_EXPLAINED, Effort
from rules.joined import URI, into, join, members, without_files
from rules.lookalikes import Lookalikes
from rules.making import at, make
from rules.problems import MOST_PROBLEMS, NO_EXAMPLE, Problem, closest, phrase, undeclared
from rules.samples import Guide

__all__ = ["NO_EXAMPLE", "BadSchema", "Contract", "Problem"]

Place = Sequence[str | int]
"""A path into the arguments, from the top."""

MOST_EXPLAINED = 1_000
"""Items and members of arguments of which every problem is looked for: finding them costs some 20 us each. Of larger
ones the first problem is told."""

MOST_EXAMPLES = 256
"""Places of a contract whose examples are remembered: finding one can take milliseconds."""

MOST_SHOWN_EXAMPLE, MOST_SHOWN_PART = 2_000, 500
"""Characters of a whole example and of one for a place, as JSON; longer ones would only fill a model's context."""

MOST_ELEMENTS = 5_000
"""Items and members of arguments that get a second opinion, whose cost grows faster than its input."""

DISPUTED: Final = frozenset({"$dynamicRef", "$recursiveRef", "unevaluatedItems", "unevaluatedProperties"})
"""Keywords whose meaning hangs on dynamic scope or annotations: here validators have differed most."""

PATTERNS: Final = jsonschema_rs.RegexOptions()
"""The regular expressions of Rust's `regex`: linear time, no look-around, no back-references."""


class Contract:
    """A tool's arguments as JSON Schema, compiled once. Safe to use from many threads.

    `schema` is one JSON object; `folder` is where the files of its `$ref` are. Raises BadSchema with every flaw.
    The top level is closed: a name that is not declared is a violation, unless the author wrote
    `additionalProperties` or `unevaluatedProperties` there. `names` are the declared names; `is_open` tells that
    others may be allowed, which the schema then judges. `foreign`: see `gathered`.
    """

    def __init__(self, schema: Mapping[str, Any], folder: Folder = None, *, foreign: bool = False) -> None:
        self.schema = schema
        self.dialect, self.documents = gathered(schema, folder, foreign)
        refuse_broken(schema, self.dialect, self.documents)
        self.guide = Guide(schema, self.dialect, self.documents)
        self._effort = Effort(self.guide)
        self.names = self.guide.names()
        others = self.guide.others()
        self.is_open = bool(others)
        self._closed = self.names if others is None else None
        if self._closed is not None:
            self._refuse_unreachable(self._closed)
        self._second = _second_opinion(schema, self.dialect, self.documents)
        self._lookalikes = Lookalikes(self.guide)
        self._examples: dict[Place, Any] = {}

    @cached_property
    def _fast(self) -> jsonschema_rs.Validator:
        """Compiled when it is first needed: of the tools of a large API few are ever called."""
        return compiled(self.schema, self.dialect, self.documents)

    def _refuse_unreachable(self, closed: frozenset[str]) -> None:
        """What the schema speaks of at a closed top level must be declared there."""
        if self.guide.has_patterns():
            hint = "say additionalProperties: false or true beside it"
            raise BadSchema([Flaw(("patternProperties",), "leaves open what other names mean", hint)])
        missing = sorted(self.guide.required() - closed)
        if missing:
            near = closest(missing[0], closed)
            hint = f"did you mean {near}?" if near else "declare it under properties"
            raise BadSchema([Flaw(("required",), f"asks for {missing[0]}, which is not declared", hint)])

    def check(self, args: Mapping[str, Any]) -> tuple[Problem, ...]:
        """The problems of the arguments, at most MOST_PROBLEMS, sorted by path; none means valid. Never raises."""
        if not isinstance(args, dict):
            return (Problem("", "must be an object of arguments"),)
        elements = elements_of(args)
        if elements < 0:
            return (Problem("", f"is nested deeper than {MOST_DEPTH} levels"),)
        try:
            return self._check(args, elements)
        except (ValueError, RecursionError):  # what the validator cannot read, such as a lone surrogate
            return (Problem("", "holds something that is not JSON"),)

    def _check(self, args: dict[str, Any], elements: int) -> tuple[Problem, ...]:
        if self._closed is not None and not args.keys() <= self._closed:
            return (self._undeclared(args), *self._explain(args, elements))[:MOST_PROBLEMS]
        if self._effort.multiplies and self._effort.exceeds(args, MOST_STEPS):
            return (Problem("", "is nested too deep for the branches of its contract"),)
        if not self._fast.is_valid(args):
            return self._explain(args, elements)
        if (self.is_open or elements > len(args)) and (found := self._lookalikes.find(args)):
            return (Problem(self.guide.safe(found.place), undeclared([found.name], found.declared)),)
        return self._ask_again(args, elements) if self._second else ()

    def _undeclared(self, args: dict[str, Any]) -> Problem:
        names = [name for name in args.keys() - self.names if isinstance(name, str)]
        return Problem("", undeclared(names, self.names))

    def _ask_again(self, args: dict[str, Any], elements: int) -> tuple[Problem, ...]:
        if elements > MOST_ELEMENTS:
            return (Problem("", "is too large for the kind of schema that its contract uses"),)
        try:
            return () if self._second.is_valid(args) else (Problem("", "does not fit the tool's contract"),)
        except Exception:  # whatever it stumbled over, it did not say yes
            return (Problem("", "could not be checked against the tool's contract"),)

    def _explain(self, args: dict[str, Any], elements: int) -> tuple[Problem, ...]:
        if self._effort.multiplies and self._effort.exceeds(args, MOST_STEPS_EXPLAINED):
            return (Problem("", "does not fit the tool's contract"),)
        told = [self._told(error) for error in self._errors(args, elements)]
        found = {(self.guide.safe(place), says): place for place, says in told}
        few = sorted(found)[:MOST_PROBLEMS]
        return tuple(Problem(safe, says, self.example(found[safe, says])) for safe, says in few)

    def example(self, place: Place = ()) -> Any:
        """What could stand at a place, or all arguments in one that fits as a whole; NO_EXAMPLE where none is found.

        Made from the contract alone, so it holds nothing of a caller.
        """
        key = self.guide.anonymous(place)
        if key not in self._examples:
            if len(self._examples) >= MOST_EXAMPLES:
                self._examples.clear()
            self._examples[key] = self._example(key)
        return self._examples[key]

    def _example(self, place: Place) -> Any:
        found = at(make(self.guide, self._fits, place), place)
        found = self.guide.example(place) if found is NO_EXAMPLE else found
        most = MOST_SHOWN_EXAMPLE if not place else MOST_SHOWN_PART
        return NO_EXAMPLE if found is NO_EXAMPLE or len(json.dumps(found)) > most else found

    def _fits(self, args: Any) -> bool:
        if not isinstance(args, dict) or elements_of(args) < 0:
            return False
        try:
            if self._closed is not None and not args.keys() <= self._closed:
                return False
            if self._effort.multiplies and self._effort.exceeds(args, MOST_STEPS):
                return False
            return bool(self._fast.is_valid(args)) and not (self._second and self._ask_again(args, 0))
        except (ValueError, RecursionError):
            return False

    def _errors(self, args: dict[str, Any], elements: int) -> Iterator[Any]:
        if elements <= MOST_EXPLAINED:
            yield from self._fast.iter_errors(args)
            return
        try:
            self._fast.validate(args)
        except jsonschema_rs.ValidationError as error:
            yield error

    def _told(self, error: Any) -> tuple[Place, str]:
        """Where an error is and how to say it."""
        place, kind, details = error.instance_path, error.kind.name, error.kind.as_dict()
        if kind == "required":
            return [*place, details["property"]], "is missing"
        if kind in ("additionalProperties", "unevaluatedProperties"):
            return place, undeclared(details["unexpected"], self.guide.names_at(place))
        return place, phrase(error)


def gathered(schema: Any, folder: Folder, foreign: bool = False) -> tuple[Dialect, Documents]:
    """The dialect of a schema and the files that it leads to, all of them without flaws. Raises BadSchema.

    What JSON Schema ignores is no flaw of a `foreign` schema, which was written by others for others.
    """
    dialect = _dialect(schema)
    documents = gather(schema, dialect, folder)
    _refuse_flaws(schema, dialect, documents, foreign)
    return dialect, documents


def compiled(schema: Any, dialect: Dialect, documents: Mapping[str, Any]) -> jsonschema_rs.Validator:
    """The fast validator: no network, patterns in linear time, formats asserted. Raises BadSchema."""
    schema, registry = _with_files(schema, dialect, as_documents(documents))
    return _compiled(schema, dialect, registry)


def refuse_broken(schema: Any, dialect: Dialect, documents: Mapping[str, Any]) -> None:
    """Raises BadSchema where a schema could not be compiled.

    The files are compiled once for all schemas that lead to the same ones: each of a large API leads to most of them,
    which takes tens of milliseconds and half a megabyte a schema.
    """
    documents = as_documents(documents)
    moved, joint = _with_files(schema, dialect, documents)
    if joint is None or joint is not documents.once(("joint", dialect.number), _registry, documents, dialect):
        _compiled(moved, dialect, joint)
        return
    documents.once(("compiled", dialect.number), _compile_all, documents, dialect, joint)
    bare, targets = without_files(moved, dialect)
    for target in targets:
        _refuse_nowhere(target, joint)
    _compiled(bare, dialect, None)


def _compile_all(documents: Documents, dialect: Dialect, joint: Any) -> None:
    _compiled(members(documents, dialect), dialect, joint)


def _refuse_nowhere(target: str, joint: Any) -> None:
    with _as_flaws():
        found = joint.resolver(ROOT).lookup(target).contents
    if not isinstance(found, dict | bool):
        raise BadSchema([Flaw((), f"refers to something that is no schema: {target.partition('#')[2]}")])


def _compiled(schema: Any, dialect: Dialect, registry: Any) -> jsonschema_rs.Validator:
    with _as_flaws():
        return dialect.fast(
            schema,
            validate_formats=True,
            offline=True,
            pattern_options=PATTERNS,
            registry=registry,
            base_uri=ROOT,
        )


@contextmanager
def _as_flaws() -> Iterator[None]:
    """What the validator says about a schema, as BadSchema."""
    try:
        yield
    except jsonschema_rs.ValidationError as error:
        raise BadSchema([_flaw(error)]) from None
    except (jsonschema_rs.ReferencingError, ValueError) as error:
        raise BadSchema([Flaw((), str(error).partition("\n")[0])]) from None


def _with_files(schema: Any, dialect: Dialect, documents: Documents) -> tuple[Any, Any]:
    """The schema, and a registry of the files that it leads to: as one document where they can be one."""
    if not documents:
        return schema, None
    joint, moved = documents.once(("joint", dialect.number), _registry, documents, dialect), into(schema, dialect)
    if joint is None or moved is None:
        return schema, _as_registry([*documents.items()], dialect)
    return moved, joint


def _registry(documents: Documents, dialect: Dialect) -> Any:
    joint = join(documents, dialect)
    return joint if joint is None else _as_registry([(URI, joint)], dialect)


def _as_registry(documents: list[tuple[str, Any]], dialect: Dialect) -> Any:
    with _as_flaws():
        return jsonschema_rs.Registry(documents, dialect.number, _never)


def _never(uri: str) -> Any:
    raise ValueError(f"{uri} is neither in the rules folder nor a dialect of JSON Schema; nothing is fetched")


def is_disputed(schema: Any, dialect: Dialect, documents: Mapping[str, Any]) -> bool:
    """Whether the contract gets a second opinion: it uses a disputed keyword.

    With `patternProperties` it gets none: `jsonschema` would match the caller's names with Python's `re`, which can
    be made to run for years. Nor does it with several dialects, which `jsonschema` validates without our keywords.
    """
    words: set[str] = set()
    for file in (File(ROOT, schema), *as_documents(documents).files.values()):
        below = file.once(("words", dialect.number), _spoken, file.value, dialect)
        if below is None:
            return False
        words.update(below)
    return bool(words & DISPUTED) and "patternProperties" not in words


def _spoken(document: Any, dialect: Dialect) -> frozenset[str] | None:
    """The keywords of a document; None where it has parts in another dialect."""
    below = [word for _, here in subschemas(document, dialect) if isinstance(here, dict) for word in here]
    named = isinstance(document, dict) and "$schema" in document
    if below.count("$schema") > named or (named and dialect_of(document) is not dialect):
        return None
    return frozenset(below)


def _second_opinion(schema: Any, dialect: Dialect, documents: Mapping[str, Any]) -> Any:
    """A `jsonschema` validator, or None. Imported where it is needed: it takes longer to load than all our rules."""
    if not is_disputed(schema, dialect, documents):
        return None
    from rules.second import second_opinion

    return second_opinion(schema, dialect, documents)


def _dialect(schema: Any) -> Dialect:
    try:
        return dialect_of(schema)
    except ValueError as error:
        raise BadSchema([Flaw(("$schema",), "names an unknown dialect", str(error))]) from None


def _refuse_flaws(schema: Any, dialect: Dialect, documents: Mapping[str, Any], foreign: bool) -> None:
    found = flaws(schema, dialect, foreign)
    if found:
        raise BadSchema(found)
    for uri, file in as_documents(documents).files.items():
        own = dialect_of_file(uri, file.value, dialect)
        found = file.once(("flaws", own.number), flaws, file.value, own)
        if found:
            raise BadSchema(found, uri.removeprefix(ROOT))


def _flaw(error: jsonschema_rs.ValidationError) -> Flaw:
    """What is wrong with a schema, from the validator's complaint about it."""
    hint = ""
    if error.kind.name == "anyOf" and error.instance_path[-1:] == ["type"]:
        return Flaw(tuple(error.instance_path), *_no_type(error.instance))
    if error.kind.name == "format":
        hint = "patterns are matched in linear time: no look-around, no back-references, no huge repeats"
    return Flaw(tuple(error.instance_path), error.message.partition("\n")[0], hint)


_TYPES: Final = ("array", "boolean", "integer", "null", "number", "object", "string")


def _no_type(value: Any) -> tuple[str, str]:
    """What is wrong with a `type`, which the validator only says to fit no schema of its own, and what was meant."""
    wrong = [one for one in (value if isinstance(value, list) else [value]) if one not in _TYPES]
    meant = closest(wrong[0], _TYPES) if wrong and isinstance(wrong[0], str) else ""
    known = f"known are: {', '.join(_TYPES)}"
    return "names no type, or one twice", f"did you mean {meant}?" if meant else known
