"""Contracts from typed Python: Pydantic models, dataclasses, TypedDicts and functions become tools.

Pydantic makes the JSON Schema (2020-12) and docstring_parser reads docstrings (Google, NumPy, Sphinx, Epydoc). Both
come with the extra `pydantic` and are imported when they are needed. What is here is what that means for rules.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import warnings
from dataclasses import dataclass, field
from typing import Any, Final

import jsonschema_rs

from rules.dialects import DRAFT202012
from rules.openapi.effects import guess
from rules.openapi.names import tool_name
from rules.openapi.texts import MOST_DESCRIPTION, MOST_SAYS, plain
from rules.schema import PATTERNS

_FIRST: Final = ("description", "type", "format", "enum", "const")
_NOISE: Final = frozenset(("title", "$schema", "discriminator"))
_TOP: Final = ("type", "properties", "required", "additionalProperties")
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_VARIADIC: Final = {
    inspect.Parameter.VAR_POSITIONAL: "*{}: a tool's arguments have names; take a list instead",
    inspect.Parameter.VAR_KEYWORD: "**{}: a tool's arguments are declared; name each one",
    inspect.Parameter.POSITIONAL_ONLY: "{} before /: a tool's arguments have names",
}


class NotTyped(ValueError):
    """Something that cannot become a tool: what, and what to do about it."""


@dataclass(slots=True)
class Typed:
    """A tool made of Python: its name, what stands under it in a rules file, and what was left out of its schema."""

    name: str
    tool: dict[str, Any]
    notes: list[str] = field(default_factory=list)


def tool_of(thing: Any, call: str, effect: str = "") -> Typed:
    """The tool that a model or function means. `call` is METHOD and path; without an effect it is guessed and marked.

    Raises NotTyped.
    """
    name = getattr(thing, "__name__", "")
    if not isinstance(name, str) or not name:
        raise NotTyped(f"{thing!r:.60} is neither a class nor a function")
    notes: list[str] = []
    schema = _schema(thing, name, notes)
    doc = _Doc.of(thing)
    for each, text in doc.arguments.items():
        known = schema["properties"].get(each)
        if isinstance(known, dict) and "description" not in known:
            schema["properties"][each] = {"description": plain(text, MOST_DESCRIPTION), **known}
    method, _, path = call.partition(" ")
    tool: dict[str, Any] = {"says": doc.says or plain(name.replace("_", " "), MOST_SAYS), "call": call}
    short = tool_name(_HUMP.sub("_", name).lower() if inspect.isclass(thing) else name, method, path)
    tool |= _arguments(schema)
    tool |= {"effect": effect} if effect else {"effect": guess(method, path, short), "guessed": True}
    return Typed(short, tool, list(dict.fromkeys(notes)))


def _schema(thing: Any, name: str, notes: list[str]) -> dict[str, Any]:
    """The arguments as one JSON Schema whose top level lists them."""
    try:
        from pydantic import TypeAdapter
        from pydantic.errors import PydanticUserError
    except ImportError:
        raise NotTyped("this needs Pydantic: install toolwall[pydantic]") from None
    _refuse(thing, name)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            raw = TypeAdapter(thing).json_schema()
        except (PydanticUserError, NameError, TypeError) as error:
            raise NotTyped(f"{name} has no JSON Schema: {str(error).partition(chr(10))[0]}") from None
    notes += [plain(str(each.message), MOST_SAYS) for each in told]
    schema = _inlined(_clean(raw, "", notes))
    if schema.get("type") != "object":
        raise NotTyped(f"{name} is no object of named arguments")
    schema.setdefault("properties", {})
    return schema


def _refuse(thing: Any, name: str) -> None:
    """What is no model and no fully annotated function."""
    if inspect.isclass(thing):
        if not (
            hasattr(thing, "model_json_schema")
            or dataclasses.is_dataclass(thing)
            or hasattr(thing, "__required_keys__")
        ):
            raise NotTyped(f"{name} is a class that is no Pydantic model, dataclass or TypedDict")
        return
    if not inspect.isfunction(thing) and not inspect.ismethod(thing):
        raise NotTyped(f"{name} is neither a model nor a function")
    for each in inspect.signature(thing).parameters.values():
        if each.kind in _VARIADIC:
            raise NotTyped(f"{name} takes {_VARIADIC[each.kind].format(each.name)}")
        if each.annotation is inspect.Parameter.empty:
            hint = "name a function, not a method" if each.name in ("self", "cls") else f"write {each.name}: str"
            raise NotTyped(f"{name} has the parameter {each.name} without a type: {hint}")


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema whose top level is itself no reference, as that of a model which refers to itself."""
    target = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    definitions = schema.get("$defs", {})
    if target not in definitions:
        return schema
    return {**definitions[target], "$defs": definitions}


