"""The kinds of rules files."""

from __future__ import annotations

from rules.grammar import BACKEND, POLICY
from rules.mcp.grammar import MCP_BACKEND
from rules.shape import Form


def form_of(keys: frozenset[str]) -> Form:
    """Which kind of file this is, by the keys that it shares with each."""
    backend = MCP_BACKEND if "mcp" in keys else BACKEND
    return backend if len(keys & backend.keys.keys()) > len(keys & POLICY.keys.keys()) else POLICY
