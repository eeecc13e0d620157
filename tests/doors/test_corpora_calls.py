"""Other people's tool calls through the door: under contracts made from their schemas each valid one arrives as it was
sent, and no invalid one does.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.corpora.shared import corpus
from tests.wire import Wall, perform, wall


def tools(records: list[dict[str, Any]]) -> tuple[str, dict[str, str]]:
    """The tools of the records that bring a schema, and the path of each by the record's id."""
    paths = {record["id"]: f"/t{number}" for number, record in enumerate(records) if "schema" in record}
    lines = [
        f"  t{path[2:]}: {{call: POST {path}, effect: write, input: {json.dumps(record['schema'])}}}"
        for record in records
        if (path := paths.get(record["id"]))
    ]
    return "\n".join(lines), paths


async def wrong(w: Wall, paths: dict[str, str], records: list[dict[str, Any]]) -> list[str]:
    """The ids of the calls that were judged wrongly."""
    found = []
    for record in records:
        body = json.dumps(record["args"], ensure_ascii=False).encode()
        told = await w.tell("POST", f"/crm{paths[record.get('schema_of', record['id'])]}", body)
        arrived = [request.partition(b"\r\n\r\n")[2] for request in told.reached]
        right = (200, [body]) if record["valid"] else (422, [])
        if (told.reply.status, arrived) != right:
            found.append(record["id"])
    return found


@pytest.mark.parametrize("share", [8, pytest.param(1, marks=pytest.mark.full)])
def test_calls_as_models_make_them(tmp_path: Path, share: int) -> None:
    records = corpus("toolcalls/bfcl/calls")
    text, paths = tools(records)
    chosen = records[::share] if share > 1 else records

    async def play() -> None:
        async with wall(tmp_path, text) as w:
            assert await wrong(w, paths, chosen) == []

    perform(play())
    assert {record["valid"] for record in chosen} == {True, False}
