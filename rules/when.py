"""Conditions: CEL (cel.dev) behind an interface with three answers: yes, no, cannot tell.

Google's cel-cpp evaluates in bounded memory with RE2 patterns. Its errors are values, and truthy ones, so that only
`True` itself is a yes and only `False` itself a no; anything else (a missing field, an overflow, a type that does not
fit, a number beyond 64 bits) is None: cannot tell.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, Final, NamedTuple

from cel_expr_python import cel
from cel_expr_python.ext import ext_strings

from rules.bulk import elements, holds_nul
from rules.cel import MOST_ELEMENTS, TEXT, BadCondition, compiled
from rules.expressions import parse
from rules.facts import Facts
from rules.literals import check_literals
from rules.related import VARIABLE, Question, find, named
from rules.relations import NO_RELATIONS, Relations

_LOOP: Final = re.compile(r"\.\s*(all|exists|exists_one|map|filter)\s*\(")

_NUMBER: Final = r"-?(?:0|[1-9][0-9]{0,17})"
_WORD: Final = r""""[^"\\\x00-\x1f\x7f-\U0010ffff]*"|'[^'\\\x00-\x1f\x7f-\U0010ffff]*'"""
_SIMPLE: Final = re.compile(
    rf"""args\.([A-Za-z_]\w*)\s*(?:
        (<=|>=|==|!=|<|>)\s*({_NUMBER})
        | (==|!=)\s*({_WORD})
        | in\s*\[\s*((?:{_NUMBER})(?:\s*,\s*(?:{_NUMBER}))*)\s*\]
        | in\s*\[\s*((?:{_WORD})(?:\s*,\s*(?:{_WORD}))*)\s*\]
    )""",
    re.ASCII | re.VERBOSE,
)
"""The commonest conditions: an argument against a number, a word, or some of them. Python answers as CEL does, in a
tenth of the time."""

_NUMBERS: Final = re.compile(_NUMBER)
_WORDS: Final = re.compile(_WORD)
Quick = Callable[[Any], bool | None]
"""Answers for the value of an argument; None for one that only CEL can judge."""

_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def _quick(text: str) -> tuple[str, Quick] | None:
    """The argument that a simple condition looks at, and its answer."""
    found = _SIMPLE.fullmatch(text.strip())
    if not found:
        return None
    name, order, number, same, word, numbers, words = found.groups()
    if order:
        return name, _of_number(partial(_turned, _COMPARE[order], int(number)))
    if same:
        return name, _of_word(partial(_turned, _COMPARE[same], word[1:-1]))
    if numbers:
        return name, _of_number(frozenset(map(int, _NUMBERS.findall(numbers))).__contains__)
    return name, _of_word(frozenset(one[1:-1] for one in _WORDS.findall(words)).__contains__)


def _turned(compare: Callable[[Any, Any], bool], limit: Any, value: Any) -> bool:
    return compare(value, limit)


def _of_number(answer: Callable[[Any], bool]) -> Quick:
    return lambda value: answer(value) if type(value) is int and -(2**63) <= value < 2**63 else None


def _of_word(answer: Callable[[Any], bool]) -> Quick:
    return lambda value: answer(value) if type(value) is str and value.isascii() and "\0" not in value else None


PARTS: Final[Mapping[str, Callable[[Facts], Any]]] = {
    "args": lambda facts: facts.args if type(facts.args) is dict else dict(facts.args),
    "principal": lambda facts: {
        "id": facts.principal.id,
        "roles": sorted(facts.principal.roles),
        "agent": facts.principal.agent,
        "user": facts.principal.user,
        "chain": [link.id for link in facts.principal.chain],
        "claims": dict(facts.principal.claims),
    },
    "tool": lambda facts: {
        "name": facts.tool.name,
        "backend": facts.tool.backend,
        "effect": facts.tool.effect,
        "method": facts.tool.method,
    },
    "run": lambda facts: {"id": facts.run.id, "step": facts.run.step},
    "time": lambda facts: facts.now,
    "network": lambda facts: {"peer": facts.peer},
}
_FIELDS: Final = {
    "principal": ("id", "roles", "agent", "user", "chain", "claims"),
    "tool": ("name", "backend", "effect", "method"),
    "run": ("id", "step"),
    "network": ("peer",),
}
VARIABLES: Final = tuple(PARTS)


class Lookup(NamedTuple):
    """One `related(...)` of a condition: the variable that stands for its answer, and what is asked."""

    variable: str
    relation: str
    subject: Any
    object: Any
    text: str

    def question(self, asking: Asking) -> Question | None:
        """What is asked of this call; None where nobody can be named."""
        try:
            subject, object = (named(each.eval(asking.activation()).value()) for each in (self.subject, self.object))
        except Exception:  # a value that CEL cannot hold
            return None
        return Question(subject, self.relation, object) if subject and object else None


