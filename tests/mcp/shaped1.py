"""A client on the official SDK 1.x, which checks results, and reads on where something was left out: `shaped1.py URL`.

It prints one JSON object: the names of the tools, the results, and what all marks of a result led to, in their order.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from typing import Any

from client1 import dialled, plain
from mcp import ClientSession

MARK = re.compile(r"call (\w+) with rest=([\w-]+)(?: and from=(\d+))?")


async def read_on(session: ClientSession, said: str) -> list[Any]:
    """All pieces behind the first mark of each kind in a text, as a model would fetch them."""
    found: list[Any] = []
    for name, rest, _ in MARK.findall(said):
        arguments: dict[str, Any] = {"rest": rest}
        pieces: list[Any] = []
        while True:
            result = await session.call_tool(name, arguments)
            assert not result.isError, result
            piece = json.loads(result.content[0].text)  # type: ignore[union-attr]
            pieces.append(piece.get("items", piece.get("text")))
            onward = MARK.search(piece.get("next", ""))
            if onward is None:
                break
            arguments = {"rest": onward[2], "from": int(onward[3])}
        found.append(pieces)
    return found


async def main(url: str) -> None:
    async with dialled(url) as streams, ClientSession(streams[0], streams[1]) as session:
        await session.initialize()
        told: dict[str, Any] = {"tools": [each.name for each in (await session.list_tools()).tools]}
        for name in ("page", "plain", "words"):
            result = plain(await session.call_tool(name, {"count": 5}))  # it checks what came by the outputSchema
            told[name] = result
            told[f"{name} on"] = await read_on(session, json.dumps(result["content"]))
        print(json.dumps(told))


asyncio.run(main(sys.argv[1]))
