"""From strings on the wire to typed arguments, as the contract declares them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import isfinite
from typing import Any

from proxy.errors import Refusal
from proxy.protocols import strictjson
from rules.kinds import Kind

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,99})")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,99})(?:\.[0-9]{1,100})?(?:[eE][+-]?[0-9]{1,3})?")
_OTHERS = ("boolean", "integer", "number")


def typed(text: str, kind: str) -> Any:
    """The JSON value that `text` stands for. Text that does not fit its kind stays text: the contract says so then."""
    if kind == "integer" and _INTEGER.fullmatch(text):
        return int(text)
    if kind == "number" and _NUMBER.fullmatch(text):
        number = float(text) if any(mark in text for mark in ".eE") else int(text)
        return number if isfinite(number) else text
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    return text


def scalar(text: str, kind: Kind, most_depth: int) -> Any:
    """The value of one text.

    Where both text and something else may stand, text wins unless the contract lists its words and this is none of
    them. Where nothing but an array or an object may stand, it is JSON text: no style of OpenAPI nests deeper.
    """
    if kind.simple:
        return typed(text, kind.simple)
    if "string" in kind.types and (kind.words is None or text in kind.words):
        return text
    for one in _OTHERS:
        if one in kind.types and not isinstance(value := typed(text, one), str):
            return value
    return json(text, most_depth) if not kind.is_scalar and text[:1] in ("{", "[") else text


def json(text: str, most_depth: int) -> Any:
    """The value of JSON text. Raises Refusal for text that is none, or that can be read in two ways."""
    try:
        return strictjson.parse(text.encode(), most_depth)
    except Refusal as refusal:
        if refusal.code != "bad_request":
            raise
        raise Refusal(
            "bad_request",
            "A parameter that is JSON text is not valid JSON, or could be read in two ways.",
            suggestion="Send one JSON value, each key once, percent-encoded where it stands in a URL.",
        ) from None


def gather(values: Sequence[str], kind: Kind, name: str, most_depth: int) -> Any:
    """The value of a name that came once or more. Raises Refusal when a single value came several times."""
    if kind.is_list and (len(values) > 1 or not kind.is_scalar):
        item = kind.item()
        return [scalar(value, item, most_depth) for value in values]
    if len(values) > 1:
        raise Refusal(
            "bad_request", f"The parameter `{name}` is given more than once.", suggestion="Send each parameter once."
        )
    return scalar(values[0], kind, most_depth)
