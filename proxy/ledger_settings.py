"""What toolwall.yaml says of the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from rules.shape import Choice, Form, Key

LEDGER: Final = Form(
    {
        "arguments": Key(Choice(("off", "redacted")), "Whether Records hold redacted arguments. off"),
        "on_error": Key(
            Choice(("refuse", "pass")),
            "What becomes of reads while Records cannot be written; `pass` lets them through and says so. Calls with "
            "effects are refused. refuse",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """What Records hold, and what happens while they cannot be written."""

    arguments: Literal["off", "redacted"] = "off"
    on_error: Literal["refuse", "pass"] = "refuse"


def read_ledger(raw: Mapping[str, Any]) -> LedgerSettings:
    """The settings in a checked `ledger` of toolwall.yaml."""
    return LedgerSettings(**raw)
