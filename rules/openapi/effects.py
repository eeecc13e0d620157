"""Guesses: what an operation does to the world, by its method and its names. A person looks at each."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from rules.openapi.names import word_set, words
from rules.tools import Harm

_ASKING: Final = word_set(
    "search query find lookup list describe get count scan suggest autocomplete exists preview estimate"
)
"""Verbs of operations that only look, when they come first."""

_CHANGING: Final = word_set(
    """add apply approve archive assign attach block change clear clone close complete confirm copy create deploy
    detach disable edit enable execute forget grant import insert install invite join kick leave lock mark merge
    migrate modify move open patch pause post put rebuild register reject remove rename replace request reset
    restart restore resume rotate run save set setup share start stop submit subscribe swap sync trigger unlink
    unlock unsubscribe update upload upsert write"""
)
_FOR_GOOD: Final = word_set(
    """ban cancel capture charge charges delete deletes destroy drop erase expire pay payout payouts purge refund
    refunds revoke send terminate transfer transfers void wipe withdraw"""
)
"""Nothing takes these back: data is gone, money or a message is out."""

_CLEARLY: Final = word_set("create delete destroy drop erase purge remove revoke terminate update wipe")
"""Verbs that are no nouns: a path that ends with one changes something, whatever its method."""

_ADMIN: Final = word_set(
    """admin admins administration administrator administrators sudo superuser impersonate impersonation root iam
    permission permissions role roles rolebinding rolebindings clusterrole clusterroles clusterrolebinding
    clusterrolebindings policies apikey apikeys credential credentials secret secrets"""
)
"""Who may do what, and the keys to it."""

_ADMIN_PAIRS: Final = (("api", "key"), ("api", "keys"), ("access", "token"), ("access", "tokens"), ("access", "keys"))
_ADMIN_ALWAYS: Final = word_set("admin admins administration administrator administrators sudo superuser")
"""Even to look is for administrators."""

_CARRIERS: Final = frozenset(("batch", "$batch", "graphql", "jsonrpc", "json-rpc", "rpc"))
"""Last segments of paths whose bodies hold calls of their own, deletions among them: no rule sees those."""

_FRAMES: Final = re.compile(r"api|rest|v?\d+(\.\d+)*", re.IGNORECASE)
"""Segments that may stand before one of these. `/orders/batch` is about orders; `/v1/batch` is about everything."""


def guess(method: str, path: str, name: str, tags: Iterable[str] = ()) -> Harm:
    """The effect of an operation: read, write, irreversible or admin. Where names and method differ, the graver."""
    said = words(name)
    literal = [word for segment in path.split("/") if "{" not in segment for word in words(segment)]
    all_words = {*said, *literal}
    looks = _only_looks(method, path, said, all_words)
    if all_words & _ADMIN_ALWAYS or any(_ADMIN_ALWAYS & set(words(tag)) for tag in tags):
        return "admin"
    if method == "POST" and _carries_calls(path):
        return "irreversible"
    if looks:
        return "read"
    if all_words & _ADMIN or any(pair in pairwise(said) for pair in _ADMIN_PAIRS):
        return "admin"
    if method == "DELETE" or all_words & _FOR_GOOD:
        return "irreversible"
    return "write"


def _carries_calls(path: str) -> bool:
    *before, last = path.strip("/").split("/")
    return last.lower() in _CARRIERS and all(_FRAMES.fullmatch(one) for one in before)


def _only_looks(method: str, path: str, said: list[str], everything: set[str]) -> bool:
    """Whether nothing speaks for a change: a GET whose name does not begin with a verb of change and whose path does
    not end with one, or a POST that asks a question by its first word.
    """
    first, rest = said[:1], said[1:2]
    if method in ("GET", "HEAD", "OPTIONS"):
        last = words(path.rpartition("/")[2])[:1] if "{" not in path.rpartition("/")[2] else []
        return not set(first) & (_CHANGING | _FOR_GOOD) and not set(last) & _CLEARLY
    if method != "POST" or everything & (_CHANGING | _FOR_GOOD):
        return False
    verbs = rest if first and first[0] in ("post", "batch", "bulk") else first
    return bool(set(verbs) & _ASKING)
