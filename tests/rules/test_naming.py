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
