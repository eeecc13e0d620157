"""The schemas of results as clients are shown them: what a client gets fits, whatever was cleaned and left out of it.

Each keyword that stays holds for what is left of every result that fitted before. So it is a list of those that do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from redaction.shaping import LEFT_OUT, UNBOUNDED
from rules.definitions import Definition
from rules.tools import Reply, Tool

MOST_DEPTH: Final = 64
SHORT: Final = 100
"""Texts up to this many characters are whole in an answer that has to `fit`."""

_WORDS: Final = frozenset({"$schema", "$comment", "title", "description", "deprecated", "readOnly", "type", "$ref"})
_OF_NUMBERS: Final = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_OF_TEXTS: Final = frozenset({"minLength", "maxLength", "pattern", "format", "contentEncoding", "contentMediaType"})
_SIZES: Final = frozenset({"minItems", "maxItems"})
_MAPS: Final = frozenset({"$defs", "definitions", "properties", "patternProperties"})
_LISTS: Final = frozenset({"allOf", "anyOf", "oneOf"})
_TEXT: Final[Mapping[str, Any]] = {"type": "string"}


class _Left(NamedTuple):
    """What may have become of a result: `picks`, members were left out; `most`, items were, and marks put in; texts of
    more than `longest` characters were cut, where that is not None; `cleaned`, other texts and zeros stand in the place
    of findings, `in_text` that it may be texts where numbers were. `gone` are the names of members that never come."""

    picks: bool
    most: bool
    longest: int | None
    cleaned: bool
    in_text: bool
    gone: frozenset[str]

    @property
    def is_in_order(self) -> bool:
        """Whether each item of a list stands where it stood, and none is missing."""
        return not (self.picks or self.most)


def definition(accepted: Definition, tool: Tool) -> dict[str, Any]:
    """A tool's definition as it is shown, where its results may come otherwise than the server gives them."""
    schema, reply = accepted.get("outputSchema"), tool.reply
    if not isinstance(schema, dict) or not (reply.shaping or reply.redact):
        return dict(accepted)
    made = _loose(schema, _left(reply), 0)
    return {**accepted, "outputSchema": _followed(made, made)}


def _left(reply: Reply) -> _Left:
    bounds = reply.shaping.bounds if reply.shaping else UNBOUNDED
    picks = bool(reply.shaping and reply.shaping.picks) or any(way.name == "drop" for _, way in reply.ways)
    longest = bounds.longest or None
    if bounds.fit:
        longest = min(longest or SHORT, SHORT)
    in_text = any(way.name != "zero" for _, way in reply.ways)
    gone = frozenset(reply.shaping.drop if reply.shaping else ())  # which are names, or patterns of places
    return _Left(picks, bool(bounds.most or bounds.fit), longest, bool(reply.redact), in_text, gone)


def _loose(schema: Any, left: _Left, depth: int) -> Any:
    """The schema without what may not hold any more. `oneOf` becomes `anyOf`: of two that are looser both may fit."""
    if not isinstance(schema, dict):
        return True
    if depth > MOST_DEPTH:
        return {}
    made: dict[str, Any] = {}
    for word, value in schema.items():
        if _stays(word, value, left):
            made[word] = value
        elif word in _MAPS and isinstance(value, dict):
            gone = left.gone if word == "properties" else ()
            made[word] = {name: _loose(one, left, depth + 1) for name, one in value.items() if name not in gone}
        elif (word in _LISTS or (word == "prefixItems" and left.is_in_order)) and isinstance(value, list):
            made[word] = [_loose(one, left, depth + 1) for one in value]
        elif word == "items" and isinstance(value, dict) and (left.is_in_order or "prefixItems" not in schema):
            made[word] = _or_mark(_loose(value, left, depth + 1), left)
        elif word == "additionalProperties":
            made[word] = value if isinstance(value, bool) else _or_mark(_loose(value, left, depth + 1), left)
    return _with_marks(_with_texts(_one_of(made), left), left)


def _stays(word: str, value: Any, left: _Left) -> bool:
    """Whether a keyword without a schema in it holds as it is."""
    if word in ("enum", "const"):
        return not left.cleaned and _is_whole(value if word == "enum" else [value], left)
    if word in _OF_TEXTS or word in _OF_NUMBERS:
        return not left.cleaned and (left.longest is None or word in _OF_NUMBERS)
    return word in _WORDS or (word in _SIZES and left.is_in_order) or (word == "required" and not left.picks)


def _one_of(made: dict[str, Any]) -> dict[str, Any]:
    if "oneOf" not in made:
        return made
    either = {"anyOf": made.pop("oneOf")}
    return {**made, "allOf": [*made.get("allOf", []), either]} if "anyOf" in made else {**made, **either}


def _with_texts(made: dict[str, Any], left: _Left) -> dict[str, Any]:
    """What was cleaned may be a text where a number was, and its name may be another."""
    kinds = made.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if left.in_text and "string" not in kinds and {"integer", "number"} & {each for each in kinds if each}:
        made["type"] = [*kinds, "string"]
    if left.cleaned and "patternProperties" in made:
        made.pop("additionalProperties", None)
    return made


def _with_marks(made: dict[str, Any], left: _Left) -> dict[str, Any]:
    """Beside a list that was cut stands a member that says so."""
    if not left.most:
        return made
    if any(name.endswith(LEFT_OUT) for name in made.get("properties", ())):  # nobody could tell them from marks
        return {word: value for word, value in made.items() if word not in ("additionalProperties", "properties")}
    if "patternProperties" in made:
        made["patternProperties"] = {name: _or_mark(one, left) for name, one in made["patternProperties"].items()}
    if made.get("additionalProperties") is False:
        made["patternProperties"] = {**made.get("patternProperties", {}), f"{LEFT_OUT}$": dict(_TEXT)}
    return made


def _or_mark(schema: Any, left: _Left) -> Any:
    return {"anyOf": [schema, dict(_TEXT)]} if left.most and schema is not True else schema


def _is_whole(values: Any, left: _Left) -> bool:
    """Whether none of these values can come otherwise. Of lists and objects some may."""
    if not isinstance(values, list) or any(isinstance(one, list | dict) for one in values):
        return False
    texts = [one for one in values if isinstance(one, str)]
    return left.longest is None or all(len(one) <= left.longest for one in texts)


def _followed(schema: Any, root: Any) -> Any:
    """The same; a reference to what is not there any more says nothing."""
    if isinstance(schema, list):
        return [_followed(one, root) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(ref := schema.get("$ref"), str) and not _leads(ref, root):
        schema = {word: value for word, value in schema.items() if word != "$ref"}
    return {word: _followed(value, root) for word, value in schema.items()}


def _leads(ref: str, root: Any) -> bool:
    if ref == "#":
        return True
    if not ref.startswith("#/"):
        return False
    here = root
    for step in ref[2:].split("/"):
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(here, dict) and step in here:
            here = here[step]
        elif isinstance(here, list) and step.isdigit() and int(step) < len(here):
            here = here[int(step)]
        else:
            return False
    return isinstance(here, dict | bool)
