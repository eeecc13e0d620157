"""Names such as `filter[a][b]`: the style deepObject, nested and with arrays as `qs`, Rails and PHP write them.

OpenAPI defines one level of objects. Deeper levels and arrays (`a[]=1&a[]=2`, `a[0]=1&a[1]=2`, `a=1&a=2`) are read
where the contract has them; whatever readers could order or join differently is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from proxy.protocols.arguments import gather
from proxy.protocols.styles import not_in_style
from rules.kinds import MOST_DEPTH, Kind
from rules.wire import Param

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])+)")
_Tree = dict[str, Any]
"""By key: either a list of texts, or what lies below."""


def split(name: str) -> tuple[str, list[str]] | None:
    """`a[b][c]` as `a` and its keys; None for any other name."""
    if not name.endswith("]"):
        return None
    found = _NAME.fullmatch(name)
    return (found[1], found[2][1:-1].split("][")) if found else None


def read(param: Param, found: Sequence[tuple[list[str], str]], most_depth: int) -> Any:
    """The value of an argument from the keys and the decoded text of each of its names, in the order of their coming.

    Raises Refusal for a name that is both a value and an object, and for arrays in an odd order.
    """
    tree: _Tree = {}
    for keys, text in found:
        if len(keys) > MOST_DEPTH:
            raise not_in_style(param)
        _put(param, tree, keys, text)
    return _value(param, tree, param.kind, most_depth)


def _put(param: Param, tree: _Tree, keys: list[str], text: str) -> None:
    for key in keys[:-1]:
        tree = tree.setdefault(key, {})
        if not isinstance(tree, dict):
            raise not_in_style(param)
    texts = tree.setdefault(keys[-1], [])
    if not isinstance(texts, list):
        raise not_in_style(param)
    texts.append(text)


def _value(param: Param, tree: _Tree, kind: Kind, most_depth: int) -> Any:
    if kind.is_list and (not kind.is_map or _is_counted(tree)):
        return _list(param, tree, kind, most_depth)
    if "" in tree:
        raise not_in_style(param)
    return {name: _below(param, below, kind.member(name), most_depth) for name, below in tree.items()}


def _is_counted(tree: _Tree) -> bool:
    return list(tree) in ([""], [str(index) for index in range(len(tree))])


def _list(param: Param, tree: _Tree, kind: Kind, most_depth: int) -> list[Any]:
    """Items without an index are in the order of their coming; with indexes they begin at 0, in order, without gaps."""
    item = kind.item()
    if not _is_counted(tree):
        raise not_in_style(param)
    if "" not in tree:
        return [_below(param, below, item, most_depth) for below in tree.values()]
    if not isinstance(tree[""], list):
        raise not_in_style(param)
    return [_text(param, [text], item, most_depth) for text in tree[""]]


def _below(param: Param, below: Any, kind: Kind, most_depth: int) -> Any:
    if isinstance(below, dict):
        return _value(param, below, kind, most_depth)
    return _text(param, below, kind, most_depth)


def _text(param: Param, texts: list[str], kind: Kind, most_depth: int) -> Any:
    """Objects are written with brackets here, so text is never read as JSON."""
    if not kind.is_scalar and not kind.is_list:
        return texts[0] if len(texts) == 1 else texts
    return gather(texts, kind, param.name, most_depth)
