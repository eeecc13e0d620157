"""Amounts that are counted: calls, bytes, milliseconds, tokens, and money in billionths. Whole numbers only."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal
from typing import Any, Final

CALLS: Final = "calls"
BYTES: Final = "bytes"
TIME: Final = "time"
"""In milliseconds."""

TOKENS: Final = "tokens"
PLAIN: Final = (CALLS, BYTES, TIME, TOKENS)
"""Every other unit is a currency."""

MONEY: Final = r"^(0|[1-9][0-9]{0,8})(\.[0-9]{1,9})? [A-Z]{3}$"
PARTS: Final = 10**9
"""Of one unit of a currency: a single token of a language model costs less than a millionth."""

MOST: Final = 10**18
"""Of anything that is counted: a thousand million of a currency. It fits the 64 bits of a database."""


def money(text: str) -> tuple[str, int]:
    """Currency and parts of a checked text such as `0.02 EUR`."""
    number, currency = text.split(" ")
    return currency, int(Decimal(number) * PARTS)


def parsed(unit: str, value: Any) -> int | None:
    """What a JSON value (a number, or a text that is one) says of a unit, rounded up; None where it says nothing."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str) or len(str(value)) > 40:
        return None
    try:
        exact = Decimal(value) * (1 if unit in PLAIN else PARTS)
        whole = int(exact.to_integral_value(ROUND_CEILING)) if 0 <= exact <= MOST else None
    except ArithmeticError:  # no number, or one beyond what decimals hold
        return None
    return whole


def told(unit: str, amount: int) -> int | str:
    """An amount as Records hold it: `0.02` for money, a number for anything else."""
    if unit in PLAIN:
        return amount
    whole, parts = divmod(amount, PARTS)
    return f"{whole}.{parts:09d}".rstrip("0").rstrip(".")


def spoken(unit: str, amount: int) -> str:
    """An amount in words, such as `5 EUR` or `200 calls`."""
    if unit == TIME:
        return f"{amount / 1000:g} s"
    return f"{told(unit, amount)} {unit}"
