"""The tool listing at the door: who gets what, and what is never said."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from proxy import listing as module
from proxy.identity.identity import digest
from tests.wire import Reply, Stage, Wall, perform, staged, wall

KEYS = {name: f"twk_key-of-{name}" for name in ("ann", "bob", "eve")}
ROLES = {"ann": "support", "bob": "billing", "eve": "none"}
IDENTITY = (
    "{api_keys: ["
    + ", ".join(f"{{id: {name}, roles: [{ROLES[name]}], sha256: {digest(key)}}}" for name, key in KEYS.items())
    + "]}"
)
TOOLS = """
  get: {says: Read one., call: "GET /things/{id}", args: {id: {type: integer, minimum: 1}}}
  put: {says: Write one., call: POST /things, args: {name: {type: string, maxLength: 50}}, effect: write}
  pay: {says: Pay., call: POST /payments, args: {cents: {type: integer, maximum: 1234567}}, effect: irreversible}
  hidden_canary: {says: Nobody may., call: GET /hidden-canary}
"""
POLICY = """
rules:
  - {id: rule-canary, allow: [crm.get, crm.put], to: {roles: [support]}}
  - {id: payments, allow: crm.pay, to: {roles: [billing]}, when: args.cents < 987654}
"""
FORMS = ("openai", "anthropic", "mcp", "json")


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("listing"), TOOLS, policy=POLICY, identity=IDENTITY) as stage:
        yield stage


async def ask(w: Wall, name: str, query: str = "", *headers: tuple[str, str], method: str = "GET") -> Reply:
    return await w.call(method, f"/.toolwall/tools{query}", headers=[("Toolwall-Key", KEYS[name]), *headers])


def names(reply: Reply) -> list[str]:
    assert reply.status == 200
    return [each.get("name") or each["function"]["name"] for each in reply.json["tools"]]


@pytest.mark.parametrize("form", FORMS)
def test_each_caller_sees_its_own(door: Stage, form: str) -> None:
    async def play(w: Wall) -> None:
        dot = "." if form == "json" else "__"
        assert names(await ask(w, "ann", f"?format={form}")) == [f"crm{dot}get", f"crm{dot}put"]
        assert names(await ask(w, "bob", f"?format={form}")) == [f"crm{dot}pay"]
        assert names(await ask(w, "eve", f"?format={form}")) == []
        assert w.backend.requests == []

    door.run(play)


@pytest.mark.parametrize("form", FORMS)
def test_nothing_of_the_policy_or_of_other_tools_is_said(door: Stage, form: str) -> None:
    async def play(w: Wall) -> None:
        for name in KEYS:
            raw = (await ask(w, name, f"?format={form}")).raw
            for canary in (b"canary", b"987654", b"support", b"billing", b"127.0.0.1", b"api"):
                assert canary not in raw.replace(b"application/", b"")

    door.run(play)


@pytest.mark.parametrize(
    "key", [[], [("Toolwall-Key", "twk_wrong")], [("Toolwall-Key", "")], [("Authorization", "Bearer x")]]
)
def test_who_is_not_known_learns_nothing(door: Stage, key: list[tuple[str, str]]) -> None:
    async def play(w: Wall) -> None:
        call = await w.call("GET", "/crm/things/7", headers=key)
        for query in ("", "?format=xml"):
            told = await w.tell("GET", f"/.toolwall/tools{query}", headers=key)
            assert told.reply.status == 401
            assert told.reply.json | {"call_id": ""} == call.json | {"call_id": ""}
            assert (told.record["code"], told.record["outcome"]) == ("unauthenticated", "refused")

    door.run(play)


@pytest.mark.parametrize("query", ["?format=xml", "?format=json&format=json", "?page=1", "?tools=", "?tools=%0a"])
def test_what_cannot_be_asked_for(door: Stage, query: str) -> None:
    async def play(w: Wall) -> None:
        reply = await ask(w, "ann", query)
        assert (reply.status, reply.json["code"], reply.json["retry"]) == (400, "bad_request", "after_fix")
        assert "format=" in reply.json["suggestion"]
        assert reply.headers["toolwall-refused"] == "bad_request"

    door.run(play)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_it_is_only_read(door: Stage, method: str) -> None:
    async def play(w: Wall) -> None:
        reply = await ask(w, "ann", method=method)
        assert (reply.status, reply.json["code"], reply.headers["allow"]) == (400, "bad_request", "GET")

    door.run(play)


def test_other_doors_of_its_own_do_not_exist(door: Stage) -> None:
    async def play(w: Wall) -> None:
        for path in ("/.toolwall/", "/.toolwall/tools/", "/.toolwall/secrets", "/.toolwall/tools/crm.get"):
            reply = await w.call("GET", path, headers=[("Toolwall-Key", KEYS["ann"])])
            assert (reply.status, reply.json["code"]) == (403, "unknown_tool")

    door.run(play)


def test_it_leaves_a_record_and_is_no_step_of_a_run(door: Stage) -> None:
    async def play(w: Wall) -> None:
        key = [("Toolwall-Key", KEYS["ann"]), ("Toolwall-Run", "r-1")]
        told = await w.tell("GET", "/.toolwall/tools?format=mcp", headers=key)
        record = told.record
        assert (record["outcome"], record["principal"], record["status"]) == ("ok", "ann", 200)
        assert record["notes"] == ["the tool listing as mcp"]
        assert record["checks"] == ["identity"]
        assert record["revision"] == w.sidecar.firewall.regime.rules.revision
        assert told.reply.headers["toolwall-call"] == record["call"]
        assert "tool" not in record
        told = await w.tell("GET", "/crm/things/7", headers=key)
        assert (told.reply.status, told.record["step"]) == (200, 1)

    door.run(play)


def test_a_tag_answers_nobody_else(door: Stage) -> None:
    async def play(w: Wall) -> None:
        first = await ask(w, "ann")
        tag = first.headers["etag"]
        assert first.headers["cache-control"] == "private, no-store"
        same = await ask(w, "ann", "", ("If-None-Match", f'"x", W/{tag}'))
        assert (same.status, same.body, same.headers["etag"]) == (304, b"", tag)
        for name, query in (("bob", ""), ("eve", ""), ("ann", "?format=mcp"), ("ann", "?tools=crm.put")):
            other = await ask(w, name, query, ("If-None-Match", tag))
            assert (other.status, other.headers["etag"] != tag) == (200, True)

    door.run(play)


def test_what_is_listed_can_be_called(door: Stage) -> None:
    async def play(w: Wall) -> None:
        for tool in (await ask(w, "ann")).json["tools"]:
            (example,) = tool["examples"]
            assert jsonschema.Draft202012Validator(tool["input"]).is_valid(example)
            path, body = tool["path"], {}
            for name, value in example.items():
                place = tool["arguments"][name]
                path = path.replace(f"{{{place['name']}}}", str(value))
                body |= {place["name"]: value} if place["in"] == "body" else {}
            raw = json.dumps(body).encode() if body else b""
            reply = await w.call(tool["method"], path, raw, [("Toolwall-Key", KEYS["ann"])])
            assert reply.status == 200, tool

    door.run(play)


def test_a_part_of_the_tools(door: Stage) -> None:
    async def play(w: Wall) -> None:
        assert names(await ask(w, "ann", "?tools=crm.p*")) == ["crm.put"]
        assert names(await ask(w, "ann", "?tools=crm.pay")) == []
        assert names(await ask(w, "ann", "?tools=crm.nothing")) == []

    door.run(play)


def test_a_listing_that_is_too_large_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 600)

    async def play() -> None:
        async with wall(tmp_path, TOOLS, POLICY, identity=IDENTITY) as w:
            reply = await ask(w, "ann")
            assert (reply.status, reply.json["code"]) == (400, "bad_request")
            assert "&tools=" in reply.json["suggestion"]
            assert names(await ask(w, "ann", "?tools=crm.get")) == ["crm.get"]

    perform(play())


def test_it_follows_the_rules_and_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    make = module._made

    def counted(*given: Any) -> bytes:
        made.append(given)
        return make(*given)

    monkeypatch.setattr(module, "_made", counted)

    async def play() -> None:
        async with wall(tmp_path, TOOLS, POLICY, identity=IDENTITY) as w:
            replies = await asyncio.gather(*(ask(w, "ann") for _ in range(10)))
            assert len({reply.body for reply in replies}) == len(made) == 1
            tag = replies[0].headers["etag"]
            (tmp_path / "fresh").write_text(POLICY.replace("[crm.get, crm.put]", "crm.get"))
            os.replace(tmp_path / "fresh", tmp_path / "rules" / "policy.yaml")
            w.sidecar.reloader.reload()
            async with asyncio.timeout(10):
                while not w.records("rules"):
                    await asyncio.sleep(0.01)
            reply = await ask(w, "ann", "", ("If-None-Match", tag))
            assert names(reply) == ["crm.get"]
            for number in range(module.MOST_KEPT + 5):
                assert (await ask(w, "ann", f"?tools=crm.x{number}")).status == 200
            assert len(made) == 2 + module.MOST_KEPT + 5

    perform(play())


def test_where_the_host_chooses_the_backend(tmp_path: Path) -> None:
    async def play() -> None:
        hosts = ", hosts: {crm.example: crm, kb.example: kb}"
        (tmp_path / "rules").mkdir()
        (tmp_path / "rules" / "kb.yaml").write_text(
            "backend: kb\nurl: http://127.0.0.1:9\ntools: {find: {says: Find., call: GET /find}}\n"
        )
        policy = "rules: [{id: all, allow: ['crm.*', kb.find]}]"
        async with wall(tmp_path, TOOLS, policy, identity=IDENTITY, listener=hosts) as w:
            key = f"Toolwall-Key: {KEYS['eve']}\r\nConnection: close\r\n\r\n"
            paths = {}
            for host in (w.host, "crm.example", "kb.example"):
                raw = await w.send(f"GET /.toolwall/tools HTTP/1.1\r\nHost: {host}\r\n{key}".encode())
                paths[host] = {tool["name"]: tool["path"] for tool in Reply.parse(raw).json["tools"]}
            assert paths[w.host] == {**{n: f"/crm{p}" for n, p in paths["crm.example"].items()}, "kb.find": "/kb/find"}
            assert paths["crm.example"]["crm.get"] == "/things/{id}"
            assert paths["kb.example"] == {"kb.find": "/find"}

    perform(play())
