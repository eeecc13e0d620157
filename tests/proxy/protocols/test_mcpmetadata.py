"""Which paths ask how to sign in at a server. What is answered: tests/proxy/mcp/test_metadata.py."""

from __future__ import annotations

import pytest

from proxy.protocols.head import Door
from proxy.protocols.mcpmetadata import WELL_KNOWN, Sought, sought, url_of

PLAIN = Door("d", frozenset({"localhost"}), {})
HOSTS = Door("d", frozenset({"localhost", "hub.test"}), {"hub.test": "hub"})
BEHIND = Door("d", frozenset({"localhost"}), {}, external={"": ("https://tools.example", "/wall")})


@pytest.mark.parametrize(
    ("door", "host", "path", "found"),
    [
        (PLAIN, "localhost:1", "/hub/mcp", Sought("hub", "/hub", "/hub/mcp")),
        (PLAIN, "localhost:1", "/hub/mcp/", Sought("hub", "/hub", "/hub/mcp/")),
        (HOSTS, "hub.test:1", "/mcp", Sought("hub", "", "/mcp")),
        (HOSTS, "localhost", "/hub/mcp", Sought("hub", "/hub", "/hub/mcp")),
        (BEHIND, "localhost", "/hub/mcp", Sought("hub", "/wall/hub", "/hub/mcp")),
        (BEHIND, "localhost", "/wall/hub/mcp", Sought("hub", "/wall/hub", "/hub/mcp")),
        (BEHIND, "localhost", "/wall/mcp", Sought("wall", "/wall/wall", "/wall/mcp")),
    ],
)
def test_what_is_asked_for(door: Door, host: str, path: str, found: Sought) -> None:
    assert sought(door, host, WELL_KNOWN + path) == found


@pytest.mark.parametrize("path", ["", "/", "/hub", "/hub/mcp/x", "/hub/mcpx", "x/hub/mcp", "/walls/hub/mcp"])
def test_what_is_not(path: str) -> None:
    assert sought(BEHIND, "localhost", WELL_KNOWN + path) is None
    assert sought(BEHIND, "localhost", "/hub/mcp") is None


def test_a_proxy_that_takes_a_prefix_off_needs_no_other_rule() -> None:
    assert url_of(BEHIND, "localhost", "/hub/mcp") == f"https://tools.example/wall{WELL_KNOWN}/hub/mcp"
    assert url_of(PLAIN, "localhost:81", "/mcp/") == f"http://localhost:81{WELL_KNOWN}/mcp/"