class When:
    """One condition, parsed and type-checked. Raises BadCondition. `uses` names the variables that it needs, `lookups`
    the relations that it asks for."""

    __slots__ = ("_expression", "_loops", "_simple", "lookups", "text", "uses")

    def __init__(self, text: str) -> None:
        self.text = text
        bare = TEXT.sub('""', text)
        self.uses = frozenset(name for name in VARIABLES if re.search(rf"\b{name}\b", bare))
        self._loops = _LOOP.search(bare) is not None
        self._simple = _quick(text)
        rewritten, found = find(text, frozenset(VARIABLES))
        self.lookups = tuple(
            Lookup(one.variable, one.relation, _named(one.subject), _named(one.object), one.text) for one in found
        )
        self._expression = compiled(rewritten, _env(len(found)), VARIABLES)
        if self._expression.return_type() not in (cel.Type.BOOL, cel.Type.DYN):
            kind = self._expression.return_type().name()
            raise BadCondition(f"is {kind}, must be yes or no", "compare it with something")
        _check_fields(bare)
        check_literals(parse(self.serialized()), _trial)

    def ask(self, asking: Asking) -> bool | None:
        """Yes (True), no (False), or cannot tell (None). Never raises."""
        if self._simple:
            name, quick = self._simple
            if (known := quick(asking.argument(name))) is not None:
                return known
        if self._loops and not 0 <= asking.elements() <= MOST_ELEMENTS:
            return None
        try:
            answer = self._expression.eval(asking.activation(self.lookups)).value()
        except Exception:  # a value that CEL cannot hold, such as a lone surrogate
            return None
        return answer if answer is True or answer is False else None

    def trouble(self, asking: Asking) -> str:
        """Why the answer is "cannot tell", for operators: it may hold values of the call."""
        if self._loops and not 0 <= asking.elements() <= MOST_ELEMENTS:
            return "the arguments hold too many items for a condition that loops"
        if untold := [one.text for one in self.lookups if asking.related(one) is None]:
            return f"nobody can tell {untold[0]}"
        try:
            answer = self._expression.eval(asking.activation(self.lookups)).value()
        except Exception as error:
            return str(error)
        return str(answer) if isinstance(answer, str) else "it is not a yes or no"

    def serialized(self) -> bytes:
        """The checked expression, as a `cel.expr.CheckedExpr` in a `google.protobuf.Any`."""
        data: bytes = self._expression.serialize()
        return data

    def arguments(self) -> list[bytes]:
        """The same of the arguments of its `related(...)`."""
        return [each.serialize() for one in self.lookups for each in (one.subject, one.object)]

    def __repr__(self) -> str:
        return f"When({self.text!r})"


class Asking:
    """The variables of one call as CEL sees them, made when the first condition asks and then shared."""

    __slots__ = ("_activation", "_elements", "_facts", "_relations", "_uses")

    def __init__(self, facts: Facts, uses: frozenset[str], relations: Relations = NO_RELATIONS) -> None:
        self._facts = facts
        self._uses = uses
        self._relations = relations
        self._activation: Any = None
        self._elements: int | None = None

    def argument(self, name: str) -> Any:
        """An argument as it is, or None where there is none."""
        return self._facts.args.get(name)

    def related(self, lookup: Lookup) -> bool | None:
        """The answer to one `related(...)`, or None where nobody can tell."""
        question = lookup.question(self)
        if question is None:
            return None
        told = self._facts.relations.get(question)
        return self._relations.answer(question) if told is None else told

    def activation(self, lookups: tuple[Lookup, ...] = ()) -> Any:
        """What an expression is evaluated against; raises whatever the conversion raises. Of `lookups` those
        that nobody can tell are missing: then CEL tells only what does not depend on them."""
        if self._activation is None:
            # cel-expr-python cuts a text at its first U+0000, so that "safe\0../.." would be equal to "safe".
            if "args" in self._uses and holds_nul(self._facts.args):
                raise ValueError("an argument holds a NUL character, behind which a condition could not see")
            self._activation = _env(0).Activation({name: PARTS[name](self._facts) for name in self._uses})
        if not lookups:
            return self._activation
        parts = {name: PARTS[name](self._facts) for name in self._uses}
        told = {one.variable: answer for one in lookups if (answer := self.related(one)) is not None}
        return _env(len(lookups)).Activation(parts | told)

    def elements(self) -> int:
        """How many items and members the arguments hold at all depths; -1 where they are nested too deep."""
        if self._elements is None:
            self._elements = elements(self._facts.args)
        return self._elements


def _named(text: str) -> Any:
    """An argument of `related(...)`: an expression that can name somebody. Raises BadCondition."""
    expression = compiled(text, _env(0), VARIABLES)
    if expression.return_type() not in (cel.Type.STRING, cel.Type.INT, cel.Type.DYN):
        kind = expression.return_type().name()
        raise BadCondition(f"{text.strip()} in `related` is {kind}, must be a text or a whole number")
    return expression


@cache
def _env(lookups: int) -> Any:
    """Where conditions are compiled and asked that have so many `related(...)`: an expression understands the values of
    its own environment alone."""
    types = cel.Type
    text_map = types.Map(types.STRING, types.STRING)
    dyn_map = types.Map(types.STRING, types.DYN)
    variables = {
        "args": dyn_map,
        "principal": dyn_map,
        "tool": text_map,
        "run": dyn_map,
        "time": types.TIMESTAMP,
        "network": text_map,
        **{f"{VARIABLE}{number}": types.BOOL for number in range(lookups)},
    }
    return cel.NewEnv(variables=variables, extensions=[ext_strings.ExtStrings()])


def _trial(text: str, variables: dict[str, Any]) -> Any:
    return compiled(text, _env(0), VARIABLES).eval(_env(0).Activation(variables)).value()


def _check_fields(bare: str) -> None:
    """Refuse `principal.rolle`: on a map CEL would answer it with an error on each call."""
    for name, fields in _FIELDS.items():
        for found in re.finditer(rf"(?<![.\w]){name}\s*\.\s*(\w+)", bare):
            if found[1] not in fields:
                raise BadCondition(f"asks for {name}.{found[1]}", f"{name} has: {', '.join(fields)}")
