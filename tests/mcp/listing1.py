"""A server on the official SDK 1.x that answers too much: `listing1.py PORT`."""

from __future__ import annotations

import sys
from typing import Literal

from mcp.server.fastmcp import FastMCP
from mcp.types import ToolAnnotations
from pydantic import BaseModel, Field

READS = ToolAnnotations(readOnlyHint=True)
server = FastMCP("listing", host="127.0.0.1", port=int(sys.argv[1]))


class Order(BaseModel):
    """One of many."""

    id: int = Field(ge=1)
    state: Literal["open", "paid"]
    note: str = Field(max_length=100)
    buyer: str = Field(pattern="^[a-z.]+@[a-z.]+$")
    card: int
    secret: str


class Page(BaseModel):
    """What a search gives."""

    orders: list[Order]
    total: int


def order(number: int) -> Order:
    note = f"Order {number}: " + "very long words " * 4
    card = 4111111111111111 if number == 2 else 7
    return Order(id=number, state="open", note=note, buyer="ann@example.com", card=card, secret="canary")


@server.tool(annotations=READS)
def page(count: int) -> Page:
    """Searches orders."""
    return Page(orders=[order(number) for number in range(1, count + 1)], total=count)


@server.tool(annotations=READS)
def plain(count: int) -> list[Order]:
    """Lists orders, each in a text of its own."""
    return [order(number) for number in range(1, count + 1)]


@server.tool(annotations=READS)
def words(count: int) -> str:
    """Says much."""
    return "word " * 10 * count


server.run("streamable-http")
