"""The token of the admin listener. Only its hash stays in memory."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_TOKEN: Final = re.compile(r"[\x21-\x7e]{16,512}")
_MOST_BYTES: Final = 4096


class TokenError(Exception):
    """The admin token cannot be used. The text says why and what to do, and does not hold it."""


def token_hash(spec: str, environ: Mapping[str, str]) -> bytes:
    """SHA-256 of the token at `env:NAME` or `file:PATH`, empty where there is none. Raises TokenError."""
    if not spec:
        return b""
    scheme, _, name = spec.partition(":")
    token = (environ.get(name, "") if scheme == "env" else _read(Path(name))).strip()
    if not _TOKEN.fullmatch(token):
        raise TokenError(f"The admin token in {spec} is missing, or is not 16 to 512 visible ASCII characters.")
    return hashlib.sha256(token.encode()).digest()


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode("ascii", "replace")
    except OSError as error:
        raise TokenError(f"The admin token in {path} cannot be read: {error.strerror}.") from None
