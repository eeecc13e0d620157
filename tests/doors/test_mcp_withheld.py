"""What is withheld at a server's own endpoint is withheld at the other doors too: standard input and output, and the
sidecar's own server before servers of either era.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.mcpwire import FOUND, MODERN, Client, Heard, Server, last, played
from tests.proxy.mcp.test_joining import PATH, joined, legacy, modern
from tests.scripted import META, ODD
from tests.stdiowire import inside

LEAKY = "after:ann@example.com"


@pytest.mark.parametrize("newer", [False, True])
@played
async def test_by_standard_input_and_output(tmp_path: Path, newer: bool) -> None:
    meta = {f"{META}protocolVersion": MODERN, f"{META}clientInfo": {"name": "c", "version": "1"}}
    more = {"_meta": {**meta, f"{META}clientCapabilities": {}}} if newer else {}
    async with inside(tmp_path) as one:
        if not newer:
            await one.begin()
        for id, text in enumerate([*ODD, "fine"], 1):
            one.ask(id, "tools/call", name="find", arguments={"text": text}, **more)
            result = (await one.answer(id))["result"]
            assert result.get("isError", False) == (text in ODD), result
            if text in ODD:
                assert json.loads(result["content"][0]["text"])["code"] == "reply_refused"
    codes = [each.get("code") for each in one.records() if each["tool"] == "crm.find"]
    assert codes == ["reply_refused"] * len(ODD) + [None]


@pytest.mark.parametrize("newer", [False, True])
@pytest.mark.parametrize("client_newer", [False, True])
@played
async def test_at_the_sidecar_s_own_server(tmp_path: Path, newer: bool, client_newer: bool) -> None:
    hub = modern() if newer else legacy()
    async with joined(tmp_path, {"hub": hub}) as w:
        client = Client(w, path=PATH, modern=client_newer)
        for text, odd in ODD.items():
            hub.says["tools/call"] = lambda _, odd=odd: {**({"resultType": "complete"} if newer else {}), **odd}
            result = last(await client.call("hub__find", text=text))["result"]
            assert json.loads(result["content"][0]["text"])["code"] == "reply_refused"
            assert w.records()[-1]["code"] == "reply_refused"


@played
async def test_a_state_goes_through_the_sidecar_s_own_server_and_back_as_it_was(tmp_path: Path) -> None:
    form = {"message": "m", "requestedSchema": {"type": "object"}}
    wanted = {"a": {"method": "elicitation/create", "params": form}}

    def says(heard: Heard) -> dict[str, Any]:
        if "requestState" in heard.message["params"]:
            return {"resultType": "complete", **FOUND}
        return {"resultType": "input_required", "inputRequests": wanted, "requestState": LEAKY}

    hub: Server = modern(**{"tools/call": says})
    policy = "rules: [{id: all, allow: [hub.*, crm.*, hub.elicitation/create]}]\n"
    async with joined(tmp_path, {"hub": hub}, policy=policy) as w:
        client = Client(w, path=PATH, modern=True)
        params = {"name": "hub__find", "arguments": {"text": "x"}}
        given = last(await client.ask("tools/call", **params))["result"]["requestState"]
        assert LEAKY not in given
        answers = {"a": {"action": "decline"}}
        said = await client.ask("tools/call", **params, inputResponses=answers, requestState=given)
        assert last(said)["result"]["content"] == FOUND["content"]
        assert hub.calls("tools/call")[-1].message["params"]["requestState"] == LEAKY


@played
async def test_an_image_of_a_model_s_reaches_no_server_by_the_sidecar_s_own(tmp_path: Path) -> None:
    hub = modern()
    policy = "rules: [{id: all, allow: [hub.*, crm.*, hub.sampling/createMessage]}]\n"
    async with joined(tmp_path, {"hub": hub}, policy=policy) as w:
        content = {"type": "image", "data": "iVBORw0KGgo=", "mimeType": "image/png"}
        answers = {"a": {"role": "assistant", "model": "m", "content": content}}
        client = Client(w, path=PATH, modern=True)
        said = await client.ask("tools/call", name="hub__find", arguments={"text": "x"}, inputResponses=answers)
        assert json.loads(last(said)["result"]["content"][0]["text"])["code"] == "unsafe_argument"
        assert not hub.calls("tools/call")
