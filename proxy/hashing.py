"""Hashes of values under a key: equal for equal values, and not to be guessed back."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import orjson

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def keyed_hash(key: bytes, value: Any) -> str:
    """Keyed BLAKE2b (RFC 7693) of a value's canonical JSON, as 64 hex digits."""
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # an integer beyond 64 bits: always written this way, so equal values stay equal
        text = _CANONICAL.encode(value).encode()
    return hashlib.blake2b(text, digest_size=32, key=key).hexdigest()
