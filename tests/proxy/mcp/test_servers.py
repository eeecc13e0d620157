"""What a server asks is a call of its own: its arguments come back as they may be read."""

from __future__ import annotations

import asyncio

from proxy.mcp.servers import Servers, asked_back
from proxy.model import Call, Outgoing
from rules.facts import Principal, Run


def test_the_question_is_its_own_answer() -> None:
    outgoing = Outgoing("POST", "", (), b'{"message":"may I?"}')
    call = Call("c", Run("r", 1), Principal("ann"), None, {}, (), outgoing, "", "", "")  # type: ignore[arg-type]
    result = asked_back(call)
    assert (result.status, result.body.whole) == (200, b'{"message":"may I?"}')
    assert result.headers == [("content-type", "application/json")]


def test_rules_that_go_leave_sessions_and_pins() -> None:
    async def play() -> None:
        servers = Servers()
        servers.sessions.bind("crm", "s", "ann")
        assert servers.sessions.of("crm", "s", "ann").waiting == {}
        assert servers.firewall is None

    asyncio.run(play())
