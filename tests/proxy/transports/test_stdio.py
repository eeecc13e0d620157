"""The door by lines: refusals first, whose answer is whose, and what is not answered at all."""

from __future__ import annotations

from pathlib import Path

from tests import scripted
from tests.mcpwire import played
from tests.stdiowire import inside

PING = b'{"jsonrpc":"2.0","id":%d,"method":"ping"}'


@played
async def test_a_line_that_is_no_message_is_refused_and_recorded(tmp_path: Path) -> None:
    async with inside(tmp_path, most_line=2000) as one:
        one.feed(b"no json")
        one.feed(b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]')
        one.feed(b'{"jsonrpc":"2.0","id":1,"method":"ping","id":1}')
        assert (await one.answer(1))["error"]["code"] == -32700
        one.feed(b'{"jsonrpc":"2.0","id":2,"method":"no/such"}')
        assert (await one.answer(2))["error"]["code"] == -32601
        one.feed(b'{"jsonrpc":"2.0","id":3,"method":"stream"}')
        assert (await one.answer(3))["error"]["code"] == -32601
        one.feed(b'{"jsonrpc":"2.0","id":4,"method":"ping","params":{"x":"%b"}}' % (b"x" * 3000))
        assert (await one.answer(4))["error"]["data"]["code"] == "too_large"
        one.feed(b'{"jsonrpc":"2.0","id":"\xff","method":"ping"}')  # said again, this id would be no JSON
        one.feed(b'{"jsonrpc":"2.0","id":5,"result":{}}')
        one.feed(b"   ")
        one.feed(PING % 6)
        assert (await one.answer(6))["result"] == {}
    assert one.said == []  # nothing else was said, to nobody
    codes = [each["code"] for each in one.records() if "code" in each]
    assert codes == ["bad_request"] * 3 + ["unknown_tool"] * 2 + ["too_large"] + ["bad_request"] * 2


@played
async def test_one_request_too_many_and_an_id_that_is_in_use_are_refused(tmp_path: Path) -> None:
    async with inside(tmp_path, most_calls=1) as one:
        await one.begin()
        one.call(1, "find", "slow")
        await one.until(lambda: any('"slow"' in line for line in one.errors))
        one.feed(PING % 1)
        assert (await one.answer(1))["error"]["data"]["detail"] == "Another request of this id is under way."
        one.feed(PING % 2)
        assert (await one.answer(2))["error"]["data"]["code"] == "limit_reached"


@played
async def test_a_client_that_closes_its_end_in_the_middle_leaves_a_record(tmp_path: Path) -> None:
    async with inside(tmp_path) as one:
        await one.begin()
        one.call(1, "drop", "slow")
        await one.until(lambda: any('"slow"' in line for line in one.errors))
        one.reader.feed_eof()
        await one.door.finish(0.05)
        await one.door.close()
        [record] = [each for each in one.records() if each["tool"] == "crm.drop"]
        assert (record["outcome"], record["executed"]) == ("client_gone", "unknown")


@played
async def test_a_client_that_tried_the_newest_revision_in_vain_begins_a_session(tmp_path: Path) -> None:
    meta = {f"{scripted.META}protocolVersion": scripted.MODERN, f"{scripted.META}clientCapabilities": {}}
    async with inside(tmp_path) as one:
        one.ask("probe", "prompts/list", _meta=meta)
        assert (await one.answer("probe"))["error"]["code"] == -32601
        one.ask("ping", "ping")  # of the revision that it tried there is no such thing
        assert (await one.answer("ping"))["error"]["code"] == -32601
        await one.begin()
        one.call(1, "find", "Ann")
        assert "isError" not in (await one.answer(1))["result"]


@played
async def test_what_is_too_long_is_not_told_and_what_comes_behind_it_is(tmp_path: Path) -> None:
    policy = "rules: [{id: all, allow: [crm.find, crm.elicitation/create]}]"
    async with inside(tmp_path, policy=policy, most_event=150) as one:
        await one.begin()
        one.call(1, "find", "ask")
        await one.until(lambda: any(each["tool"] == "crm.elicitation/create" for each in one.records()))
        one.call(2, "find", "is read in the place of the answer")
        one.call(3, "find", "log")
        await one.until(lambda: [each for each in one.said if each.get("method") == "notifications/message"])
        assert not [each for each in one.said if each.get("method") == "elicitation/create"]
