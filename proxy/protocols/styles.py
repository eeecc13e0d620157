"""The styles of OpenAPI (3.1.1, 4.8.12.2; RFC 6570): from the raw text of one place to a scalar, an array or an object.

Text is split before it is decoded, as RFC 6570 has it, but many servers decode first. So a value with an encoded
delimiter is refused, unless the contract lists that very value. The delimiters of `spaceDelimited` and `pipeDelimited`
cannot stand raw in a URL: there the encoded ones split.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from proxy.errors import Refusal
from proxy.protocols.arguments import json, scalar
from rules.wire import Param

Decode = Callable[[str], str]
_SPACE = re.compile(r"%20|\+")
_PIPE = re.compile(r"%7[Cc]|\|")


def read(param: Param, text: str, decode: Decode, most_depth: int) -> Any:
    """The value of a parameter that stands in one piece of raw text. Raises Refusal for text in another style."""
    if param.style == "json":
        return json(decode(text), most_depth)
    kind = param.kind
    if not (kind.is_list or kind.is_map):
        return scalar(decode(_bare(param, text)), kind, most_depth)
    pieces = _pieces(param, text)
    if "%" in text:
        _refuse_encoded_delimiters(param, pieces, decode)
    if len(pieces) == 1 and kind.is_scalar:
        return scalar(decode(pieces[0]), kind, most_depth)
    if kind.is_list:
        item = kind.item()
        return [scalar(decode(piece), item, most_depth) for piece in pieces]
    return _object(param, pieces, decode, most_depth)


def _pieces(param: Param, text: str) -> list[str]:
    if param.style == "spaceDelimited":
        return _SPACE.split(text)
    if param.style == "pipeDelimited":
        return _PIPE.split(text)
    if param.style == "matrix" and param.explode:
        return _exploded_matrix(param, text)
    return _bare(param, text).split("." if param.style == "label" and param.explode else ",")


def _refuse_encoded_delimiters(param: Param, pieces: list[str], decode: Decode) -> None:
    """One server reads one value there, and another, which decodes first, two."""
    if param.style in ("spaceDelimited", "pipeDelimited") or param.place in ("header", "cookie"):
        return
    code = {"label": "2[Ee]", "matrix": "3[Bb]"}.get(param.style, "2[Cc]") if param.explode else "2[Cc]"
    both = f"%(?:{code}|3[Dd])" if param.explode and param.kind.is_map else f"%{code}"
    listed = param.kind.listed | (param.kind.item().listed if param.kind.is_list else frozenset())
    if any(re.search(both, piece) and decode(piece) not in listed for piece in pieces):
        raise not_in_style(param)


def _exploded_matrix(param: Param, text: str) -> list[str]:
    """`;color=blue;color=black` as its values, `;R=100;G=200` as they are."""
    first, *pieces = text.split(";")
    mark = f"{param.wire}="
    if first or not pieces or (param.kind.is_list and not all(piece.startswith(mark) for piece in pieces)):
        raise not_in_style(param)
    return [piece.removeprefix(mark) for piece in pieces] if param.kind.is_list else pieces


def _bare(param: Param, text: str) -> str:
    """The text without the prefix that `label` and `matrix` put before it."""
    if param.style == "label":
        if not text.startswith("."):
            raise not_in_style(param)
        return text[1:]
    if param.style != "matrix":
        return text
    if text == f";{param.wire}":
        return ""
    bare = text.removeprefix(f";{param.wire}=")
    if (bare == text or ";" in bare) and (param.kind.is_list or param.kind.is_map):
        raise not_in_style(param)
    return bare


def _object(param: Param, pieces: list[str], decode: Decode, most_depth: int) -> dict[str, Any]:
    """`R,100,G,200`, or `R=100,G=200` where it is exploded."""
    if param.explode:
        split = [piece.partition("=") for piece in pieces]
        if not all(mark for _, mark, _ in split):
            raise not_in_style(param)
        pairs = [(decode(name), value) for name, _, value in split]
    else:
        if len(pieces) % 2:
            raise not_in_style(param)
        pairs = [(decode(name), value) for name, value in zip(pieces[::2], pieces[1::2], strict=True)]
    made = {name: scalar(decode(value), param.kind.member(name), most_depth) for name, value in pairs}
    if len(made) != len(pairs):
        raise not_in_style(param)
    return made


_EXAMPLES = {
    ("simple", False): "a,b for an array, name,value for an object",
    ("simple", True): "a,b for an array, name=value,name=value for an object",
    ("label", False): ".a,b for an array, .name,value for an object",
    ("label", True): ".a.b for an array, .name=value.name=value for an object",
    ("matrix", False): ";{0}=a,b for an array, ;{0}=name,value for an object",
    ("matrix", True): ";{0}=a;{0}=b for an array, ;name=value;name=value for an object",
    ("form", False): "{0}=a,b for an array, {0}=name,value for an object",
    ("spaceDelimited", False): "{0}=a%20b for an array, {0}=name%20value for an object",
    ("pipeDelimited", False): "{0}=a%7Cb for an array, {0}=name%7Cvalue for an object",
    ("deepObject", False): "{0}[name]=value for an object, {0}[]=a&{0}[]=b or {0}[0]=a&{0}[1]=b for an array",
}


def not_in_style(param: Param) -> Refusal:
    """Text that is not written as the contract says, or could be read in two ways."""
    example = _EXAMPLES.get((param.style, param.explode and param.style != "deepObject"), "{0}=a&{0}=b for an array")
    return Refusal(
        "bad_request",
        f"The parameter `{param.name}` is not written in its style ({param.style}), or could be read in two ways.",
        suggestion=f"Write {example.format(param.wire)}; each name once.",
    )
