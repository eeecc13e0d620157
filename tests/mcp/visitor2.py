"""A client on the official SDK 2.x for a server that it does not know: `visitor2.py URL CALLS`.

CALLS is a JSON list of [tool, arguments]. It prints one JSON object: what the server is and has, and what came of each
call.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from mcp import Client

PATIENCE_S = 20


def plain(model: Any) -> Any:
    """A model as it stands on the wire."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


async def main(url: str, calls: str) -> None:
    async with Client(url, cache=None, read_timeout_seconds=PATIENCE_S) as client:
        found = {
            "revision": client.protocol_version,
            "server": plain(client.server_info),
            "tools": plain(await client.list_tools())["tools"],
            "calls": [plain(await client.call_tool(*each)) for each in json.loads(calls)],
        }
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
