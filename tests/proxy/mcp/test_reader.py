"""What is read beside an answer is read by the guards, and the Record of the call stays that of the call."""

from __future__ import annotations

from pathlib import Path

from tests.mcpwire import FOUND, Client, Server, answered, event, events, mcp_wall, notification, played, stream


@played
async def test_the_record_has_each_check_once_however_much_was_read(tmp_path: Path) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server) as w:
        client = await Client(w).begin()
        told = [event(notification("message", level="info", data=f"n{number}@example.com")) for number in range(30)]
        server.says["tools/call"] = lambda heard: stream(*told, event(answered(heard, FOUND)))
        heard = events(await client.call("find", text="x"))
        assert len(heard) == 31
        record = w.records()[-1]
        assert record["redactions"] == {"EMAIL_ADDRESS": 30}
        assert len(record["checks"]) == len(set(record["checks"]))
        assert len(record.get("notes", [])) < 5


@played
async def test_where_cleaning_is_off_what_is_told_is_told_as_it_is(tmp_path: Path) -> None:
    server = Server()
    async with mcp_wall(tmp_path, server, keys="reply: {redact: off}") as w:
        client = await Client(w).begin()
        told = event(notification("message", level="info", data="ann@example.com"))
        server.says["tools/call"] = lambda heard: stream(told, told, event(answered(heard, FOUND)))
        heard = events(await client.call("find", text="x"))
        assert [each["params"]["data"] for each in heard[:2]] == ["ann@example.com"] * 2
        assert set(w.records()[-1]["passed_unchecked"]) == {"clean"}
