"""The open Record: written exactly once, whatever way a call ends."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from proxy.errors import Refusal
from tests.doors import house
from tests.wire import perform, wall


def test_ids_sort_by_time_and_are_never_the_same(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, house.TOOLS, house.POLICY) as w:
            ids = [w.sidecar.firewall.entries.open("d").record.call for _ in range(1_000)]
            assert len(set(ids)) == 1_000
            await asyncio.sleep(0.002)
            assert w.sidecar.firewall.entries.open("d").record.call > max(ids)

    perform(play())


def test_hashes_of_arguments_tell_equal_from_unequal_and_nothing_more(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, house.TOOLS, house.POLICY) as w:
            bodies = (b'{"a":1,"b":2}', b'{ "b":2, "a":1 }', b'{"a":1,"b":3}', b'{"a":"1","b":2}', b'{"a":true,"b":2}')
            hashes = [(await w.tell("POST", "/crm/any", body)).record["arguments_hash"] for body in bodies]
            assert hashes[0] == hashes[1]
            assert len(set(hashes)) == 4
        other = tmp_path / "other"
        other.mkdir()
        async with wall(other, house.TOOLS, house.POLICY) as w:
            assert (await w.tell("POST", "/crm/any", bodies[0])).record["arguments_hash"] != hashes[0]

    perform(play())


def test_each_way_out_writes_one_record(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, house.TOOLS, house.POLICY) as w:
            entries = w.sidecar.firewall.entries
            for error, outcome in (
                (Refusal("denied"), "refused"),
                (Refusal("outcome_unknown"), "outcome_unknown"),
                (ZeroDivisionError(), "refused"),
                (asyncio.CancelledError(), "client_gone"),
            ):
                w.news()
                with pytest.raises((Refusal, asyncio.CancelledError)):
                    async with entries.open("d"):
                        raise error
                assert [record["outcome"] for record in w.news()] == [outcome]

    perform(play())


def test_a_call_is_over_once_also_for_who_leaves_while_the_disk_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play() -> None:
        async with wall(tmp_path, house.TOOLS, house.POLICY) as w:
            entries, over, waits = w.sidecar.firewall.entries, list[str](), asyncio.Event()

            async def slow(seq: int) -> None:
                waits.set()
                await asyncio.sleep(5)

            async def call() -> None:
                async with entries.open("d") as entry:
                    entry.record.effect, entry.sent = "write", True
                    entry.at_end(lambda record: over.append(record.outcome))
                    raise Refusal("outcome_unknown", executed="unknown")

            monkeypatch.setattr(entries.ledger, "durable", slow)
            w.news()
            leaving = asyncio.create_task(call())
            await waits.wait()
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
            assert [record["outcome"] for record in w.news()] == over == ["outcome_unknown"]

    perform(play())


def test_a_check_that_did_not_run_withholds_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from proxy.entry import Entry

    forgetful = Entry.check
    monkeypatch.setattr(Entry, "check", lambda self, name: None if name == "clean" else forgetful(self, name))

    async def play() -> None:
        async with wall(tmp_path, house.TOOLS, house.POLICY) as w:
            told = await w.tell("GET", "/crm/things/7")
            assert told.reply.json["code"] == "reply_refused"
            assert told.record["notes"] == ["missing: ['clean']"]
            assert b"ok" not in told.reply.body

    perform(play())


def test_a_run_that_looks_like_a_credential_is_refused(tmp_path: Path) -> None:
    token = "ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4xY7zA0cD3fG6"

    async def play() -> None:
        async with wall(tmp_path, house.TOOLS, house.POLICY) as w:
            for _ in range(2):
                told = await w.tell("GET", "/crm/things/7", headers=[("Toolwall-Run", token)])
                assert told.reply.json["code"] == "bad_request"
                assert token not in str(told.record)
            for name in ("4111111111111111", "10.0.0.1", "2026-11-20T10:00:00", "0af76519-16cd-43dd-8448-eb211c80319c"):
                told = await w.tell("GET", "/crm/things/7", headers=[("Toolwall-Run", name)])
                assert told.record["run"] == name

    perform(play())
