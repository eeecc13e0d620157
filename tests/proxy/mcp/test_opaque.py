"""What a server gives to get it back comes back byte for byte, and nobody reads in it what is taken out of answers."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.mcp.opaque import MARK, Opaque
from proxy.model import Call, Outgoing
from proxy.protocols.jsonrpc import Malformed
from rules.facts import Principal, Run
from tests.mcpwire import FIND, FOUND, Client, Heard, Server, answered, event, last, mcp_wall, played, stream

MAIL = "ann@example.com"
PLAIN = ["2", "b2Zmc2V0OjI=", "eyJwYWdlIjoyfQ==", "a/b?c=d&e=%20f", "", "ünïcödé 🐦", "n" * 5_000]
LEAKY = [
    f"after:{MAIL}",
    json.dumps({"who": MAIL, "page": 2}),
    base64.b64encode(f"owner={MAIL};page=2".encode()).decode(),
    "q=ann%40example.com&n=%20",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
]
KEYS = {name: "twk_" + name * 43 for name in "ab"}
LISTED = ", ".join(f"{{id: {name}, sha256: {hashlib.sha256(key.encode()).hexdigest()}}}" for name, key in KEYS.items())
BOTH = f"{{api_keys: [{LISTED}]}}"


def paging(server: Server, token: Any, streamed: bool = False) -> None:
    """The server has one more page, behind this cursor."""

    def says(heard: Heard) -> Any:
        rest = {} if "cursor" in heard.message["params"] else {"nextCursor": token}
        said = {"tools": server.tools, **rest}
        return stream(event(answered(heard, said))) if streamed else said

    server.says["tools/list"] = says


def cursors(server: Server) -> list[Any]:
    listed = (heard.message["params"] for heard in server.calls("tools/list"))
    return [params["cursor"] for params in listed if "cursor" in params]


@pytest.mark.parametrize("modern", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
@played
async def test_a_cursor_comes_back_as_it_was(tmp_path: Path, modern: bool, streamed: bool) -> None:
    server = Server(tools=[FIND])
    async with mcp_wall(tmp_path, server, tools="\n  find: {effect: read}\n") as w:
        client = Client(w, modern=True) if modern else await Client(w).begin()
        for token in PLAIN + LEAKY:
            paging(server, token, streamed)
            page = await client.ask("tools/list")
            given = last(page)["result"]["nextCursor"]
            assert (given == token) == (token in PLAIN), token
            assert last(await client.ask("tools/list", cursor=given))["result"]["tools"] == [FIND]
            assert cursors(server)[-1] == token
        for canary in (MAIL, "ann%40", LEAKY[2], LEAKY[4][:20]):
            assert canary.encode() not in w.ledger()
        first = next(each for each in reversed(w.records()) if each.get("redactions"))
        assert sum(first["redactions"].values()) == 1


def wanting(state: str) -> dict[str, Any]:
    form = {"message": "m", "requestedSchema": {"type": "object"}}
    asks = {"a": {"method": "elicitation/create", "params": form}}
    return {"resultType": "input_required", "inputRequests": asks, "requestState": state}


@pytest.mark.parametrize("streamed", [False, True])
@played
async def test_a_state_comes_back_as_it_was(tmp_path: Path, streamed: bool) -> None:
    server = Server(tools=[FIND])
    policy = "\nrules:\n  - {id: all, allow: [crm.find, crm.elicitation/create]}\n"
    keys = "outgoing: {refuse: [standard]}\n"
    async with mcp_wall(tmp_path, server, policy, "\n  find: {effect: read}\n", keys=keys) as w:
        client = Client(w, modern=True)
        for number, token in enumerate(PLAIN + LEAKY):

            def says(heard: Heard, token: str = token) -> Any:
                said = FOUND if "requestState" in heard.message["params"] else wanting(token)
                return stream(event(answered(heard, said))) if streamed else said

            server.says["tools/call"] = says
            params = {"name": "find", "arguments": {"text": f"x{number}"}}
            given = last(await client.ask("tools/call", **params))["result"]["requestState"]
            assert (given == token) == (token in PLAIN), token
            more = {"inputResponses": {"a": {"action": "decline"}}, "requestState": given}
            assert last(await client.ask("tools/call", **params, **more))["result"] == FOUND
            assert server.calls("tools/call")[-1].message["params"]["requestState"] == token
            assert server.calls("tools/call")[-1].message["params"]["arguments"] == {"text": f"x{number}"}
        assert MAIL.encode() not in w.ledger()


@played
async def test_what_is_sealed_opens_for_its_own_principal_and_use_alone(tmp_path: Path) -> None:
    server = Server(tools=[FIND])
    async with mcp_wall(tmp_path, server, tools="\n  find: {effect: read}\n", identity=BOTH) as w:
        ann, bob = Client(w, modern=True, key=KEYS["a"]), Client(w, modern=True, key=KEYS["b"])
        paging(server, LEAKY[0])
        given = last(await ann.ask("tools/list"))["result"]["nextCursor"]
        other = given[:-1] + ("a" if given[-1] != "a" else "b")
        for client, cursor in [(bob, given), (ann, other), (ann, given[:-2]), (ann, MARK), (ann, MARK + "x")]:
            said = await client.ask("tools/list", cursor=cursor)
            assert last(said)["error"]["code"] == -32602
            assert w.records()[-1]["code"] == "bad_request"
        said = await ann.ask("tools/call", name="find", arguments={"text": "x"}, requestState=given)
        assert last(said)["error"]["code"] == -32602
        assert not server.calls("tools/call")
        assert cursors(server) == []


@played
async def test_what_was_sealed_before_a_restart_opens_after_it(tmp_path: Path) -> None:
    server, tools = Server(tools=[FIND]), "\n  find: {effect: read}\n"
    paging(server, LEAKY[0])
    async with mcp_wall(tmp_path, server, tools=tools) as w:
        given = last(await Client(w, modern=True).ask("tools/list"))["result"]["nextCursor"]
    for each in (tmp_path / "rules").iterdir():
        each.unlink()
    (tmp_path / "rules").rmdir()
    async with mcp_wall(tmp_path, server, tools=tools) as w:
        assert "result" in last(await Client(w, modern=True).ask("tools/list", cursor=given))
        assert cursors(server) == [LEAKY[0]]


@played
async def test_where_cleaning_is_off_tokens_are_told_as_they_are(tmp_path: Path) -> None:
    server = Server(tools=[FIND])
    async with mcp_wall(tmp_path, server, tools="\n  find: {effect: read}\n", keys="reply: {redact: off}") as w:
        paging(server, LEAKY[0])
        assert last(await Client(w, modern=True).ask("tools/list"))["result"]["nextCursor"] == LEAKY[0]


@played
async def test_a_token_that_might_not_be_sent_again_is_sealed(tmp_path: Path) -> None:
    server = Server(tools=[FIND])
    keys = "reply: {redact: [IBAN_CODE]}\noutgoing: {refuse: [standard]}\n"
    async with mcp_wall(tmp_path, server, tools="\n  find: {effect: read}\n", keys=keys) as w:
        client = Client(w, modern=True)
        paging(server, LEAKY[0])
        given = last(await client.ask("tools/list"))["result"]["nextCursor"]
        assert "result" in last(await client.ask("tools/list", cursor=given))
        assert cursors(server) == [LEAKY[0]]
        said = await client.ask("tools/list", cursor=LEAKY[0])
        assert last(said)["error"]["data"]["code"] == "unsafe_argument"


@played
async def test_a_cursor_that_is_no_text_is_cleaned_as_all_else(tmp_path: Path) -> None:
    server = Server(tools=[FIND])
    async with mcp_wall(tmp_path, server, tools="\n  find: {effect: read}\n") as w:
        paging(server, {"a": MAIL})
        given = last(await Client(w, modern=True).ask("tools/list"))["result"]["nextCursor"]
        assert given == {"a": "<EMAIL_ADDRESS>"}


class _Tool:
    backend = "crm"


def call(body: bytes, principal: str = "ann") -> Call:
    outgoing = Outgoing("POST", "", (), body)
    return Call("c", Run("r", 1), Principal(principal), _Tool(), {}, (), outgoing, "", "", "")  # type: ignore[arg-type]


@given(st.text(max_size=60).filter(lambda text: text.isprintable()))
def test_any_token_comes_back(token: str) -> None:
    opaque = Opaque(b"k" * 32)
    sealed = opaque.sealed(token, call(b"{}"), "nextCursor")
    body = json.dumps({"cursor": sealed, "b": 1}).encode()
    assert json.loads(opaque.opened(call(body)).outgoing.body) == {"cursor": token, "b": 1}
    for strange in (Opaque(b"j" * 32), opaque):
        with pytest.raises(Malformed):
            strange.opened(call(body, "bob" if strange is opaque else "ann"))
