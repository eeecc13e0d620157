"""W3C Baggage (https://www.w3.org/TR/baggage/): the one member that says which run a call belongs to. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

from proxy.protocols.head import bad

KEY: Final = "toolwall.run"
MOST_CHARACTERS: Final = 8192
"""The length that the standard asks every system to be able to pass on."""

RUN: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
"""The name of a run, wherever it comes from."""

_VALUE: Final = re.compile(r"(?:[A-Za-z0-9._:-]|%[0-9A-Fa-f]{2}){1,384}")


def run_of(headers: Iterable[str]) -> str:
    """The run that the `baggage` headers name, or empty. What else is in them is not looked at.

    Raises Refusal where they name it in a way that could be read otherwise: twice, too long, or not as a run is named.
    """
    text = ",".join(headers)
    if KEY not in text:
        return ""
    if len(text) > MOST_CHARACTERS:
        raise bad(f"`baggage` names `{KEY}` and is longer than {MOST_CHARACTERS} characters.")
    members = [member.partition(";")[0].partition("=") for member in text.split(",")]
    values = [value.strip(" \t") for key, _, value in members if key.strip(" \t") == KEY]
    if len(values) > 1:
        raise bad(f"`baggage` names `{KEY}` more than once.")
    if not values:
        return ""
    run = unquote(values[0], errors="replace") if _VALUE.fullmatch(values[0]) else ""
    if not RUN.fullmatch(run):
        raise bad(f"`{KEY}` in `baggage` must be 1 to 128 letters, digits, or one of `._:-`.")
    return run
