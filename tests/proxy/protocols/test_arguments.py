"""From texts of the wire to typed arguments."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.errors import Refusal
from proxy.protocols.arguments import gather, typed


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("7", "integer", 7),
        ("-0", "integer", 0),
        ("9007199254740993", "integer", 9007199254740993),
        ("9" * 101, "integer", "9" * 101),
        ("07", "integer", "07"),
        ("+7", "integer", "+7"),
        ("7 ", "integer", "7 "),
        ("7\n", "integer", "7\n"),
        ("٧", "integer", "٧"),
        ("1_0", "integer", "1_0"),
        ("0x1", "integer", "0x1"),
        ("1.0", "integer", "1.0"),
        ("1e3", "integer", "1e3"),
        ("", "integer", ""),
        ("1.5", "number", 1.5),
        ("1e2", "number", 100.0),
        ("3", "number", 3),
        ("1e999", "number", "1e999"),
        ("NaN", "number", "NaN"),
        ("inf", "number", "inf"),
        (".5", "number", ".5"),
        ("true", "boolean", True),
        ("false", "boolean", False),
        ("True", "boolean", "True"),
        ("1", "boolean", "1"),
        ("7", "string", "7"),
    ],
)
def test_a_text_that_does_not_fit_its_kind_stays_text(text: str, kind: str, value: Any) -> None:
    found = typed(text, kind)
    assert found == value
    assert type(found) is type(value)


def test_one_value_or_several() -> None:
    assert gather(["1", "x"], "array of integer", "a") == [1, "x"]
    assert gather(["1"], "array of integer", "a") == [1]
    assert gather(["1"], "integer", "a") == 1
    with pytest.raises(Refusal, match="bad_request"):
        gather(["1", "1"], "integer", "a")
