"""From strings on the wire to typed arguments, as the contract declares them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import isfinite
from typing import Any

from proxy.errors import Refusal

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,99})")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,99})(?:\.[0-9]{1,100})?(?:[eE][+-]?[0-9]{1,3})?")
_ARRAY = "array of "


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


def gather(values: Sequence[str], kind: str, name: str) -> Any:
    """The value of a name that came once or more. Raises Refusal when a single value came several times."""
    if kind.startswith(_ARRAY):
        return [typed(value, kind.removeprefix(_ARRAY)) for value in values]
    if len(values) > 1:
        raise Refusal(
            "bad_request", f"The parameter `{name}` is given more than once.", suggestion="Send each parameter once."
        )
    return typed(values[0], kind)
