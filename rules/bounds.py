"""The keys of rules files that bound what agents spend: limits, budgets and prices."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from rules.amounts import MONEY
from rules.shape import DURATION, Choice, Either, Form, Key, Many, Number, Size, Text

POINTER: Final = r"^(/(.|\n)*)?$"
_Duration: Final = Text(DURATION, "a duration such as 500ms, 10s or 15m")
PER: Final = ("principal", "agent", "user", "role", "run", "tool", "backend")
RATE: Final = rf"^[1-9][0-9]{{0,8}}/(second|minute|hour|day|[smhd]|{DURATION[1:-1]})$"
_Rate: Final = Text(RATE, "calls per time, such as 20/hour, 100/minute or 5/10s")
_PER: Final = Key(
    Many(Choice((*PER, "all")), or_one=True),
    "What has a count of its own, such as run or [principal, tool]; `all` is one count for all callers.",
)
_CALLS: Final = Key(_Rate, "The most calls in any such time.")
_Money: Final = Text(MONEY, "an amount and a currency, such as 0.02 EUR")
_FROM: Final = Key(Text(POINTER, "a JSON pointer such as /usage/cost"), "Where the reply says it.", required=True)
_MOST_TOKENS: Final = Number(0, 10**12)
PRICE: Final = Either(
    _Money,
    Form({"from": _FROM, "most": Key(_Money, "What is set aside, and paid where the reply does not say.", True)}),
)
TOKENS: Final = Either(
    _MOST_TOKENS,
    Form({"from": _FROM, "most": Key(_MOST_TOKENS, "What is set aside, and paid where the reply does not say.", True)}),
)
BUDGET: Final = Form(
    {
        "per": Key(
            Many(Choice(("principal", "agent", "user", "run", "tool", "backend", "all")), or_one=True),
            "Who has an account, such as run or [agent, tool]; `all` is one account for all callers.",
            required=True,
        ),
        "each": Key(Choice(("hour", "day", "month")), "When it begins anew, in UTC; without it never."),
        "calls": Key(Number(1, 10**12), "The most calls."),
        "bytes": Key(Size(), "The most bytes of answers."),
        "time": Key(_Duration, "The most time that calls take, added up."),
        "tokens": Key(Number(1, 10**12), "The most tokens."),
        "money": Key(_Money, "The most money."),
    }
)
CONTRACT_LIMIT: Final = Many(Either(_Rate, Form({"calls": replace(_CALLS, required=True), "per": _PER})), or_one=True)
RULE_LIMIT: Final = Many(
    Either(
        _Rate,
        Form({"calls": _CALLS, "at_once": Key(Number(1, 1_000_000), "The most calls under way."), "per": _PER}),
    ),
    or_one=True,
)
