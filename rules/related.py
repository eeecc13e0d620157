"""`related(subject, "relation", object)` in conditions: found at load, so that it is known before a call is judged.

What CEL itself gets to see is a variable in its place. The arguments are expressions of their own, over the same
variables as the condition.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from rules.cel import BadCondition

CALL: Final = "related"
VARIABLE: Final = "__related_"
MOST_CALLS: Final = 8
"""In one condition."""

MOST_CHARACTERS: Final = 1024
"""Of a subject or an object."""

_FORM: Final = 'related(principal.user, "owner", args.account_id)'
_TOKEN: Final = re.compile(
    r"""
    (?P<gap> \s+ | //[^\n]* )
    | (?P<text> [bB]?[rR][bB]?(?:\"{3}[\s\S]*?\"{3} | '{3}[\s\S]*?'{3} | "[^"\n]*" | '[^'\n]*')
              | [bB]?(?:\"{3}(?:\\[\s\S]|[^\\])*?\"{3} | '{3}(?:\\[\s\S]|[^\\])*?'{3}
                        | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*') )
    | (?P<name> [A-Za-z_]\w* )
    | (?P<number> [0-9][\w.]* )
    | (?P<sign> [\s\S] )
    """,
    re.VERBOSE | re.ASCII,
)
"""The lexis of CEL (cel-spec, doc/langdef.md, Syntax), as far as it tells where a call begins and its arguments end."""

_MACROS: Final = frozenset({"all", "exists", "exists_one", "map", "filter"})
_PLAIN: Final = re.compile(r"""(["'])([A-Za-z][A-Za-z0-9_-]{0,63})\1""")
_OPEN: Final = {"(": ")", "[": "]", "{": "}"}


class Question(NamedTuple):
    """Whether a subject has a relation to an object. An integer is written in decimal digits."""

    subject: str
    relation: str
    object: str


class Found(NamedTuple):
    """One call: the variable in its place, the relation, and its two other arguments as expressions. Those stand where
    they stood, behind spaces: so a complaint about one names its place in the condition."""

    variable: str
    relation: str
    subject: str
    object: str
    text: str


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


def find(condition: str, variables: frozenset[str]) -> tuple[str, tuple[Found, ...]]:
    """The condition with variables in the place of its calls, everything else where it was, and the calls. Raises
    BadCondition. `variables` are those of conditions."""
    tokens = [token for token in _tokens(condition) if token.kind != "gap"]
    starts = [at for at in range(len(tokens)) if _is_call(tokens, at)]
    if not starts:
        return condition, ()
    _check_names(condition, tokens, variables)
    if len(starts) > MOST_CALLS:
        raise BadCondition(f"asks {CALL} more than {MOST_CALLS} times", "split it into several rules")
    found: list[Found] = []
    rewritten, done = "", 0
    for number, at in enumerate(starts):
        one, begin, end = _read(condition, tokens, at, f"{VARIABLE}{number}")
        found.append(one)
        rewritten += condition[done:begin] + one.variable + _blank(condition[begin:end])[len(one.variable) :]
        done = end
    return rewritten + condition[done:], tuple(found)


def _tokens(text: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text):
        yield _Token(match.lastgroup or "sign", match[0], match.start(), match.end())


def _is_call(tokens: list[_Token], at: int) -> bool:
    """A function of that name; a member of something, as in `a.related(b)`, is none of ours."""
    member = at > 0 and tokens[at - 1].text == "."
    opens = at + 1 < len(tokens) and tokens[at + 1].text == "("
    return tokens[at].kind == "name" and tokens[at].text == CALL and opens and not member


def _check_names(condition: str, tokens: list[_Token], variables: frozenset[str]) -> None:
    """A loop's element must not be called as a variable is: the arguments of a call inside would mean another thing."""
    for at, token in enumerate(tokens):
        if token.text.startswith(VARIABLE):
            raise BadCondition(f"has the name {token.text} {_at(condition, token.start)}, which is ours", "rename it")
        if _is_macro(tokens, at) and at + 2 < len(tokens) and tokens[at + 2].text in variables:
            where = _at(condition, tokens[at + 2].start)
            raise BadCondition(f"calls an element {tokens[at + 2].text} {where}, as a variable", "rename the element")


def _is_macro(tokens: list[_Token], at: int) -> bool:
    return (
        tokens[at].text in _MACROS
        and at > 0
        and tokens[at - 1].text == "."
        and at + 1 < len(tokens)
        and tokens[at + 1].text == "("
    )


def _read(condition: str, tokens: list[_Token], at: int, variable: str) -> tuple[Found, int, int]:
    """One call, where it begins and where it ends."""
    begin, where = tokens[at].start, _at(condition, tokens[at].start)
    parts, last = _arguments(condition, tokens, at + 2)
    if len(parts) != 3 or not all(parts):
        raise BadCondition(f"{CALL} {where} has {len(parts)} arguments, needs three", f"as in {_FORM}")
    subject, relation, object = parts
    name = _PLAIN.fullmatch(relation[0].text)
    if len(relation) > 1 or not name:
        said = f"{CALL} has no plain name of a relation {_at(condition, relation[0].start)}"
        raise BadCondition(said, f"the second argument is a text, as in {_FORM}")
    for part in (subject, object):
        _check_part(condition, part)
    end = tokens[last].end
    found = Found(variable, name[2], _alone(condition, subject), _alone(condition, object), condition[begin:end])
    return found, begin, end


def _arguments(condition: str, tokens: list[_Token], at: int) -> tuple[list[list[_Token]], int]:
    """The tokens of each argument from behind the bracket on, and the index of the bracket that closes it."""
    parts: list[list[_Token]] = [[]]
    closing: list[str] = []
    for index in range(at, len(tokens)):
        token = tokens[index]
        if not closing and token.text == ")":
            return parts, index
        if not closing and token.text == ",":
            parts.append([])
            continue
        if closing and token.text == closing[-1]:
            closing.pop()
        elif token.text in _OPEN:
            closing.append(_OPEN[token.text])
        elif token.text in _OPEN.values():
            break
        parts[-1].append(token)
    raise BadCondition(f"{CALL} {_at(condition, tokens[at - 2].start)} is not closed", f"as in {_FORM}")


def _check_part(condition: str, part: list[_Token]) -> None:
    """An argument that loops, or asks for relations itself, would be worked out without bound."""
    for at, token in enumerate(part):
        if _is_macro(part, at) or _is_call(part, at):
            said = f"{CALL} has {token.text} {_at(condition, token.start)} inside of its arguments"
            raise BadCondition(said, f"name one subject and one object, as in {_FORM}")


def _alone(condition: str, part: list[_Token]) -> str:
    return _blank(condition[: part[0].start]) + condition[part[0].start : part[-1].end]


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def _at(text: str, place: int) -> str:
    before = text[:place]
    return f"at line {before.count(chr(10)) + 1}, character {place - before.rfind(chr(10))}"


def question(row: object) -> Question | None:
    """A list of subject, relation and object, as authors write it; None for what is none."""
    told = [named(each) for each in row] if isinstance(row, list) else []
    return Question(*map(str, told)) if len(told) == 3 and None not in told else None


def named(value: object) -> str | None:
    """A subject or an object as a text; None for what is neither a text nor a whole number, or names nobody."""
    if type(value) is int:
        return str(value)
    right = isinstance(value, str) and 0 < len(value) <= MOST_CHARACTERS and "\0" not in value
    return str(value) if right else None
