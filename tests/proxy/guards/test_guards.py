"""The one list of guards: which apply to a call, and in which order."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from proxy.guards import Guards
from proxy.guards.clean import Clean
from proxy.guards.known import KnownSecrets
from proxy.guards.outgoing import Outgoing
from proxy.guards.replycontract import ReplyContract
from proxy.guards.shape import Shape
from proxy.protocols.masking import masked
from proxy.remainders import Remainders
from proxy.scanning import Scans
from redaction.known import NOTHING, Known
from rules.obligations import Approval
from rules.outgoing import Outgoing as Terms
from rules.shaping import Shaping

NAMES = {
    ("read", False, "off"): ["timeout", "clean"],
    ("write", False, "off"): ["timeout", "intent", "clean"],
    ("irreversible", True, "enforce"): ["approval", "timeout", "intent", "clean", "reply_contract"],
    ("read", True, "report"): ["approval", "timeout", "clean", "reply_contract"],
}


def house(known: Known, scans: Scans) -> Guards:
    return Guards(
        Clean({}, {}, scans),
        KnownSecrets(known, scans),
        ReplyContract(scans),
        Outgoing({}, NOTHING, masked, scans),
        Shape(Remainders(), scans),
    )


@pytest.mark.parametrize(("effect", "approval", "contract"), NAMES)
def test_which_guards_and_in_which_order(effect: str, approval: bool, contract: str) -> None:
    reply = SimpleNamespace(contract=contract, shaping=None)
    call: Any = SimpleNamespace(tool=SimpleNamespace(name="t", effect=effect, reply=reply, outgoing=Terms()))
    decision: Any = SimpleNamespace(obligations=(Approval("boss", 900.0),) if approval else ())
    scans = Scans()
    guards = house(NOTHING, scans)(call, decision)
    scans.close()
    assert [guard.__name__ for guard in guards] == NAMES[effect, approval, contract]


def test_known_secrets_are_searched_for_and_answers_shaped_where_it_is_said() -> None:
    call: Any = SimpleNamespace(
        tool=SimpleNamespace(
            name="t", effect="read", reply=SimpleNamespace(contract="enforce", shaping=Shaping()), outgoing=Terms()
        )
    )
    decision: Any = SimpleNamespace(obligations=())
    scans = Scans()
    guards = house(Known(["kq7-31aZ-w"]), scans)(call, decision)
    scans.close()
    assert [guard.__name__ for guard in guards] == ["timeout", "shape", "clean", "known_secrets", "reply_contract"]
