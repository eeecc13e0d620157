"""What toolwall.yaml says of the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from rules.shape import DURATION, Choice, Form, Key, Size, Table, Text, duration, size
from rules.source import LoadProblem, Node

EVERY_S: Final = 60.0
_Duration: Final = Text(DURATION, "a duration such as 5m, 12h or 90d")

AUTHORITY: Final = r"([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?"
PLACE: Final = Text(f"^https?://{AUTHORITY}(/[^?#\\s]*)?$", "an http or https URL without user, query or fragment")
HEADERS: Final = Table(Text(), r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", "the name of a header")
"""A place of the operator's that things are sent to, and what is sent with them."""

LEDGER: Final = Form(
    {
        "arguments": Key(Choice(("off", "redacted")), "Whether Records hold redacted arguments. off"),
        "on_error": Key(
            Choice(("refuse", "pass")),
            "What becomes of reads while Records cannot be written; `pass` lets them through and says so. Calls with "
            "effects are refused. refuse",
        ),
        "checkpoints": Key(
            Form(
                {
                    "to": Key(Text(), "The file they are added to, relative to this file."),
                    "url": Key(PLACE, "Where each is sent to, with POST."),
                    "headers": Key(HEADERS, "Headers for that place; a value may be env:NAME."),
                    "every": Key(_Duration, "How often, as long as calls come. 1m"),
                }
            ),
            "Signed checkpoints, for a place where nobody on this machine can change what is written: a file, a URL "
            "or both.",
        ),
        "keep": Key(
            Form(
                {
                    "for": Key(_Duration, "How long segments stay after their last record."),
                    "size": Key(Size(), "How much of them stays."),
                }
            ),
            "What stays of old segments; needs `checkpoints`. Everything",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """What Records hold, what happens while they cannot be written, and how they are kept.

    `checkpoints` is the file of signed checkpoints, `url` where they are sent with `headers`, one every `every_s`;
    segments older than `keep_s`, or beyond `keep_bytes` in all, are removed.
    """

    arguments: Literal["off", "redacted"] = "off"
    on_error: Literal["refuse", "pass"] = "refuse"
    checkpoints: Path | None = None
    every_s: float = EVERY_S
    keep_s: float = float("inf")
    keep_bytes: float = float("inf")
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def signs(self) -> bool:
        """Whether checkpoints have a place."""
        return bool(self.checkpoints or self.url)

    @property
    def keeps_all(self) -> bool:
        """Whether nothing is ever removed."""
        return self.keep_s == self.keep_bytes == float("inf")


def read_ledger(raw: Mapping[str, Any], folder: Path) -> LedgerSettings:
    """The settings in a checked `ledger` of toolwall.yaml, which lies in `folder`."""
    checkpoints, keep = raw.get("checkpoints", {}), raw.get("keep", {})
    return LedgerSettings(
        arguments=raw.get("arguments", "off"),
        on_error=raw.get("on_error", "refuse"),
        checkpoints=folder / checkpoints["to"] if "to" in checkpoints else None,
        every_s=duration(checkpoints.get("every", f"{EVERY_S:.0f}s")),
        keep_s=duration(keep["for"]) if "for" in keep else float("inf"),
        keep_bytes=float(size(keep["size"])) if "size" in keep else float("inf"),
        url=checkpoints.get("url", ""),
        headers=checkpoints.get("headers", {}),
    )


def check_ledger(node: Node) -> list[LoadProblem]:
    """What is wrong with `ledger` as a whole: checkpoints that go nowhere, and segments that go before any."""
    checkpoints, problems = node.get("checkpoints"), []
    if checkpoints is None and node.get("keep") is not None:
        problems.append(node.key_problem("keep", "is there without `checkpoints`", "name a place for them: {to: PATH}"))
    if checkpoints is not None and checkpoints.get("to") is None and checkpoints.get("url") is None:
        problems.append(node.key_problem("checkpoints", "has neither `to` nor `url`", "name a file, a URL or both"))
    if checkpoints is not None and checkpoints.get("url") is None and checkpoints.get("headers") is not None:
        problems.append(checkpoints.key_problem("headers", "is there without `url`"))
    return problems
