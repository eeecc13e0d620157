"""OpenAPI 3.0 and 3.1: where an operation stands in the document, and what it says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from rules.openapi.marks import expected, listed, mapping, sequence
from rules.openapi.operation import METHODS, Answer, Body, Operation, Parameter
from rules.openapi.references import BadReference, Document, Spot

_OF_A_PATH: Final = frozenset((*METHODS, "$ref", "summary", "description", "servers", "parameters"))
_MOST_TOLD: Final = 80
"""Characters of a path in a sentence about it."""


def operations(document: Document) -> Iterator[tuple[str, str, Spot, Spot]]:
    """Path, method, the path's item and the operation, in the order of the document."""
    told = document.warnings
    for path, item in expected(document.root.get("paths"), "what stands under paths", told).items():
        if path.startswith("x-"):
            continue
        spot = _followed(document, item, document.name)
        said = expected(spot.value, f"the path {path[:_MOST_TOLD]}", told)
        told += [
            f"{name[:20]} of the path {path[:_MOST_TOLD]} is left out: it is none of the methods, in small letters"
            for name in said
            if name not in _OF_A_PATH and not name.startswith("x-")
        ]
        for method in METHODS:
            if method in said:
                expected(said[method], f"{method.upper()} {path[:_MOST_TOLD]}", told)
            if isinstance(said.get(method), dict):
                yield path, method, Spot(spot.file, "", said), Spot(spot.file, "", said[method])


def _followed(document: Document, value: Any, file: str) -> Spot:
    """Where references lead; an empty mapping where they lead nowhere."""
    try:
        return document.follow(value, file)
    except BadReference as error:
        document.warnings.append(str(error))
        return Spot(file, "", {})


def common(document: Document, path: str, method: str, item: Spot, spot: Spot) -> tuple[Operation, list[Spot]]:
    """What all versions say alike, and the operation's parameters: its own, and those of its path."""
    said = spot.value
    operation = Operation(
        method=method.upper(),
        path=path,
        id=str(said.get("operationId") or ""),
        summary=said.get("summary") or mapping(item.value).get("summary"),
        description=said.get("description") or mapping(item.value).get("description"),
        tags=tuple(map(str, sequence(said.get("tags")))),
        servers=said.get("servers") or mapping(item.value).get("servers"),
        deprecated=said.get("deprecated") is True,
    )
    found: dict[tuple[str, str], Spot] = {}
    both = [listed(one.get("parameters"), "its parameters", operation.warnings) for one in (item.value, said)]
    for value in [*both[0], *both[1]]:
        try:
            one = document.follow(value, spot.file)
        except BadReference as error:
            operation.warnings.append(f"a parameter is left out: {error}")
            continue
        if isinstance(one.value, dict) and isinstance(one.value.get("name") or one.value.get("in"), str):
            found[str(one.value.get("in")), str(one.value.get("name", "body"))] = one
        else:
            operation.warnings.append("a parameter without a name is left out")
    return operation, list(found.values())


def responses(operation: Operation, spot: Spot) -> dict[str, Any]:
    """What stands under the statuses of its answers."""
    return expected(spot.value.get("responses"), "what stands under responses", operation.warnings)


def read(document: Document, path: str, method: str, item: Spot, spot: Spot) -> Operation:
    """One operation of OpenAPI 3."""
    operation, parameters = common(document, path, method, item, spot)
    operation.parameters = [_parameter(one) for one in parameters]
    operation.body = _body(document, operation, spot)
    for status, value in responses(operation, spot).items():
        if not status.startswith("x-"):
            operation.answers[status] = _answer(document, operation, status, value, spot.file)
    return operation


def _parameter(spot: Spot) -> Parameter:
    said = spot.value
    content = mapping(said.get("content"))
    media, schema = next(((media, mapping(one).get("schema", {})) for media, one in content.items()), ("", None))
    explode = said.get("explode")
    inner = said.get("schema", {}) if schema is None else schema
    if said.get("example") is not None and isinstance(inner, dict) and "example" not in inner and "$ref" not in inner:
        inner = {**inner, "example": said["example"]}
    return Parameter(
        name=str(said.get("name", "")),
        place=str(said.get("in")).lower(),
        required=said.get("required") is True,
        schema=inner,
        file=spot.file,
        style=str(said.get("style") or ""),
        explode=explode if isinstance(explode, bool) else None,
        is_json="json" in media,
        description=said.get("description"),
    )


def _body(document: Document, operation: Operation, spot: Spot) -> Body | None:
    value = spot.value.get("requestBody")
    if value is None:
        return None
    try:
        found = document.follow(value, spot.file)
    except BadReference as error:
        operation.warnings.append(f"the body may be anything: {error}")
        found = Spot(spot.file, "", {"content": {"application/json": {}}})
    said = mapping(found.value)
    content = mapping(said.get("content"))
    if not content:
        operation.warnings.append("its body is left out: nothing says what it holds")
        return None
    _tell_media(content, "its body", operation)
    return Body(
        said.get("required") is True,
        {media: mapping(one).get("schema") for media, one in content.items()},
        found.file,
        {media: mapping(mapping(one).get("encoding")) for media, one in content.items()},
    )


def _answer(document: Document, operation: Operation, status: str, value: Any, file: str) -> Answer:
    try:
        found = document.follow(value, file)
    except BadReference as error:
        operation.warnings.append(f"the answer {status} may be anything: {error}")
        return Answer({"*/*": None}, file)
    if not isinstance(found.value, dict | None) or not isinstance(mapping(found.value).get("content"), dict | None):
        operation.warnings.append(f"the answer {status[:40]} may be anything: it is no object")
        return Answer({"*/*": None}, found.file)
    content = mapping(mapping(found.value).get("content"))
    _tell_media(content, f"the answer {status[:40]}", operation)
    return Answer({media: mapping(one).get("schema") for media, one in content.items()}, found.file)


def _tell_media(content: dict[str, Any], what: str, operation: Operation) -> None:
    """Say of which media types nothing is known because what stands under them is no object."""
    wrong = [media[:60] for media, one in content.items() if not isinstance(one, dict | None)]
    operation.warnings += [f"what {what} is as {media} may be anything: it is no object" for media in wrong]
