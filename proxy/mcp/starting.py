"""What an MCP server says that it is and has that has to be started for that: for import and for `mcp accept`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from proxy.mcp.child import CannotStart, Child, Endless
from proxy.mcp.inventory import (
    NO_METHOD,
    PATIENCE_IN_ALL_S,
    PATIENCE_S,
    Answer,
    Asking,
    NoServer,
    Said,
    answer_in,
)
from proxy.mcp.lines import Line
from rules.definitions import MOST_FILE


async def started_inventory(
    command: Sequence[str], environ: Mapping[str, str], errors: Callable[[bytes], None]
) -> Said:
    """Start a server, ask it, and end it. `errors` gets what it says to operators. Raises NoServer."""
    try:
        child = await Child.start(command, environ, MOST_FILE)
    except CannotStart as error:
        raise NoServer(str(error)) from None
    telling = asyncio.create_task(_tell(child, errors))
    try:
        async with asyncio.timeout(PATIENCE_IN_ALL_S):
            return await _Started(child, command[0]).all()
    except Endless:
        raise NoServer(f"{command[0]} answers with more than {MOST_FILE} bytes.") from None
    except OSError as error:  # a timeout is one, too
        why = "did not answer in time" if isinstance(error, TimeoutError) else "has ended"
        raise NoServer(f"{command[0]} {why}.") from None
    finally:
        await child.end()
        await asyncio.wait({telling}, timeout=1.0)
        telling.cancel()
        child.close()


async def _tell(child: Child, errors: Callable[[bytes], None]) -> None:
    async for line in child.errors():
        errors(line.data)


class _Started(Asking):
    """The same conversation by lines."""

    def __init__(self, child: Child, name: str) -> None:
        super().__init__(None, name, "")
        self._child, self._lines = child, child.lines()

    async def _leave(self) -> None:
        """It ends with its process."""

    async def _post(self, message: Any, id: int | None, more: Mapping[str, str] | None = None) -> Answer:
        await self._child.write(json.dumps(message).encode())
        if id is None:
            return Answer(202, "")
        async with asyncio.timeout(PATIENCE_S):
            while True:
                line = await self._line()
                if found := answer_in(line.data, id):
                    return Answer(200, "", found.get("result"), found.get("error"))
                await self._refuse(line.data)

    async def _line(self) -> Line:
        """The next line. A wait that is given up loses none of them."""
        line = await anext(self._lines, None)
        if line is None:
            raise NoServer(f"{self._url} has ended before it answered.")
        self._room -= len(line.data)
        if self._room < 0:
            raise NoServer(f"{self._url} answers with more than {MOST_FILE} bytes in all.")
        return line

    async def _refuse(self, data: bytes) -> None:
        """What the server asks is not answered here; it need not wait."""
        try:
            asked = json.loads(data)
        except ValueError:
            return
        if isinstance(asked, dict) and "method" in asked and "id" in asked:
            error = {"code": NO_METHOD, "message": "Nobody is here to answer."}
            await self._child.write(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "error": error}).encode())
