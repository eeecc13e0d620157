import pytest

from rules.naming import matches_pattern


@pytest.mark.parametrize(
    ("pattern", "tool", "fits"),
    [
        ("crm.get", "crm.get", True),
        ("crm.get", "crm.get_all", False),
        ("crm.get", "xcrm.get", False),
        ("crm.get_*", "crm.get_", True),
        ("crm.get_*", "crm.get_all", True),
        ("crm.*", "crm2.get", False),
        ("crm.*", "crmxget", False),
        ("*.get", "crm.get", True),
        ("*", "crm.get", True),
        ("c*m.g*t", "crm.get", True),
        ("crm.[g]et", "crm.get", False),
        ("CRM.get", "crm.get", False),
    ],
)
def test_a_star_is_any_text_and_all_else_is_itself(pattern, tool, fits):
    assert matches_pattern(pattern, tool) is fits


@pytest.mark.parametrize(
    ("pattern", "name", "within", "across"),
    [
        ("hub.*", "hub.search", True, True),
        ("hub.*", "hub.prompts/review", False, True),
        ("*", "hub.mcp/ping", False, True),
        ("hub.prompts/*", "hub.prompts/review", True, True),
        ("hub.mcp/*", "hub.mcp/tools/list", False, True),
        ("hub.mcp/*/list", "hub.mcp/tools/list", True, True),
        ("hub.prompts/review", "hub.prompts/review", True, True),
    ],
)
def test_a_star_goes_beyond_a_slash_only_where_it_is_told_to(pattern, name, within, across):
    assert (matches_pattern(pattern, name), matches_pattern(pattern, name, True)) == (within, across)
