"""URI templates (RFC 6570, levels 1 to 3): which URIs fit one, and which two templates cannot be told apart."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

import jsonschema_rs

from rules.schema import PATTERNS

MOST_URI: Final = 8_192
"""Characters of a URI."""

MOST: Final = 200
"""Templates of one server: each is held against each. Real servers have a few."""

MOST_VARIABLES: Final = 32
"""Of one template. Real ones have one to four."""

_MOST_WORDS: Final = 8
_NAME: Final = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")
_EXPRESSION: Final = re.compile(r"\{([+#./;?&]?)([^{}]*)\}")
_LITERAL: Final = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2}")
_NEVER: Final = r"\x00-\x20\x7f\\%<>{}|^`" + '"'
"""What no URI has (RFC 3986, 2). Letters beyond ASCII pass: many clients do not encode them."""

_ENCODED: Final = "%[0-9A-Fa-f]{2}"
_RESERVED: Final = f"(?:[^{_NEVER}]|{_ENCODED})"
_CHARACTER: Final = rf"(?:[^{_NEVER}/?#\[\]]|{_ENCODED})"
_PART: Final = rf"(?:[^{_NEVER}/?#\[\]&;]|{_ENCODED})"
_STEPS: Final = r"(^|[/\\:])\.{1,2}($|[/\\?#])"
_DISGUISED: Final = r"%(00|2[dDeEfF]|3[0-9]|4[1-9a-fA-F]|5[0-9aAcCfF]|6[1-9a-fA-F]|7[0-9aAeE])"
_UNCLEAR: Final = f"{_STEPS}|{_DISGUISED}"
"""Steps up and down, and encoded what needs no encoding (RFC 3986, 2.3) or divides: what a condition sees as one text
would be another to the server."""

_OPENS: Final = {"": "", "+": "", "#": "#", ".": ".", "/": "/", ";": ";", "?": "?", "&": "&"}
_NAMED: Final = frozenset(";?&")
_BETWEEN: Final = {"": ",", "+": ",", "#": ",", ".": ".", "/": "/", ";": ";", "?": "&", "&": "&"}


def exactly(uri: str) -> dict[str, Any]:
    """The contract of a resource that has one URI."""
    return _contract({"const": uri})


def fitting(template: str) -> dict[str, Any]:
    """The contract of a template's resources: their URI fits, and holds no steps out of it. Raises ValueError.

    A value has at least one character; all of a simple one lie within one segment.
    """
    shape = {"type": "string", "maxLength": MOST_URI, "pattern": _pattern(template), "not": {"pattern": _UNCLEAR}}
    return _contract(shape)


def _contract(uri: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"uri": uri}, "required": ["uri"], "additionalProperties": False}


def _pattern(template: str) -> str:
    """An anchored regular expression. Raises ValueError."""
    made, end, count = "", 0, 0
    for found in _EXPRESSION.finditer(template):
        made += _literal(template[end : found.start()]) + _expression(found[1], found[2])
        end, count = found.end(), count + found[2].count(",") + 1
    if count > MOST_VARIABLES:
        raise ValueError(f"must have at most {MOST_VARIABLES} variables")
    made += _literal(template[end:])
    if re.search(_UNCLEAR, _sample(template, "a")):
        raise ValueError("has a segment `.` or `..`, or an encoded slash")
    return f"^{made}$"


def _literal(text: str) -> str:
    if _LITERAL.sub("", text):
        raise ValueError("has a character that no URI has, or braces that hold no variable")
    return re.escape(text)


def _variables(operator: str, text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name.endswith("*") or ":" in name:
            raise ValueError(f"has {{{operator}{text}}}, which is of level 4 of RFC 6570")
        if not _NAME.fullmatch(name):
            raise ValueError(f"has {{{operator}{text}}}, which names no variable")
    return names


def _expression(operator: str, text: str) -> str:
    """What an expression gives. Variables that stand by name may be missing, of the others the last ones."""
    names, opens, between = _variables(operator, text), re.escape(_OPENS[operator]), re.escape(_BETWEEN[operator])
    if operator in _NAMED:
        pairs = [f"{re.escape(name)}={_PART}*" for name in names]
        tails = ["".join(f"(?:{between}{pair})?" for pair in pairs[index + 1 :]) for index in range(len(pairs))]
        return f"(?:{opens}(?:{'|'.join(map(''.join, zip(pairs, tails, strict=True)))}))?"
    value = f"{_RESERVED if operator in ('+', '#') else _CHARACTER}+"
    tail = f"(?:{between}{value}){{0,{len(names) - 1}}}" if len(names) > 1 else ""
    return f"{opens}{value}{tail}" if operator in ("", "+") else f"(?:{opens}{value}{tail})?"


def _sample(template: str, value: str) -> str:
    """A URI of a template."""

    def expand(found: re.Match[str]) -> str:
        operator, names = found[1], found[2].split(",")
        values = [f"{name}={value}" if operator in _NAMED else value for name in names]
        return _OPENS[operator] + _BETWEEN[operator].join(values)

    return _EXPRESSION.sub(expand, template)


def collide(one: str, other: str) -> bool:
    """Whether a URI is seen to fit both of two good templates."""
    values = ("a", "a-b", "a.b", "1", *_literals(one), *_literals(other))
    tried = {_EXPRESSION.sub("", each) for each in (one, other)}
    tried |= {_sample(each, value) for each in (one, other) for value in values}
    return any(_judge(one).is_valid({"uri": uri}) and _judge(other).is_valid({"uri": uri}) for uri in tried)


@lru_cache(maxsize=2 * MOST)
def _judge(template: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator(fitting(template), pattern_options=PATTERNS)


def _literals(template: str) -> list[str]:
    """Texts between the variables of a template that a variable of another could take."""
    words = re.findall(r"[A-Za-z0-9._~-]+", _EXPRESSION.sub(" ", template))[:_MOST_WORDS]
    return [*words, "/".join(words), "/".join([*words, "a"]), "a/b"]
