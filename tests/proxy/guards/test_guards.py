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
from proxy.protocols.masking import masked
from proxy.scanning import Scans
from redaction.known import NOTHING, Known
from rules.obligations import Approval
from rules.outgoing import Outgoing as Terms

NAMES = {
    ("read", False, "off"): ["timeout", "clean"],
    ("write", False, "off"): ["timeout", "intent", "clean"],
    ("irreversible", True, "enforce"): ["approval", "timeout", "intent", "clean", "reply_contract"],
    ("read", True, "report"): ["approval", "timeout", "clean", "reply_contract"],
}


@pytest.mark.parametrize(("effect", "approval", "contract"), NAMES)
def test_which_guards_and_in_which_order(effect: str, approval: bool, contract: str) -> None:
    reply = SimpleNamespace(contract=contract)
    call: Any = SimpleNamespace(tool=SimpleNamespace(name="t", effect=effect, reply=reply, outgoing=Terms()))
    decision: Any = SimpleNamespace(obligations=(Approval("boss", 900.0),) if approval else ())
    scans = Scans()
    guards = Guards(
        Clean({}, {}, scans), KnownSecrets(NOTHING, scans), ReplyContract(scans), Outgoing({}, NOTHING, masked, scans)
    )(call, decision)
    scans.close()
    assert [guard.__name__ for guard in guards] == NAMES[effect, approval, contract]


def test_known_secrets_are_searched_for_where_there_are_any() -> None:
    call: Any = SimpleNamespace(
        tool=SimpleNamespace(name="t", effect="read", reply=SimpleNamespace(contract="enforce"), outgoing=Terms())
    )
    decision: Any = SimpleNamespace(obligations=())
    scans = Scans()
    known = KnownSecrets(Known(["kq7-31aZ-w"]), scans)
    guards = Guards(Clean({}, {}, scans), known, ReplyContract(scans), Outgoing({}, NOTHING, masked, scans))(
        call, decision
    )
    scans.close()
    assert [guard.__name__ for guard in guards] == ["timeout", "clean", "known_secrets", "reply_contract"]
