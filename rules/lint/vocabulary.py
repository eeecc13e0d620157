"""What names tell: verbs by what they do to the world, and words for what an argument holds."""

from __future__ import annotations

import re
from typing import Final

_SPLIT: Final = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])")


def words_of(name: str) -> tuple[str, ...]:
    """The words of a name in any of the usual spellings, in lower case."""
    return tuple(word.lower() for word in _SPLIT.split(name) if word)


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


READS: Final = _set("""
    calculate check count describe download estimate evaluate export fetch find get list look lookup match peek preview
    query quote read render report resolve retrieve search show status suggest translate validate verify view
""")
WRITES: Final = _set("""
    add append approve archive assign book cancel close comment copy create deactivate disable edit enable import insert
    invite merge modify move open post put register remove rename reopen replace reset restore resume run save schedule
    set start stop store submit suspend sync tag trigger unassign update upload upsert write
""")
FINAL: Final = _set("""
    charge delete destroy drop email erase execute grant kill pay payout publish purge refund remit revoke send sell
    terminate transfer truncate void wipe wire withdraw
""")
"""Verbs for what cannot be taken back: it is gone, paid, or read by somebody."""

VERBS: Final = READS | WRITES | FINAL
MONEY: Final = _set("charge donation payment payout purchase refund transfer withdrawal")
"""What is created by paying."""

SLOW: Final = _set("""
    analyze backup batch build bulk convert crawl deploy download export generate import migrate render report restore
    scan sync train transcode upload
""")
CHOOSERS: Final = _set("action operation op command verb method task")
KEYS: Final = _set("idempotency_key idempotency_token x_idempotency_key idempotencykey")
CODE: Final = _set("sql script command cmd shell bash eval exec")
URLS: Final = _set("url uri href link webhook callback endpoint website")
PATHS: Final = _set("path filepath filename directory dir folder")
SORTS: Final = _set("sort order sorting text")
"""Before `dir`, with which it is a direction."""

MARKUP: Final = _set("html markup template xml svg xslt")
SECRETS: Final = _set("password passwd passphrase secret apikey credential credentials")
SECRET_PAIRS: Final = frozenset(
    {("api", "key"), ("access", "key"), ("secret", "key"), ("private", "key"), ("access", "token"), ("auth", "token")}
    | {("bearer", "token"), ("refresh", "token"), ("client", "secret")}
)
