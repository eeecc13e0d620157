"""Approval: asked for by a rule or by an effect, never sent, waived only by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.wire import perform, wall

TOOLS = """
  get: {says: Read., call: "GET /things/{id}", args: {id: {type: integer}}}
  pay: {says: Pay., call: POST /pay, args: {cents: {type: integer}}, effect: irreversible}
"""
ASKED = "rules: [{id: r, allow: crm.*, require: {approval: {by: boss, within: 15m}}}]"
BY_EFFECT = "rules: [{id: r, allow: crm.*}]"
WAIVED = "rules: [{id: r, allow: crm.*, waive: {approval: small sums}}]"


@pytest.mark.parametrize(("policy", "read", "paid"), [(ASKED, 428, 428), (BY_EFFECT, 200, 428), (WAIVED, 200, 200)])
def test_who_is_asked(tmp_path: Path, policy: str, read: int, paid: int) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, policy) as w:
            told = await w.tell("GET", "/crm/things/7")
            assert told.reply.status == read
            assert ("approval" in told.record["checks"]) == (read == 428)
            told = await w.tell("POST", "/crm/pay", b'{"cents": 5}')
            assert told.reply.status == paid
            assert len(w.backend.requests) == [read, paid].count(200)
            assert len(w.records("intent")) == (paid == 200)
            if policy == WAIVED:
                assert told.record["waived"] == {"approval": "small sums"}

    perform(play())


def test_an_approval_is_for_one_principal_and_one_call(tmp_path: Path) -> None:
    from proxy.identity.identity import digest

    keys = ", ".join(f"{{id: {name}, sha256: {digest(name)}}}" for name in ("ann", "bob"))

    async def play() -> None:
        async with wall(tmp_path, TOOLS, ASKED, identity=f"{{api_keys: [{keys}]}}") as w:
            ids = [
                (await w.tell("GET", f"/crm/things/{number}", headers=[("Toolwall-Key", who)])).reply.json[
                    "approval_id"
                ]
                for who, number in (("ann", 7), ("ann", 7), ("ann", 8), ("bob", 7))
            ]
            assert ids[0] == ids[1]
            assert len(set(ids)) == 3

    perform(play())
