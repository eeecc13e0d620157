"""A small support desk with an HTTP API: the backend of Toolwall's demo, and an ordinary program otherwise.

    python desk.py --port 0 --data FOLDER

It keeps its data in `FOLDER/desk.sqlite`, made and filled with invented people at the first start, listens on
127.0.0.1 and says where in one line of JSON: `{"port": 40123, "url": "http://127.0.0.1:40123"}`. What it serves is
what `openapi.json` beside it describes (OpenAPI 3.1): its operationIds are the names of the handlers here. Besides,
`GET /__seen?after=N` lists the requests that arrived after the Nth one, so that a test can tell what reached it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Never

import seed
from aiohttp import web

SPEC = Path(__file__).with_name("openapi.json")
MOST_ROWS = 50  # as `limit` in the document says
MOST_BODY = 64 * 1024  # bytes; the longest note is far shorter
MOST_TEXT = 2000  # characters of a note or a reason, as the document says
SEEN_KEPT = 500  # requests remembered for /__seen: a story has some ten
SEEN_BODY = 4096  # characters of a body that are remembered

DB = web.AppKey("DB", sqlite3.Connection)
SEEN = web.AppKey("SEEN", deque[dict[str, Any]])


def refuse(error: type[web.HTTPError], why: str) -> Never:
    raise error(text=json.dumps({"error": why}), content_type="application/json")


def rows(request: web.Request, query: str, *values: object) -> list[dict[str, Any]]:
    return [dict(row) for row in request.app[DB].execute(query, values)]


def one(request: web.Request, table: str, number: str | int) -> dict[str, Any]:
    key = int(number) if str(number).isascii() and str(number).isdigit() and len(str(number)) < 19 else 0
    found = rows(request, f"SELECT * FROM {table} WHERE id = ?", key)
    return found[0] if found else refuse(web.HTTPNotFound, f"there is no such row in {table}")


def listed(request: web.Request, table: str, column: str) -> web.Response:
    """The rows of a table, oldest first, at most `limit`, and only those whose `column` is as the query asks."""
    limit = request.query.get("limit", "20")
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= MOST_ROWS):
        refuse(web.HTTPBadRequest, f"limit must be a whole number from 1 to {MOST_ROWS}")
    wanted = request.query.get(column)
    query = f"SELECT * FROM {table} WHERE ? IS NULL OR {column} = ? ORDER BY id LIMIT ?"
    return web.json_response({table: rows(request, query, wanted, wanted, int(limit))})


async def body_of(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read())
        json.dumps(body, ensure_ascii=False).encode()  # a lone surrogate is no text that could be stored
    except ValueError:
        refuse(web.HTTPBadRequest, "the body is not JSON")
    return body if isinstance(body, dict) else refuse(web.HTTPBadRequest, "the body is not a JSON object")


def text_in(body: dict[str, Any], name: str) -> str:
    text = body.get(name)
    if not (isinstance(text, str) and 1 <= len(text) <= MOST_TEXT):
        refuse(web.HTTPUnprocessableEntity, f"{name} must be a text of 1 to {MOST_TEXT} characters")
    return text


def whole_in(body: dict[str, Any], name: str) -> int:
    number = body.get(name)
    if type(number) is not int or number < 1:
        refuse(web.HTTPUnprocessableEntity, f"{name} must be a whole number of at least 1")
    return number


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


async def list_customers(request: web.Request) -> web.Response:
    return listed(request, "customers", "plan")


async def get_customer(request: web.Request) -> web.Response:
    return web.json_response(one(request, "customers", request.match_info["customer_id"]))


async def delete_customer(request: web.Request) -> web.Response:
    customer = one(request, "customers", request.match_info["customer_id"])
    with request.app[DB] as db:
        db.execute("DELETE FROM customers WHERE id = ?", (customer["id"],))
    return web.Response(status=204)


async def get_order(request: web.Request) -> web.Response:
    return web.json_response(one(request, "orders", request.match_info["order_id"]))


async def list_tickets(request: web.Request) -> web.Response:
    return listed(request, "tickets", "status")


async def get_ticket(request: web.Request) -> web.Response:
    ticket = one(request, "tickets", request.match_info["ticket_id"])
    notes = rows(request, "SELECT * FROM notes WHERE ticket_id = ? ORDER BY id", ticket["id"])
    return web.json_response(ticket | {"notes": notes})


async def add_note(request: web.Request) -> web.Response:
    ticket = one(request, "tickets", request.match_info["ticket_id"])
    text = text_in(await body_of(request), "text")
    with request.app[DB] as db:
        row = (ticket["id"], text, now())
        made = db.execute("INSERT INTO notes (ticket_id, text, written_at) VALUES (?, ?, ?)", row)
    return web.json_response(one(request, "notes", made.lastrowid or 0), status=201)


async def create_refund(request: web.Request) -> web.Response:
    """Pay money back. The same Idempotency-Key pays once: the first answer again, or 422 where the body differs."""
    body = await body_of(request)
    refund = {name: whole_in(body, name) for name in ("order_id", "amount_cents")} | {"reason": text_in(body, "reason")}
    key = request.headers.get("Idempotency-Key")
    earlier = rows(request, "SELECT * FROM refunds WHERE idempotency_key = ?", key)
    if earlier and any(earlier[0][name] != value for name, value in refund.items()):
        refuse(web.HTTPUnprocessableEntity, "this Idempotency-Key was used for another refund")
    return web.json_response(earlier[0] if earlier else pay(request, refund, key), status=201)


def pay(request: web.Request, refund: dict[str, Any], key: str | None) -> dict[str, Any]:
    order = one(request, "orders", refund["order_id"])
    paid = rows(request, "SELECT total(amount_cents) AS cents FROM refunds WHERE order_id = ?", order["id"])[0]["cents"]
    if refund["amount_cents"] > order["amount_cents"] - paid:
        refuse(web.HTTPConflict, "that is more than is left of the order")
    with request.app[DB] as db:
        columns = "(order_id, amount_cents, reason, paid_at, idempotency_key)"
        values = (order["id"], refund["amount_cents"], refund["reason"], now(), key)
        made = db.execute(f"INSERT INTO refunds {columns} VALUES (?, ?, ?, ?, ?)", values)
    return one(request, "refunds", made.lastrowid or 0)


async def export_everything(request: web.Request) -> web.Response:
    tables = ("customers", "orders", "tickets", "notes", "refunds")
    return web.json_response({table: rows(request, f"SELECT * FROM {table} ORDER BY id") for table in tables})


HANDLERS: dict[str, Callable[[web.Request], Awaitable[web.Response]]] = {
    handler.__name__: handler
    for handler in (
        list_customers,
        get_customer,
        delete_customer,
        get_order,
        list_tickets,
        get_ticket,
        add_note,
        create_refund,
        export_everything,
    )
}


@web.middleware
async def remember(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Any:
    if request.path != "/__seen":
        body = (await request.read()).decode(errors="replace")
        number = request.app[SEEN][-1]["number"] + 1 if request.app[SEEN] else 1
        target, sent = request.raw_path, body[:SEEN_BODY]
        request.app[SEEN].append({"number": number, "method": request.method, "target": target, "body": sent})
    return await handler(request)


async def seen(request: web.Request) -> web.Response:
    after = request.query.get("after", "0")
    if not (after.isascii() and after.isdigit()):
        refuse(web.HTTPBadRequest, "after must be the number of a request")
    requests = [entry for entry in request.app[SEEN] if entry["number"] > int(after)]
    return web.json_response({"requests": requests})


async def document(_request: web.Request) -> web.Response:
    return web.Response(body=SPEC.read_bytes(), content_type="application/json")


def open_db(file: Path) -> sqlite3.Connection:
    """The desk's database, filled with the invented data when it is new."""
    file.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(file)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA foreign_keys = ON")
    if not db.execute("SELECT 1 FROM sqlite_master").fetchall():
        seed.fill(db)
    return db


