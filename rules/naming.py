"""Names of tools, and the patterns by which rules speak of several."""

from __future__ import annotations

import re
from functools import lru_cache


def matches_pattern(pattern: str, tool: str) -> bool:
    """Whether a tool's full name fits a pattern: `*` stands for any text, all else for itself."""
    return pattern == tool or ("*" in pattern and _compiled(pattern).fullmatch(tool) is not None)


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))))
