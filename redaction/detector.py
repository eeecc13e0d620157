"""What finds things in a text, and the patterns that are data.

A family of patterns is one file `detectors/NAME.toml`, each pattern a block of it:

    [[pattern]]
    name = "card"                   # unique; it stands in each finding
    kind = "CREDIT_CARD"
    says = "A payment card number." # what it is, after which document
    regex = '\\b(4\\d{15})\\b'        # RE2 syntax; group 1, if there is one, is the finding
    gate = '[0-9]'                  # optional: a simpler expression that stands inside whatever the regex matches
    check = "card"                  # optional: a function of `redaction.checks`
    context = ["card", "visa"]      # optional: one of these words must stand close by, or end the key in JSON
    unless = ["version"]            # optional: none of these words may stand just before, or end the key
    keyed = true                    # optional: only the key in JSON counts as context, not the words close by
    entropy = 3.0                   # optional: the least of Shannon's entropy, in bits a character
    stop = ["example"]              # optional: nothing that holds one of these, in any case, is a finding
    numbers = true                  # optional: also look at JSON numbers
    score = 0.9                     # optional, 0 to 1; which of two overlapping findings names the kind
    yes = ["{digit:4} ..."]         # found in each, no = found in none; `{alnum:36}` is filled with random characters
    no = ["..."]

No pattern takes a quotation mark for a part of its finding, and all take it for the end of the text: so a finding in a
string of a JSON text can also be seen where that string stands.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from redaction.finding import Finding

FOLDER = Path(__file__).with_name("detectors")


class Detector(Protocol):
    """Anything that finds things of some kinds in a text."""

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds that this detector can find."""

    def find(self, text: str, key: str = "") -> list[Finding]:
        """The findings in `text`. `key` is the name under which the text stands in its document, if any."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One block of a detectors file; see the module's text for the fields."""

    name: str
    kind: str
    says: str
    regex: str
    yes: tuple[str, ...]
    no: tuple[str, ...]
    gate: str = ""
    check: str = ""
    context: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    keyed: bool = False
    entropy: float = 0.0
    stop: tuple[str, ...] = ()
    numbers: bool = False
    score: float = 0.9


def load(path: Path) -> list[Pattern]:
    """The patterns of one file. Raises ValueError for a block that does not fit, TOMLDecodeError for broken TOML."""
    blocks: list[dict[str, Any]] = tomllib.loads(path.read_text("utf-8"))["pattern"]
    return [_pattern(path, block) for block in blocks]


def _pattern(path: Path, block: dict[str, Any]) -> Pattern:
    try:
        return Pattern(**{name: _frozen(value) for name, value in block.items()})
    except TypeError as error:
        raise ValueError(f"{path.name}: pattern {block.get('name', '?')!r}: {error}") from None


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


@cache
def families() -> Mapping[str, Sequence[Pattern]]:
    """The patterns of our files by the files' names, in order. They are read once."""
    return {path.stem: tuple(load(path)) for path in sorted(FOLDER.glob("*.toml"))}


@cache
def all_patterns() -> Sequence[Pattern]:
    """Every pattern of every family."""
    return tuple(pattern for family in families().values() for pattern in family)
