"""A little document and its import, for tests that change one thing of it."""

from __future__ import annotations

import copy
import json
from typing import Any

from rules.compare.tools import Contracts
from rules.openapi import Document, Imported, contracts, files

ORDER: dict[str, Any] = {
    "type": "object",
    "required": ["id", "item"],
    "properties": {
        "id": {"type": "integer", "minimum": 1},
        "item": {"type": "string", "maxLength": 50},
        "parent": {"$ref": "#/components/schemas/Order"},
    },
}
REPLY = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}}, "description": "ok"}
ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
SHOP: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "Shop", "version": "1.0", "description": "A little shop."},
    "servers": [{"url": "https://shop.test/v1"}],
    "components": {
        "schemas": {"Order": ORDER},
        "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
    },
    "security": [{"key": []}],
    "paths": {
        "/orders": {
            "get": {
                "operationId": "list_orders",
                "summary": "List orders.",
                "parameters": [
                    {"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 100}},
                    {"name": "state", "in": "query", "schema": {"type": "string", "enum": ["open", "done"]}},
                ],
                "responses": {"200": REPLY},
            },
            "post": {
                "operationId": "create_order",
                "summary": "Create an order.",
                "requestBody": {"required": True, "content": {"application/json": {"schema": ORDER}}},
                "responses": {"201": {"description": "made"}},
            },
        },
        "/orders/{id}": {
            "get": {"operationId": "get_order", "summary": "Get one.", "parameters": [ID], "responses": {"200": REPLY}},
            "delete": {
                "operationId": "delete_order",
                "summary": "Delete one.",
                "parameters": [ID],
                "responses": {"204": {"description": "gone"}},
            },
        },
    },
}
LIST, CREATE = ("paths", "/orders", "get"), ("paths", "/orders", "post")


def changed(*edits: tuple[tuple[str | int, ...], Any]) -> dict[str, Any]:
    """The document with values put at places; None takes the key away."""
    document = copy.deepcopy(SHOP)
    for place, value in edits:
        here: Any = document
        for key in place[:-1]:
            here = here[key]
        if value is None:
            del here[place[-1]]
        else:
            here[place[-1]] = value
    return document


def imported(document: dict[str, Any] = SHOP) -> Imported:
    return contracts(Document("shop.json", json.dumps(document).encode()), "shop")


def state(document: dict[str, Any] = SHOP) -> Contracts:
    """What an import of the document generates."""
    made = imported(document)
    return Contracts(made.backend, made.tools, made.schemas, made.calls, made.notes)


def texts(document: dict[str, Any] = SHOP) -> dict[str, bytes]:
    """The files of an import."""
    return {path: text.encode() for path, text in files(imported(document)).items()}
