import pytest

from rules.facts import Link, Principal
from rules.rule import EVERYBODY, Effect, Rule, To

WHO = Principal("p1", frozenset({"support", "night"}), "bot", "ann")


@pytest.mark.parametrize(
    ("to", "principal", "answer"),
    [
        (EVERYBODY, Principal("x"), True),
        (To(roles=frozenset({"support", "billing"})), WHO, True),
        (To(roles=frozenset({"billing"})), WHO, False),
        (To(roles=frozenset({"support"})), Principal("x"), False),
        (To(principals=frozenset({"p1"})), WHO, True),
        (To(principals=frozenset({"p2"})), WHO, False),
        (To(principals=frozenset({"bot"})), Principal("bot for ann"), True),
        (To(principals=frozenset({"bot for ann"})), Principal("bot for ann"), True),
        (To(principals=frozenset({"bot for ann"})), Principal("bot"), False),
        (To(principals=frozenset({"bot for bob", "ann"})), Principal("bot for ann"), False),
        (To(agents=frozenset({"bot"})), WHO, True),
        (To(agents=frozenset({"other"})), WHO, False),
        (To(agents=frozenset({"bot"})), Principal("x"), None),
        (To(users=frozenset({"ann"})), Principal("x", agent="bot"), None),
        (To(users=frozenset({"bob"})), WHO, False),
        (To(roles=frozenset({"support"}), users=frozenset({"bob"})), WHO, False),
        (To(roles=frozenset({"support"}), users=frozenset({"ann"})), WHO, True),
        (To(roles=frozenset({"billing"}), agents=frozenset({"bot"})), Principal("x"), False),
        (To(agents=frozenset({"zed"}), users=frozenset({"ann"})), Principal("x", agent="bot"), False),
    ],
)
def test_every_part_has_to_match_and_an_unknown_agent_or_user_cannot_tell(to, principal, answer):
    assert to.matches(principal) is answer


class Fixed:
    """A condition with a fixed answer."""

    uses = frozenset()

    def __init__(self, answer):
        self.answer = answer

    def ask(self, asking):
        return self.answer


@pytest.mark.parametrize("when", [True, False, None, "no condition"])
@pytest.mark.parametrize("to", [True, False, None])
def test_who_and_when_are_joined_as_in_the_logic_of_kleene(to, when):
    users = {True: {"ann"}, False: {"bob"}, None: {"ann"}}[to]
    principal = Principal("x", user="" if to is None else "ann")
    condition = None if when == "no condition" else Fixed(when)
    rule = Rule("r", Effect.ALLOW, ("*",), To(users=frozenset(users)), condition)
    both = {to, True if when == "no condition" else when}
    assert rule.matches(principal, None) is (False if False in both else None if None in both else True)


def links(*roles: str | None) -> Principal:
    """A caller with the roles `payer`, and a chain of links, each with one role, none ("") or unknown ones."""
    chain = [Link(str(at), None if role is None else frozenset({role} - {""})) for at, role in enumerate(roles)]
    return Principal("p", frozenset({"payer"}), chain=tuple(chain))


@pytest.mark.parametrize(
    ("chain", "every", "some"),
    [
        ((), True, True),
        (("payer", "payer"), True, True),
        (("payer", ""), False, True),
        (("", ""), False, False),
        (("payer", None), None, True),
        (("", None), False, None),
        ((None,), None, None),
    ],
)
def test_roles_may_be_asked_of_a_whole_chain(chain: tuple[str | None, ...], every: bool | None, some: bool | None):
    who = links(*chain)
    assert To(roles=frozenset({"payer"}), links="all").matches(who) is every
    assert To(roles=frozenset({"payer"}), links="any").matches(who) is some
    assert To(roles=frozenset({"payer"})).matches(who) is True
    assert To(roles=frozenset({"payer"}), principals=frozenset({"other"}), links="all").matches(who) is False
    assert To(links="all").matches(who) is True
