"""The run in W3C baggage: read strictly where it is named, and not at all where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.errors import Refusal
from proxy.protocols.baggage import MOST_CHARACTERS, run_of
from tests.wire import Wall, perform, wall


@pytest.mark.parametrize(
    ("headers", "run"),
    [
        ([], ""), (["a=b"], ""), (["toolwall.run=r1"], "r1"), (["a=b, toolwall.run = r1 ;ttl=3;x , c=d"], "r1"),
        (["a=b", "toolwall.run=r1"], "r1"), (["toolwall.run=a%3Ab"], "a:b"), (["a=toolwall.run"], ""),
        (["toolwall.runs=r1"], ""), (["x.toolwall.run=r1"], ""), (["Toolwall.Run=r1"], ""), (["=,;, ,"], ""),
        (["a=" + "x" * 20_000], ""),
    ],
)  # fmt: skip
def test_the_run_that_is_named(headers: list[str], run: str) -> None:
    assert run_of(headers) == run


@pytest.mark.parametrize("header", [
    "toolwall.run", "toolwall.run=", "toolwall.run= ", "toolwall.run=a b", "toolwall.run=é", "toolwall.run=a%2Fb",
    "toolwall.run=a%0Ab", "toolwall.run=%", "toolwall.run=a%2", "toolwall.run=a/b", 'toolwall.run="a"',
    "toolwall.run=%FF", "toolwall.run=" + "x" * 129, "toolwall.run=a,toolwall.run=a", "toolwall.run=a,toolwall.run=b",
    "toolwall.run=a," + "x" * MOST_CHARACTERS, "toolwall.run=a=b", "toolwall.run=%252e",
])  # fmt: skip
def test_what_could_be_read_otherwise_is_refused(header: str) -> None:
    with pytest.raises(Refusal) as refused:
        run_of([header])
    assert refused.value.code == "bad_request"


def test_calls_belong_to_the_run_of_their_baggage_and_the_header_comes_first(tmp_path: Path) -> None:
    async def run(w: Wall, *headers: tuple[str, str]) -> str:
        told = await w.tell("GET", "/crm/get", headers=headers)
        assert told.reply.status == 200
        assert b"baggage" not in told.reached[0].lower()
        return str(told.record["run"])

    async def play() -> None:
        async with wall(tmp_path, "  get: {call: GET /get}\n") as w:
            assert await run(w, ("Baggage", "user=ann,toolwall.run=r1")) == "r1"
            assert await run(w, ("baggage", "user=ann"), ("baggage", "toolwall.run=r2;p")) == "r2"
            assert await run(w, ("Toolwall-Run", "r3"), ("baggage", "toolwall.run=r2")) == "r3"
            assert (await run(w, ("baggage", "user=ann"))).startswith("run-")
            told = await w.tell("GET", "/crm/get", headers=[("baggage", "toolwall.run=a,toolwall.run=b")])
            assert (told.reply.status, told.reply.json["code"], told.reached) == (400, "bad_request", [])
            batch = b'{"calls": [{"method": "GET", "path": "/crm/get"}]}'
            assert (await w.call("POST", "/.toolwall/batch", batch, [("baggage", "toolwall.run=r4")])).status == 200
            assert [each.get("run") for each in w.records() if each.get("batch")] == ["r4"]

    perform(play())
