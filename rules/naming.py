"""Names of tools, and the patterns by which rules speak of several."""

from __future__ import annotations

import re
from functools import lru_cache


def matches_pattern(pattern: str, tool: str, across: bool = False) -> bool:
    """Whether a tool's full name fits a pattern: `*` stands for any text without a `/` in it, all else for itself.

    Names with a `/` are those of an MCP server's prompts, resources and the like. With `across` a `*` stands for any
    text at all.
    """
    return pattern == tool or ("*" in pattern and _compiled(pattern, across).fullmatch(tool) is not None)


@lru_cache(maxsize=4096)
def _compiled(pattern: str, across: bool) -> re.Pattern[str]:
    return re.compile((".*" if across else "[^/]*").join(map(re.escape, pattern.split("*"))))
