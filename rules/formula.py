"""Formulas: CEL over a call and its answer, for what a contract takes from them: values, or whether something is so.

The same engine as that of conditions, and the same three ends: an answer, or nobody can tell. A truthy error never
counts as an answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from cel_expr_python import cel
from cel_expr_python.ext import ext_strings

from rules.bulk import elements, holds_nul
from rules.cel import MOST_ELEMENTS, BadCondition, arguments_in, bare, compiled

ARGS, REPLY, STATUS = "args", "reply", "status"

_ASKED: Final = re.compile(r"\bhas\s*\(\s*args\.(\w+)\s*\)", re.ASCII)


class Untold(Exception):
    """A formula gives no answer for this call. The text says why, and holds no value."""


class Formula:
    """One expression, parsed and checked. Raises BadCondition. `names` are those of ARGS, REPLY and STATUS that it may
    use. `is_question`: it must be a yes or no.

    `uses` are the names that it does use, `arguments` maps those of the call's arguments that it names to whether it
    asks first if they are there.
    """

    __slots__ = ("_expression", "arguments", "text", "uses")

    def __init__(self, text: str, names: tuple[str, ...], is_question: bool = False) -> None:
        self.text = text
        self._expression = compiled(text, _env(names), names)
        kind = self._expression.return_type()
        if is_question and kind not in (cel.Type.BOOL, cel.Type.DYN):
            raise BadCondition(f"is {kind.name()}, must be yes or no", "compare it with something")
        told = bare(text)
        self.uses = frozenset(name for name in names if re.search(rf"(?<![.\w]){name}\b", told))
        self.arguments = {name: name in _ASKED.findall(told) for name in arguments_in(text)}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Formula) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Formula({self.text!r})"

    def value(self, facts: Mapping[str, Any]) -> Any:
        """The JSON value that it gives. Raises Untold."""
        given = self._given({name: facts[name] for name in self.uses})
        value = given.plain_value()
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            raise Untold("it gives no JSON value") from None
        if value is None:
            raise Untold("it gives null")
        return value

    def is_so(self, facts: Mapping[str, Any]) -> bool | None:
        """Yes, no, or None: nobody can tell."""
        try:
            value = self._given({name: facts[name] for name in self.uses}).value()
        except Untold:
            return None
        return value if value is True or value is False else None

    def _given(self, facts: Mapping[str, Any]) -> Any:
        for name, value in facts.items():
            # cel-expr-python cuts a text at its first U+0000.
            if holds_nul(value):
                raise Untold(f"`{name}` holds a NUL character, behind which it could not see")
            if not 0 <= elements(value) <= MOST_ELEMENTS:
                raise Untold(f"`{name}` holds more than {MOST_ELEMENTS} items")
        try:
            given = self._expression.eval(_env(tuple(facts)).Activation(dict(facts)))
        except Exception:  # a value that CEL cannot hold, such as an integer beyond 64 bits
            raise Untold("it cannot be worked out") from None
        if given.type() in (cel.Type.ERROR, cel.Type.UNKNOWN):
            raise Untold("it asks for what is not there, or cannot be worked out")
        return given


@cache
def _env(names: tuple[str, ...]) -> Any:
    types = cel.Type
    known = {ARGS: types.Map(types.STRING, types.DYN), REPLY: types.DYN, STATUS: types.INT}
    variables = {name: known[name] for name in (ARGS, REPLY, STATUS) if name in names}
    return cel.NewEnv(variables=variables, extensions=[ext_strings.ExtStrings()])
