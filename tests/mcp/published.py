"""The published schemas of MCP, read from the corpora: whether a message on the wire is what its revision says."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.mcp.tap import Said

LEGACY, MODERN = "2025-11-25", "2026-07-28"
NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""What Mcp-Name repeats, by method."""
PROTOCOL = "io.modelcontextprotocol/protocolVersion"
# Results that are not named after their requests.
EMPTY = {"ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"}


@cache
def schema(revision: str) -> dict[str, Any]:
    """The schema of a revision; skips the test where there are no corpora."""
    folder = os.environ.get("TOOLWALL_CORPORA")
    if not folder:
        pytest.skip("needs the schemas of MCP: set TOOLWALL_CORPORA to the folder of the corpora")
    found: dict[str, Any] = json.loads((Path(folder) / "mcp" / "schema" / f"{revision}.json").read_text("utf-8"))
    return found


@cache
def validator(revision: str, name: str) -> Draft202012Validator:
    """What checks a value against one definition."""
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": schema(revision)["$defs"]})


@cache
def by_method(revision: str) -> dict[str, str]:
    """The definition of each request and notification."""
    found = {}
    for name, definition in schema(revision)["$defs"].items():
        method = definition.get("properties", {}).get("method", {}).get("const")
        if method and name.endswith(("Request", "Notification")):
            found[method] = name
    return found


def problems(revision: str, value: Any, name: str) -> list[str]:
    """What is wrong with a value, by where."""
    return [
        f"{name}{each.json_path[1:]}: {each.message[:300]}" for each in validator(revision, name).iter_errors(value)
    ]


def wrong(revision: str, said: Iterable[Said]) -> list[str]:
    """All that is wrong in a conversation. A response is judged by the request that it answers."""
    said = list(said)
    asked = {_key(each, each.by): each.message["method"] for each in said if "method" in each.message}
    return [problem for each in said for problem in _wrong(revision, each, asked)]


_Key = tuple[str, str | None, str]


def _key(said: Said, by: str) -> _Key:
    """Whose request of this id it is: each side counts its own, and anew in each session."""
    return by, said.exchange.request.headers.get("mcp-session-id"), repr(said.message.get("id"))


def _wrong(revision: str, said: Said, asked: dict[_Key, str]) -> Iterator[str]:
    message = said.message
    if "method" in message:
        name = by_method(revision).get(message["method"])
        yield from problems(revision, message, "JSONRPCRequest" if "id" in message else "JSONRPCNotification")
        yield from problems(revision, message, name) if name else [f"{message['method']} is not of {revision}"]
    elif "error" in message:
        yield from problems(revision, message, "JSONRPCErrorResponse")
    else:
        yield from problems(revision, message, "JSONRPCResultResponse")
        method = _answered(said) or asked.get(_key(said, "client" if said.by == "server" else "server"))
        name = result_of(revision, method, message["result"]) if method else None
        yield from problems(revision, message["result"], name) if name else [f"{message['id']} answers nothing"]


def _answered(said: Said) -> str | None:
    """The method of the request in the same exchange, where it is this one's."""
    body = said.exchange.request.body
    request = json.loads(body) if said.by == "server" and body else {}
    return request.get("method") if request.get("id") == said.message.get("id") else None


def result_of(revision: str, method: str, result: Any) -> str | None:
    """The definition of the result of a method."""
    if isinstance(result, dict) and result.get("resultType") == "input_required":
        return "InputRequiredResult"
    if method in EMPTY:
        return "EmptyResult"
    name = by_method(revision).get(method)
    return f"{name.removesuffix('Request')}Result" if name else None


def heads_disagree(said: Iterable[Said]) -> list[str]:
    """Where the headers of the newest revision do not say what the body says."""
    found = []
    for each in said:
        params = each.message.get("params") or {}
        revision = params.get("_meta", {}).get(PROTOCOL)
        if each.by == "client" and "method" in each.message and revision:
            method, headers = each.message["method"], each.exchange.request.headers
            wanted = {"mcp-protocol-version": revision, "mcp-method": method, "mcp-session-id": None}
            if "id" not in each.message:  # the TypeScript SDK 2.x names the method of requests only
                del wanted["mcp-method"]
            if method in NAMED:
                wanted["mcp-name"] = params[NAMED[method]]
            found += [
                f"{method}: {name} is {headers.get(name)}" for name in wanted if headers.get(name) != wanted[name]
            ]
    return found
