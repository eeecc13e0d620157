"""What a condition can answer for one tool, by the tool's schema, without a call.

Each node of the expression gets the values that it can have. What is not understood can be anything, so that "can
never be yes" is sure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from rules.expressions import Expr, parse
from rules.lint.comparing import (
    COMPARISONS,
    MOST_KINDS,
    ORDERED,
    TYPES,
    Known,
    Path,
    asked_for,
    constants_of,
    exact_kinds,
    implied,
    in_words,
    literal,
    loose_kinds,
    ordered,
    subject,
)
from rules.lint.values import ANYTHING, NOTHING, Schemas, Value, any_of, constant, kinds_of, meet
from rules.rule import To
from rules.tools import Tool
from rules.when import When

MOST_STEPS: Final = 20_000
"""Nodes that are read for one condition and tool: a side of `&&` and `||` may be read twice, and so may its sides."""

_TEXT: Final = Value(frozenset({"string"}))
_BOOL: Final = constant([False, True])
_ERROR: Final = replace(NOTHING, trouble=True)
"""Never a value: it cannot be answered, whatever the call is."""

_UNKNOWN: Final = replace(ANYTHING, trouble=True)
_SIZED: Final = frozenset({"string", "bytes", "list", "map"})
_WALKED: Final = frozenset({"list", "map"})
_OF_TEXT: Final[Mapping[str, str]] = {
    **dict.fromkeys(("contains", "startsWith", "endsWith", "matches"), "bool"),
    **dict.fromkeys(("lowerAscii", "upperAscii", "charAt", "replace", "substring", "trim", "reverse"), "string"),
    **dict.fromkeys(("indexOf", "lastIndexOf"), "int"),
    "split": "list",
}
"""Functions that only a text has, and what they give."""

_GIVES: Final[Mapping[str, str]] = {
    **_OF_TEXT,
    **{name: name for name in ("int", "uint", "double", "string", "bool", "timestamp", "duration", "type")},
}
_SIGNS: Final = frozenset({"_+_", "_-_", "_*_", "_/_", "_%_"})


@dataclass(frozen=True, slots=True)
class Answer:
    """Which answers a condition can give. `doubt`: it may not be answerable. `told` are (kind of finding, words)."""

    yes: bool
    no: bool
    doubt: bool
    told: tuple[tuple[str, str], ...] = ()


def judge(when: When, tool: Tool, to: To) -> Answer:
    """What a condition can answer for calls of a tool that keep its contract, by callers that `to` is about."""
    reader = _Reader(tool, to)
    try:
        value = reader.read(parse(when.serialized()), {})
        for data in when.arguments():
            reader.argument(parse(data))
    except (ValueError, RecursionError):  # another compiler's form, or too large: nothing is known, nothing is told
        return Answer(True, True, True)
    return Answer(_may(value, True), _may(value, False), value.trouble or value.kinds != {"bool"}, reader.told())


def _may(value: Value, answer: bool) -> bool:
    return "bool" in value.kinds and (value.consts is None or ("bool", answer) in value.consts)


def _not(value: Value) -> Value:
    return replace(constant([not answer for answer in (True, False) if _may(value, answer)]), trouble=value.trouble)


def _variables(tool: Tool, to: To) -> dict[Path, Value]:
    """What is known of the variables besides `args`. An agent or user that is not known is empty."""

    def text(*values: str) -> Value:
        return constant(values) if values else _TEXT

    return {
        ("principal", "id"): _TEXT,  # also of one that `to` names: it may act for somebody
        ("principal", "agent"): text(*to.agents, *[""][: len(to.agents)]),
        ("principal", "user"): text(*to.users, *[""][: len(to.users)]),
        ("principal", "roles"): Value(frozenset({"list"})),
        ("principal", "chain"): Value(frozenset({"list"})),
        ("principal", "claims"): Value(frozenset({"map"})),
        ("tool", "name"): text(tool.name),
        ("tool", "backend"): text(tool.backend),
        ("tool", "effect"): text(tool.effect),
        ("tool", "method"): text(tool.method),
        ("run", "id"): _TEXT,
        ("run", "step"): Value(frozenset({"int"}), low=1),
        ("network", "peer"): _TEXT,
        ("time",): Value(frozenset({"timestamp"})),
    }


class _Reader:
    """Walks an expression for one tool and notes what is wrong with it."""

    def __init__(self, tool: Tool, to: To) -> None:
        self._schemas = Schemas(tool.contract)
        self._variables = _variables(tool, to)
        self._local: dict[str, Value] = {"args": self._schemas.root}
        self._told: dict[tuple[str, str], None] = {}
        self._steps = 0
        self._ways: Mapping[str, Callable[[Expr, Known], Value]] = {
            "const": lambda expr, _: literal(expr),
            "ident": lambda expr, _: self._ident(expr),
            "select": lambda expr, known: self._select(self.read(expr.parts[0], known), expr.name, known),
            "has": lambda expr, known: self._has(self.read(expr.parts[0], known), expr.name, known),
            "list": lambda expr, known: self._made("list", expr, known),
            "map": lambda expr, known: self._made("map", expr, known),
            "loop": self._loop,
            "call": self._call,
        }
        self._calls: Mapping[str, Callable[[Expr, Known], Value]] = {
            "_&&_": lambda expr, known: self._both(expr, known, True),
            "_||_": lambda expr, known: self._both(expr, known, False),
            "!_": lambda expr, known: _not(self.read(expr.parts[0], known)),
            "_?_:_": self._choice,
            "@in": self._in,
            "_[_]": self._index,
            **dict.fromkeys(COMPARISONS, self._comparison),
            **dict.fromkeys(_SIGNS, self._arithmetic),
        }

    def told(self) -> tuple[tuple[str, str], ...]:
        return tuple(self._told)

    def read(self, expr: Expr, known: Known) -> Value:
        """What an expression can be. Raises ValueError where it takes too many steps to find out."""
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise ValueError
        way = self._ways.get(expr.what)
        return way(expr, known) if way else _UNKNOWN

    def argument(self, expr: Expr) -> None:
        """Note what is wrong with an argument of `related(...)`. What the condition makes sure of before is not known
        here, so nothing is said of what may be left out."""
        before = dict(self._told)
        self.read(expr, {})
        self._told = {one: None for one in self._told if one in before or one[0] != "when-optional"}

    def _quiet(self, expr: Expr, known: Known) -> Value:
        """The same, and nothing is noted."""
        told = dict(self._told)
        value = self.read(expr, known)
        self._told = told
        return value

    def _tell(self, kind: str, words: str) -> None:
        self._told[kind, words] = None

    def _ident(self, expr: Expr) -> Value:
        if expr.name in self._local:
            return self._local[expr.name]
        path = (expr.name,)
        if path in self._variables or any(path == known[:1] for known in self._variables):
            return replace(self._variables.get(path, Value(frozenset({"map"}))), path=path)
        return Value(frozenset({"type"})) if expr.name in TYPES else _UNKNOWN

    def _made(self, kind: str, expr: Expr, known: Known) -> Value:
        parts = [self.read(part, known) for part in expr.parts]
        return Value(frozenset({kind}), most=len(parts), trouble=any(part.trouble for part in parts))

    def _select(self, owner: Value, name: str, known: Known) -> Value:
        path = (*owner.path, name) if owner.path else ()
        if path in self._variables:
            return replace(meet(self._variables[path], known.get(path, ANYTHING)), path=path)
        value, presence = self._schemas.member(owner, name)
        if not owner.kinds:
            return _ERROR
        if presence == "never":
            self._absent(owner, name)
            return _ERROR
        sure = path in known or presence == "always"
        if not sure and owner.shapes is not None:
            self._tell("when-optional", f"asks for {'.'.join(path) or name}, which may be left out")
        return replace(meet(value, known.get(path, ANYTHING)), path=path, trouble=owner.trouble or not sure)

    def _absent(self, owner: Value, name: str) -> None:
        if "map" in owner.kinds:
            self._tell("when-unknown-argument", f"asks for {subject(owner)}.{name}, which is not declared")
        else:
            self._tell("when-wrong-type", f"asks for .{name} of {subject(owner)}, which is {in_words(owner)}")

    def _has(self, owner: Value, name: str, known: Known) -> Value:
        path = (*owner.path, name) if owner.path else ()
        _, presence = self._schemas.member(owner, name)
        if presence == "never" and owner.kinds:
            self._absent(owner, name)
        shown = {"always": [True], "never": [False], "maybe": [True, False]}["always" if path in known else presence]
        return replace(constant(shown), trouble=owner.trouble or not owner.kinds <= {"map"})

    def _loop(self, expr: Expr, known: Known) -> Value:
        """`all`, `exists` and the like: the step is read once, for any item."""
        over = self.read(expr.parts[0], known)
        if not over.kinds & _WALKED:
            return self._wrong("loops over", over)
        before = dict(self._local)
        item = self._schemas.item(over) if over.kinds <= {"list"} else ANYTHING
        self._local |= {expr.name: replace(item, path=(f"each item of {subject(over)}",)), expr.value: ANYTHING}
        step = self.read(expr.parts[2], known)
        self._local = before
        yes_or_no = expr.parts[1].what == "const" and isinstance(expr.parts[1].value, bool)
        return replace(_BOOL if yes_or_no else ANYTHING, trouble=step.trouble or over.trouble)

    def _call(self, expr: Expr, known: Known) -> Value:
        way = self._calls.get(expr.name)
        return way(expr, known) if way else self._function(expr, known)

    def _both(self, expr: Expr, known: Known, way: bool) -> Value:
        """`&&` (`way` is True) and `||`. Where the left side answers, the right one counts only if that was `way`, and
        may rely on it. Where the left side cannot tell, the right one decides alone or nobody does: both operators
        are commutative, so that has() may stand on either side.
        """
        left, right = expr.parts
        asked, told = asked_for(right, way), implied(left, way)
        alone = self._quiet(left, known) if asked else self.read(left, known)
        saved = bool(asked) and not self.read(left, {**known, **asked}).trouble
        second = self.read(right, {**known, **told})
        other = self._quiet(right, known) if alone.trouble and told else second
        goes_on = _may(alone, way)
        against = _may(alone, not way) or (goes_on and _may(second, not way))
        against = against or (alone.trouble and _may(other, not way))
        doubt = (goes_on and second.trouble) or (alone.trouble and (other.trouble or (_may(other, way) and not saved)))
        shown = [answer for answer, may in ((way, goes_on and _may(second, way)), (not way, against)) if may]
        return replace(constant(shown), trouble=doubt or not shown)

    def _choice(self, expr: Expr, known: Known) -> Value:
        asked, then, other = expr.parts
        value = self.read(asked, known)
        ways = [self.read(part, {**known, **implied(asked, way)}) for part, way in ((then, True), (other, False))]
        taken = [one for one, way in zip(ways, (True, False), strict=True) if _may(value, way)]
        return replace(any_of(taken), path=(), trouble=value.trouble or any(one.trouble for one in taken))

    def _in(self, expr: Expr, known: Known) -> Value:
        value, many = (self.read(part, known) for part in expr.parts)
        if not many.kinds & _WALKED:
            return self._wrong("looks into", many)
        trouble = value.trouble or many.trouble or not many.kinds <= _WALKED
        listed = constants_of(expr.parts[1])
        if listed is not None:
            return replace(self._among(value, listed), trouble=trouble)
        if many.shapes is not None and many.kinds <= {"list"}:
            return replace(self._equal(value, self._schemas.item(many)), trouble=trouble)
        return replace(_BOOL, trouble=trouble)

    def _among(self, value: Value, listed: list[Any]) -> Value:
        some = any_of(constant([one], loose_kinds(exact_kinds(one))) for one in listed)
        if value.kinds and not meet(_loose(value), some).kinds:
            fits = any(value.kinds & kinds_of(one) for one in listed)
            words = f"looks for {subject(value)}, {in_words(value)}, among {in_words(some)}"
            self._tell("when-decided" if fits else "when-wrong-type", words)
            return constant([False])
        every = value.consts is not None and some.consts is not None and value.consts <= some.consts
        return constant([True]) if every and value.kinds <= some.kinds else _BOOL

    def _index(self, expr: Expr, known: Known) -> Value:
        owner, key = self.read(expr.parts[0], known), expr.parts[1]
        if key.what == "const" and isinstance(key.value, str) and "map" in owner.kinds:
            return self._select(owner, key.value, known)
        if not owner.kinds & _WALKED:
            return self._wrong("takes an item of", owner)
        self.read(key, known)
        item = self._schemas.item(owner) if owner.kinds <= {"list"} else ANYTHING
        return replace(item, path=(f"an item of {subject(owner)}",), trouble=True)

    def _comparison(self, expr: Expr, known: Known) -> Value:
        left, right = (self.read(part, known) for part in expr.parts)
        trouble = left.trouble or right.trouble
        if not left.kinds or not right.kinds:
            return _ERROR
        if expr.name in ("_==_", "_!=_"):
            same = self._equal(left, right)
            return replace(same if expr.name == "_==_" else _not(same), trouble=trouble)
        return self._ordered(expr.name.strip("_"), left, right, trouble)

    def _equal(self, left: Value, right: Value) -> Value:
        if not meet(_loose(left), _loose(right)).kinds:
            fits = bool(loose_kinds(left.kinds) & loose_kinds(right.kinds))
            self._tell("when-decided" if fits else "when-wrong-type", _against(left, right))
            return constant([False])
        one = left.consts is not None and len(left.consts) == 1 and left.consts == right.consts
        return constant([True]) if one and loose_kinds(left.kinds) == loose_kinds(right.kinds) else _BOOL

    def _ordered(self, sign: str, left: Value, right: Value, trouble: bool) -> Value:
        fitting = [group for group in ORDERED if left.kinds & group and right.kinds & group]
        if not fitting:
            self._tell("when-wrong-type", f"{_against(left, right)} by {sign}")
            return _ERROR
        mixed = not any(left.kinds <= group and right.kinds <= group for group in fitting)
        if mixed and _is_narrow(left) and _is_narrow(right):
            self._tell("when-mixed-type", f"{_against(left, right)} by {sign}")
        shown = ordered(sign, left, right) if left.numeric and right.numeric else [True, False]
        if len(shown) == 1:
            words = f"{_against(left, right)}, so that {sign} is {str(shown[0]).lower()} for every call"
            self._tell("when-decided", words)
        return replace(constant(shown), trouble=trouble or mixed)

    def _arithmetic(self, expr: Expr, known: Known) -> Value:
        """CEL does not mix: an integer plus a fraction cannot be answered, and any sum may overflow."""
        values = [self.read(part, known) for part in expr.parts]
        kinds = frozenset[str]().union(*(value.kinds for value in values))
        if len(values) == 2 and all(value.numeric for value in values) and len(kinds) > 1:
            named = next((value for value in values if value.path), values[0])
            self._tell("when-mixed-type", f"reckons with {subject(named)}, {in_words(named)}, and another type")
        return Value(kinds or frozenset({"int"}), trouble=True)

    def _function(self, expr: Expr, known: Known) -> Value:
        values = [self.read(part, known) for part in expr.parts]
        trouble = any(value.trouble for value in values)
        if expr.name in _OF_TEXT and values:
            if not self._needs(values[0], frozenset({"string"}), f"asks for .{expr.name}() of"):
                return _ERROR
            doubt = trouble or expr.name not in ("contains", "startsWith", "endsWith") or values[0].kinds != {"string"}
            return replace(_BOOL if _OF_TEXT[expr.name] == "bool" else Value(_kind(expr.name)), trouble=doubt)
        if expr.name == "size" and values:
            if not self._needs(values[0], _SIZED, "asks for the size of"):
                return _ERROR
            return _size(values[0], trouble)
        return replace(Value(_kind(expr.name)) if expr.name in _GIVES else ANYTHING, trouble=True)

    def _needs(self, value: Value, kinds: frozenset[str], words: str) -> bool:
        """Whether the value can be of one of these types."""
        if value.kinds & kinds:
            if not value.kinds <= kinds and _is_narrow(value):
                self._tell("when-mixed-type", f"{words} {subject(value)}, which is {in_words(value)}")
            return True
        self._wrong(words, value)
        return False

    def _wrong(self, words: str, value: Value) -> Value:
        if value.kinds:
            self._tell("when-wrong-type", f"{words} {subject(value)}, which is {in_words(value)}")
        return _ERROR


def _loose(value: Value) -> Value:
    return replace(value, kinds=loose_kinds(value.kinds))


def _kind(name: str) -> frozenset[str]:
    return frozenset({_GIVES[name]})


def _is_narrow(value: Value) -> bool:
    """Whether somebody chose its types: of what may be anything, nothing is worth telling."""
    return len(value.kinds - {"int"}) <= MOST_KINDS


def _against(left: Value, right: Value) -> str:
    if not left.path and right.path:
        left, right = right, left
    return f"compares {subject(left)}, {in_words(left)}, with {in_words(right)}"


def _size(value: Value, trouble: bool) -> Value:
    sure = value.kinds <= {"string", "list"}
    most = max(value.longest, value.most, 0) if sure else math.inf
    return Value(frozenset({"int"}), low=0, high=most, path=(f"size({subject(value)})",), trouble=trouble or not sure)
