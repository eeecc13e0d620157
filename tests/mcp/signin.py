"""A client on the official SDK, 1.x or 2.x, that signs in where its server says: `signin.py URL`.

It prints one JSON object: for which resource it signed in and where, which tools there are, and what came of a call.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any
from urllib.parse import parse_qs, urlsplit

from mcp import ClientSession
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

try:  # 2.x
    import httpx2 as httpx
    from mcp.shared.auth import AuthorizationCodeResult
except ImportError:
    import httpx

    def AuthorizationCodeResult(code: str, state: str | None) -> tuple[str, str | None]:  # noqa: N802 - stands for it
        """What 1.x wants in its place."""
        return code, state


seen: dict[str, Any] = {}


class Memory:
    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


async def browse(url: str) -> None:
    """What a browser would do, and a user who agrees."""
    async with httpx.AsyncClient() as browser:
        seen["back"] = (await browser.get(url)).headers["location"]
    seen["resource"] = parse_qs(urlsplit(url).query)["resource"]
    seen["at"] = urlsplit(url).netloc


async def back() -> Any:
    said = parse_qs(urlsplit(seen.pop("back")).query)
    return AuthorizationCodeResult(code=said["code"][0], state=said.get("state", [None])[0])


async def main(url: str) -> None:
    about = OAuthClientMetadata(client_name="tests", redirect_uris=[AnyUrl("http://127.0.0.1:1/back")])
    auth = OAuthClientProvider(url, about, Memory(), browse, back)
    async with (
        httpx.AsyncClient(auth=auth, timeout=20) as http,
        streamable_http_client(url, http_client=http) as streams,
        ClientSession(*streams[:2]) as session,
    ):
        await session.initialize()
        seen["tools"] = [tool.name for tool in (await session.list_tools()).tools]
        answer = await session.call_tool("greet", {"name": "Ann"})
        seen["said"] = [each.text for each in answer.content if each.type == "text"]
    print(json.dumps(seen))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
