"""Small documents, imported and loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rules.load import load
from rules.openapi import Document, Imported, Options, contracts, files


def document(paths: dict[str, Any], **more: Any) -> Document:
    """A document of OpenAPI 3.0.3, unless `more` says another version. Keys with `__` stand for the part before it."""
    said = {"openapi": "3.0.3", "info": {"title": "Shop", "version": "1"}, "servers": [{"url": "https://shop.test"}]}
    if "swagger" in more:
        said = {"info": said["info"], "host": "shop.test", "schemes": ["https"]}
    return Document("shop.json", json.dumps({**said, "paths": paths, **more}).encode())


def imported(paths: dict[str, Any], options: Options | None = None, **more: Any) -> Imported:
    """What an import gives."""
    return contracts(document(paths, **more), options=options)


def loaded(found: Imported, folder: Path) -> dict[str, Any]:
    """The tools that the loader makes of an import, by their short names."""
    for path, text in files(found).items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
    return {tool.short: tool for tool in load(folder).catalog.tools.values()}


def operation(**said: Any) -> dict[str, Any]:
    """A path with one GET."""
    return {"/x": {"get": said}}


def tool(**said: Any) -> dict[str, Any]:
    """The tool that a GET of /x becomes."""
    return imported(operation(operationId="it", **said)).tools["it"]


def posted(content: dict[str, Any], components: dict[str, Any] | None = None, **body: Any) -> Imported:
    """A POST with a body."""
    said = {"operationId": "it", "requestBody": {"content": content, **body}}
    return imported({"/x": {"post": said}}, components=components or {})