def _arguments(schema: dict[str, Any]) -> dict[str, Any]:
    """As `args` where the schema says nothing but its arguments, else as `input`."""
    rest = schema.keys() - {"type", "properties", "required", "description"}
    if rest - {"additionalProperties"} or schema.get("additionalProperties", False) is not False:
        whole = {"additionalProperties": False, **schema}
        rest -= set(_TOP)
        return {"input": {word: whole[word] for word in (*_TOP, *sorted(rest)) if word in whole}}
    required = schema.get("required", [])
    args = {name: one if name in required else {**one, "optional": True} for name, one in schema["properties"].items()}
    return {"args": args} if args else {}


def _clean(schema: Any, where: str, notes: list[str]) -> Any:
    """A schema without what no loader of rules knows and what only repeats names."""
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, Any] = {}
    for word in [*(each for each in _FIRST if each in schema), *(each for each in schema if each not in _FIRST)]:
        value = schema[word]
        if word in _NOISE or (word == "default" and value is None):
            continue
        if reason := _unknown(word, value):
            notes.append(f"{where or 'the schema'}: {reason} is left out")
        elif word == "description":
            kept[word] = plain(value, MOST_DESCRIPTION)
        else:
            kept[word] = _below(word, value, where, notes)
    return kept


def _below(word: str, value: Any, where: str, notes: list[str]) -> Any:
    form = DRAFT202012.keywords.get(word, "data")
    if form == "map" and isinstance(value, dict):
        return {name: _clean(one, f"{where}.{name}".lstrip("."), notes) for name, one in value.items()}
    if form == "schemas" and isinstance(value, list):
        return [_clean(one, where, notes) for one in value]
    return _clean(value, where, notes) if form == "schema" else value


def _unknown(word: str, value: Any) -> str:
    """How to name a keyword that the loader would refuse; empty where it would not."""
    if word not in DRAFT202012.keywords and not word.startswith("x-"):
        return f"{word}, which JSON Schema does not know,"
    if word == "format" and value not in DRAFT202012.formats:
        return f"the format {value}"
    if word == "pattern" and not _is_linear(value):
        return f"the pattern {value}, which needs look-around or back-references,"
    return ""


def _is_linear(pattern: Any) -> bool:
    try:
        jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=PATTERNS)
    except (ValueError, jsonschema_rs.ValidationError):
        return False
    return True


@dataclass(slots=True)
class _Doc:
    """What a docstring says: its first paragraph, and each argument."""

    says: str
    arguments: dict[str, str]

    @classmethod
    def of(cls, thing: Any) -> _Doc:
        """The docstring of a class or function. A dataclass without one has its signature there: that is none."""
        text = inspect.cleandoc((vars(thing).get("__doc__") if inspect.isclass(thing) else thing.__doc__) or "")
        if dataclasses.is_dataclass(thing) and text.startswith(f"{getattr(thing, '__name__', '')}("):
            text = ""
        try:
            from docstring_parser import ParseError, parse
        except ImportError:
            raise NotTyped("this needs docstring_parser: install toolwall[pydantic]") from None
        try:
            read = parse(text)
        except ParseError:
            return cls(plain(_first(text), MOST_SAYS), {})
        more = "" if read.blank_after_short_description else _first(read.long_description or "")
        says = plain(f"{read.short_description or ''} {more}", MOST_SAYS)
        return cls(says, {one.arg_name: one.description for one in read.params if one.description})


def _first(text: str) -> str:
    return re.split(r"\n\s*\n", text, maxsplit=1)[0]
