"""Values in the forms that real answers have them in: each is taken out, nothing else changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.wire import answering, perform, reply, wall

NBSP, HYPHEN = "\u00a0", "\u2011"
CARD = ["4242"] * 4
TOOLS = "  read: {call: GET /read}"


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("application/json", json.dumps({"a": NBSP.join(CARD)}), '{"a": "<CREDIT_CARD>"}'),
        ("application/json", json.dumps({"a": HYPHEN.join(CARD)}), '{"a": "<CREDIT_CARD>"}'),
        ("text/html", "<p>" + "&nbsp;".join(CARD) + "&nbsp;EUR</p>", "<p>&lt;CREDIT_CARD&gt;&nbsp;EUR</p>"),
        ("text/csv", "id;first_name\n1;Ana\n", "id;first_name\n1;<PERSON>\n"),
        (
            "text/plain",
            '{"first_name":"Ana"}\r\n{"m":"ana\\u0040corp.test","id":18446744073709551617}\n',
            '{"first_name":"<PERSON>"}\r\n{"m":"<EMAIL_ADDRESS>","id":18446744073709551617}\n',
        ),
        ("text/plain", "saved as ana@corp.test.pdf", "saved as <EMAIL_ADDRESS>.pdf"),
    ],
)
@pytest.mark.parametrize("flows", [False, True])
def test_a_value_is_taken_out_in_each_form(tmp_path: Path, kind: str, before: str, after: str, flows: bool) -> None:
    whole = reply(before.encode(), kind=kind)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
    pieces = "".join(f"1\r\n{each}\r\n" for each in before)

    async def play() -> None:
        raw = f"{head}{pieces}0\r\n\r\n".encode() if flows else whole
        async with wall(tmp_path, TOOLS, answer=answering(raw)) as w:
            assert (await w.call("GET", "/crm/read")).body.decode() == after

    perform(play())


def test_a_file_name_that_is_an_address_is_taken_out_of_the_head(tmp_path: Path) -> None:
    async def play() -> None:
        raw = reply(b"{}", 'Content-Disposition: attachment; filename="ana@corp.test.csv"')
        async with wall(tmp_path, TOOLS, answer=answering(raw)) as w:
            told = await w.call("GET", "/crm/read")
            assert told.headers["content-disposition"] == 'attachment; filename="<EMAIL_ADDRESS>.csv"'

    perform(play())