def build(db: sqlite3.Connection) -> web.Application:
    """The application; its routes are read from the document, so the two cannot drift apart."""
    app = web.Application(middlewares=[remember], client_max_size=MOST_BODY)
    app[DB], app[SEEN] = db, deque(maxlen=SEEN_KEPT)
    for path, operations in json.loads(SPEC.read_text())["paths"].items():
        for method, operation in operations.items():
            app.router.add_route(method.upper(), path, HANDLERS[operation["operationId"]])
    app.router.add_route("GET", "/openapi.json", document)
    app.router.add_route("GET", "/__seen", seen)
    return app


async def serve(port: int, data: Path) -> None:
    """Serve on 127.0.0.1 until SIGINT or SIGTERM; port 0 takes a free one. OSError where the port is taken."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(build(open_db(data / "desk.sqlite")), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, shutdown_timeout=1).start()
    taken = runner.addresses[0][1]
    print(json.dumps({"port": taken, "url": f"http://127.0.0.1:{taken}"}), flush=True)
    await stop.wait()
    await runner.cleanup()


if __name__ == "__main__":
    words = argparse.ArgumentParser(description="A small support desk, the backend of Toolwall's demo.")
    words.add_argument("--port", type=int, default=8765, help="0 takes a free one")
    words.add_argument("--data", type=Path, default=Path("desk-data"), help="folder of the database")
    chosen = words.parse_args()
    try:
        asyncio.run(serve(chosen.port, chosen.data))
    except (OSError, sqlite3.Error) as error:
        raise SystemExit(
            f"The desk cannot serve on port {chosen.port} with its data in {chosen.data}: {error}"
        ) from None
