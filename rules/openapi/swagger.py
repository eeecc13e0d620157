"""Swagger 2.0: its operations in the words of OpenAPI 3."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from rules.openapi.marks import mapping, sequence
from rules.openapi.modern import common, responses
from rules.openapi.operation import Answer, Body, Operation, Parameter
from rules.openapi.references import BadReference, Document, Spot

_FORM: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data"
_BESIDE: Final = frozenset(("name", "in", "required", "collectionFormat", "allowEmptyValue", "schema"))
"""What a parameter says of itself; everything else is its schema."""

_STYLES: Final[Mapping[str, tuple[str, bool]]] = {
    "multi": ("form", True),
    "ssv": ("spaceDelimited", False),
    "pipes": ("pipeDelimited", False),
}


def read(document: Document, path: str, method: str, item: Spot, spot: Spot) -> Operation:
    """One operation of Swagger 2.0."""
    operation, parameters = common(document, path, method, item, spot)
    consumes = _media(document, spot, "consumes")
    in_body = [one for one in parameters if one.value.get("in") == "body"]
    in_form = [one for one in parameters if str(one.value.get("in")).lower() == "formdata"]
    operation.parameters = [_parameter(one, operation) for one in parameters if one not in in_body + in_form]
    if in_form:
        operation.body = _form(in_form, consumes)
    elif in_body:
        operation.body = _body(in_body[0], consumes)
    if in_body and in_form:
        operation.warnings.append("a body beside form fields is left out: a request has only one body")
    for status, value in responses(operation, spot).items():
        if not status.startswith("x-"):
            operation.answers[status] = _answer(document, operation, (status, value), spot)
    return operation


def _media(document: Document, spot: Spot, word: str) -> list[str]:
    own = spot.value.get(word)
    return [str(one) for one in sequence(document.root.get(word) if own is None else own)]


def _schema(said: Mapping[str, Any]) -> dict[str, Any]:
    return {word: value for word, value in said.items() if word not in _BESIDE}


def _parameter(spot: Spot, operation: Operation) -> Parameter:
    said = spot.value
    is_list = said.get("type") == "array"
    collection = str(said.get("collectionFormat") or "csv")
    style, explode = _STYLES.get(collection, ("", False)) if is_list else ("", None)
    schema = said["schema"] if isinstance(said.get("schema"), dict) else _schema(said)
    if is_list and collection == "tsv":
        operation.warnings.append(f"{said.get('name')} is a list with tabs between its items; it is taken as text")
        schema, style, explode = {"type": "string"}, "", None
    return Parameter(
        name=str(said.get("name", "")),
        place=str(said.get("in")).lower(),
        required=said.get("required") is True,
        schema=schema,
        file=spot.file,
        style=style,
        explode=explode,
        description=said.get("description"),
    )


def _body(spot: Spot, consumes: Collection[str]) -> Body:
    types = [one for one in consumes if one not in (_FORM, _MULTIPART)] or [*consumes] or ["application/json"]
    schema = spot.value.get("schema", {})
    return Body(spot.value.get("required") is True, dict.fromkeys(types, schema), spot.file)


def _form(fields: list[Spot], consumes: Iterable[str]) -> Body:
    """Fields of a form as the object that they make; files travel only as multipart/form-data."""
    has_file = any(str(one.value.get("type")).lower() == "file" for one in fields)
    types = [one for one in consumes if one.partition(";")[0].strip().lower() in (_FORM, _MULTIPART)]
    if has_file or not types:
        types = [_MULTIPART if has_file else _FORM]
    names = [str(one.value.get("name")) for one in fields if one.value.get("required") is True]
    schema = {
        "type": "object",
        "properties": {str(one.value.get("name")): _schema(one.value) for one in fields},
        "required": names,
    }
    return Body(bool(names), dict.fromkeys(types, schema), fields[0].file)


def _answer(document: Document, operation: Operation, answer: tuple[str, Any], spot: Spot) -> Answer:
    status, value = answer
    try:
        found = document.follow(value, spot.file)
    except BadReference as error:
        operation.warnings.append(f"the answer {status} may be anything: {error}")
        return Answer({"*/*": None}, spot.file)
    if not isinstance(found.value, dict | None):
        operation.warnings.append(f"the answer {status[:40]} may be anything: it is no object")
        return Answer({"*/*": None}, found.file)
    said = mapping(found.value)
    if "schema" not in said:
        return Answer({}, found.file)
    types = _media(document, spot, "produces") or ["application/json"]
    return Answer(dict.fromkeys(types, said["schema"]), found.file)
