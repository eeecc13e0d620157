"""Examples: calls that the author of rules wrote down together with what should come of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rules.facts import Principal


@dataclass(frozen=True, slots=True)
class Example:
    """One example as written in `file`, `line`. `expect` is `allow`, `deny`, `approval` or a refusal code."""

    principal: Principal
    tool: str
    args: Mapping[str, Any]
    expect: str
    file: str = ""
    line: int = 0
