import pytest

from rules.forms import form_of
from rules.grammar import BACKEND, POLICY
from rules.mcp.grammar import MCP_BACKEND


@pytest.mark.parametrize(
    ("keys", "form"),
    [
        ({"backend", "url", "tools"}, BACKEND),
        ({"bakend", "url", "tools"}, BACKEND),
        ({"rules"}, POLICY),
        ({"rulez", "examples"}, POLICY),
        ({"nonsense"}, POLICY),
        (set(), POLICY),
        ({"backend", "url", "mcp"}, MCP_BACKEND),
        ({"backend", "url", "mcp", "tools", "prompts"}, MCP_BACKEND),
        ({"rules", "mcp"}, POLICY),
    ],
)
def test_a_file_is_taken_for_what_it_resembles(keys, form):
    assert form_of(frozenset(keys)) is form
