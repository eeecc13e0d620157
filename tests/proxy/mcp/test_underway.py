"""Nobody takes back what another asked for, through the socket, where a server tells callers apart by nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.mcpwire import EVENTS, FOUND, Client, Server, answered, event, last, mcp_wall, played
from tests.proxy.mcp.test_sessions import ANN, BOB, BOTH
from tests.wire import reply


@pytest.mark.parametrize("modern", [False, True])
@pytest.mark.parametrize("id", [7, "7"])
@played
async def test_nobody_takes_back_what_another_asked_for(tmp_path: Path, modern: bool, id: Any) -> None:
    go, begun = asyncio.Event(), asyncio.Event()

    async def said(heard: Any) -> Any:
        begun.set()
        yield EVENTS
        await go.wait()
        yield event(answered(heard, FOUND))

    server = Server(says={"initialize": lambda heard: reply(answered(heard, {}))})
    async with mcp_wall(tmp_path, server, identity=BOTH) as w:
        ann, bob = (Client(w, key=key, modern=modern) for key in (ANN, BOB))
        assert "result" in last(await ann.call("find", text="x"))
        server.says["tools/call"] = said
        message = ann.message("tools/call", {"name": "find", "arguments": {"text": "x"}}, id=id)
        called = asyncio.create_task(ann.send(message))
        await begun.wait()
        for one, other in ((bob, id), (ann, str(id) if id == 7 else 7), (ann, None), (ann, [id])):
            assert (await one.tell("notifications/cancelled", requestId=other)).status == 202
        assert server.calls("notifications/cancelled") == []
        assert (await ann.tell("notifications/cancelled", requestId=id)).status == 202
        assert [each.message["params"]["requestId"] for each in server.calls("notifications/cancelled")] == [id]
        go.set()
        assert "result" in last(await called)
        await ann.tell("notifications/cancelled", requestId=id)  # too late
        assert len(server.calls("notifications/cancelled")) == 1
        assert len(w.sidecar.servers.under_way) == 0
        told = [each for each in w.records() if each["tool"] == "crm.mcp/notifications/cancelled"]
        assert [each["outcome"] for each in told] == ["ok"] * 6
