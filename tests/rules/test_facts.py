import pytest

from rules.facts import Principal, Run


def test_a_principal_has_no_role_agent_or_user_unless_somebody_proved_one():
    principal = Principal("p1")
    assert (principal.roles, principal.agent, principal.user) == (frozenset(), "", "")


def test_facts_cannot_be_changed_after_they_were_judged():
    with pytest.raises(AttributeError):
        Principal("p1").id = "p2"
    with pytest.raises(AttributeError):
        Run("r", 1).step = 2
