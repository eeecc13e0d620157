"""Pending: what the ledger's last word on a call leaves open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def is_pending(entry: Mapping[str, Any]) -> bool:
    """Whether it is not known, after this entry of a call, if an action was carried out."""
    if entry.get("kind") == "intent":
        return True
    sent = bool(entry.get("attempts")) and entry.get("effect") != "read"
    return entry.get("kind") == "call" and sent and entry.get("executed") == "unknown"
