"""Arguments as a request, from what a rules file says: written from OpenAPI 3.1, 4.8.12 and RFC 7578 alone."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

FORM, PARTS = "application/x-www-form-urlencoded", "multipart/form-data"
BOUNDARY = "xxTestxxBoundaryxx"
DELIMITERS = {"spaceDelimited": ("%20", " "), "pipeDelimited": ("%7C", "|")}
Json = Any


class Unsendable(Exception):
    """These arguments have no form on the wire that everybody reads alike."""


@dataclass
class Request:
    """One request; `parts` are those of a multipart body: name, filename, data."""

    method: str
    target: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    parts: list[tuple[str, str, bytes]] = field(default_factory=list)


@dataclass
class Place:
    """Where one argument travels."""

    where: str
    wire: str
    style: str
    explode: bool
    said: bool


def request(tool: Mapping[str, Json], schemas: Mapping[str, Json], args: Mapping[str, Json], kind: str) -> Request:
    """`tool` is its mapping in the rules file, `schemas` are those of its arguments, `kind` the body's media type."""
    method, path = tool["call"].split(" ", 1)
    places = {name: place(tool, method, path, name, schemas) for name in args}
    for name, at in places.items():
        if at.where == "path":
            path = path.replace("{" + name + "}", in_path(at, args[name]))
    found = Request(method, path)
    pairs = [
        pair for name, at in places.items() if at.where == "query" for pair in named(at, args[name], schemas[name])
    ]
    if len({name for name, _ in pairs}) < len({(n, m) for n, m in pairs}) and has_clash(places, args, schemas):
        raise Unsendable
    found.target += "?" + "&".join(f"{name}={value}" for name, value in pairs) if pairs else ""
    for name, at in places.items():
        if at.where == "header":
            found.headers.append((at.wire, in_head(simple(at, args[name], lambda text: plain(text, ",")))))
        if at.where == "cookie":
            found.headers.append(("Cookie", f"{at.wire}={in_cookie(simple(at, args[name], str))}"))
    whole = list(schemas) and [name for name in schemas if place(tool, method, path, name, schemas).where == "body"]
    lone = whole == ["body"] and "body" not in tool.get("in", {})
    lone = lone and ("body" in tool or schemas["body"].get("type") != "object")
    inside = {name: value for name, value in args.items() if places[name].where == "body"}
    if inside:
        write_body(found, places, inside, schemas, kind, lone)
    return found


def place(tool: Mapping[str, Json], method: str, path: str, name: str, schemas: Mapping[str, Json]) -> Place:
    said = tool.get("in", {}).get(name)
    usual = "query" if method in ("GET", "HEAD", "DELETE", "OPTIONS") else "body"
    where = (
        "path"
        if "{" + name + "}" in tool["call"]
        else said
        if isinstance(said, str)
        else next(iter(said or {usual: 0}))
    )
    options = said[where] if isinstance(said, dict) else {}
    bare = name.removeprefix(f"{where}_")
    wire = options.get("name", bare if bare in schemas and where != "path" else name)
    style = "json" if options.get("json") else options.get("style", "simple" if where in ("path", "header") else "form")
    return Place(where, wire, style, options.get("explode", style == "form"), bool(options.keys() - {"name"}))


def has_clash(places: Mapping[str, Place], args: Mapping[str, Json], schemas: Mapping[str, Json]) -> bool:
    """Whether an object that is spread has a name of another argument."""
    spread = [args[name] for name, at in places.items() if at.where == "query" and at.style == "form" and at.explode]
    names = [key for value in spread if isinstance(value, dict) for key in value]
    return bool(set(names) & {at.wire for at in places.values()}) or len(set(names)) < len(names)


def text(value: Json) -> str:
    if value is None:
        raise Unsendable
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)


def encoded(value: Json) -> str:
    return quote(text(value), safe="")


def apart(value: Json, delimiters: str) -> str:
    """Text without delimiters: a server that decodes before it splits would read two values."""
    if any(one in text(value) for one in delimiters):
        raise Unsendable
    return text(value)


def plain(value: str, delimiters: str) -> str:
    """Text where nothing is percent-encoded: it must not hold a delimiter, nor spaces at its ends."""
    if any(one in value for one in delimiters) or value != value.strip():
        raise Unsendable
    return value


def in_path(at: Place, value: Json) -> str:
    def piece(one: Json) -> str:
        bare = text(one)
        if re.search(r"[\x00-\x1f\x7f/\\]|%(?:2e|2f|5c|00)", bare, re.IGNORECASE):
            raise Unsendable
        if at.style == "label" and "." in bare:
            raise Unsendable
        return encoded(one)

    if at.style == "json":
        made = encoded(json.dumps(value))
    elif at.style == "label":
        made = "." + (simple(at, value, piece, "." if at.explode else ","))
    elif at.style == "matrix":
        made = matrix(at, value, piece)
    else:
        made = simple(at, value, piece)
    if made in ("", ".", "..") or "%2F" in made or made.startswith("..%3B"):
        raise Unsendable
    return made


def matrix(at: Place, value: Json, piece: Any) -> str:
    if isinstance(value, list) and at.explode:
        return "".join(f";{at.wire}={piece(apart(one, ';'))}" for one in full(value))
    if isinstance(value, dict) and at.explode:
        return "".join(f";{piece(apart(name, ';='))}={piece(apart(one, ';='))}" for name, one in full(value).items())
    return f";{at.wire}={simple(at, value, piece)}"


def full(value: Json) -> Json:
    """An empty array or object cannot be told from none at all."""
    if not value:
        raise Unsendable
    return value


def simple(at: Place, value: Json, piece: Any, delimiter: str = ",") -> str:
    """Scalars, `a,b`, `name,value` or `name=value`."""
    if at.style == "json":
        return json.dumps(value)
    if isinstance(value, list):
        return delimiter.join(piece(apart(one, delimiter)) for one in full(value))
    if isinstance(value, dict):
        between = "=" if at.explode else delimiter
        for name, one in full(value).items():
            apart(name, delimiter + between), apart(one, delimiter + between)
        return delimiter.join(f"{piece(text(name))}{between}{piece(text(one))}" for name, one in full(value).items())
    return str(piece(text(value)))


def in_head(value: str) -> str:
    if not value or value != value.strip() or re.search(r"[\x00-\x1f\x7f]", value):
        raise Unsendable
    return value


def in_cookie(value: str) -> str:
    if not re.fullmatch(r"[!#-+\--:<-\[\]-~,]*", value):
        raise Unsendable
    return value


def named(at: Place, value: Json, schema: Json) -> list[tuple[str, str]]:
    """Names and values of a query or a form, both encoded."""
    name = encoded(at.wire)
    if at.style == "json":
        return [(name, encoded(json.dumps(value)))]
    if at.style == "deepObject":
        return [("".join(map(str, keys)), encoded(one)) for keys, one in deep([name], value)]
    if not isinstance(value, list | dict):
        return [(name, encoded(value))]
    typed(schema)
    if isinstance(value, dict) and at.where == "body" and not at.said:
        return [(name, encoded(json.dumps(full(value))))]
    if at.explode and isinstance(value, dict):
        return spread(value, schema)
    if at.explode:
        return [(name, encoded(one)) for one in full(value)]
    mark, raw = DELIMITERS.get(at.style, (",", ""))
    flat = full(value) if isinstance(value, list) else [one for pair in full(value).items() for one in pair]
    return [(name, mark.join(encoded(apart(one, raw or ",")) for one in flat))]


def typed(schema: Json) -> None:
    """Where a schema says nothing there is no telling an array from a name that is given twice."""
    if not any(word in schema for word in ("type", "properties", "items", "anyOf", "oneOf", "allOf", "enum", "const")):
        raise Unsendable


def spread(value: dict[str, Json], schema: Json) -> list[tuple[str, str]]:
    known = schema.get("properties", {})
    if not value or (known and "additionalProperties" not in schema and value.keys() - known.keys()) or "" in value:
        raise Unsendable
    found = []
    for name, one in value.items():
        found += [(encoded(name), encoded(each)) for each in (full(one) if isinstance(one, list) else [one])]
    return found


def deep(keys: list[Any], value: Json) -> list[tuple[list[Any], Json]]:
    if not isinstance(value, list | dict):
        return [(keys, value)]
    members = enumerate(value) if isinstance(value, list) else value.items()
    found = []
    for key, one in members:
        if key == "" or (isinstance(key, str) and set(key) & set("[]")) or len(keys) > 9:
            raise Unsendable
        found += deep([*keys, f"%5B{encoded(key)}%5D"], one)
    return full(found)


def write_body(
    found: Request,
    places: Mapping[str, Place],
    args: Mapping[str, Json],
    schemas: Mapping[str, Json],
    kind: str,
    lone: bool,
) -> None:
    found.headers.append(("Content-Type", f"{kind}; boundary={BOUNDARY}" if kind == PARTS else kind))
    if "json" in kind:
        members = args["body"] if lone else {places[name].wire: value for name, value in args.items()}
        found.body = json.dumps(members, ensure_ascii=False).encode()
    elif kind in (FORM, PARTS):
        if lone:
            schemas = schemas["body"].get("properties", {})
            args = args["body"]
            if not isinstance(args, dict) or args.keys() - schemas.keys():
                raise Unsendable
            places = {name: Place("body", name, "form", True, False) for name in args}
        if kind == FORM:
            pairs = [pair for name, one in args.items() for pair in named(places[name], one, schemas[name])]
            found.body = "&".join(f"{name}={value}" for name, value in pairs).encode()
        else:
            found.parts = [part for name, one in args.items() for part in parts(places[name].wire, one, schemas[name])]
            found.body = multipart(found.parts)
    elif kind.startswith("text/"):
        found.body = text(args["body"]).encode()
    else:
        found.body = bytes_of(args["body"])
    if not found.body:
        raise Unsendable


def parts(name: str, value: Json, schema: Json) -> list[tuple[str, str, bytes]]:
    if re.search(r'[\x00-\x1f\x7f"\\]', name) or name == "":
        raise Unsendable
    if isinstance(value, list):
        typed(schema)
        return [part for one in full(value) for part in parts(name, one, schema.get("items", {}))]
    if isinstance(value, str) and schema.get("contentEncoding") == "base64":
        return [(name, "a b.bin", bytes_of(value))]
    return [(name, "", json.dumps(value).encode() if isinstance(value, dict) else text(value).encode())]


def multipart(several: list[tuple[str, str, bytes]]) -> bytes:
    if any(BOUNDARY.encode() in data for _, _, data in several):
        raise Unsendable
    lines = b""
    for name, filename, data in several:
        about = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
        kind = "Content-Type: application/octet-stream\r\n" if filename else ""
        lines += f"--{BOUNDARY}\r\nContent-Disposition: {about}\r\n{kind}\r\n".encode() + data + b"\r\n"
    return lines + f"--{BOUNDARY}--\r\n".encode() if several else b""


def bytes_of(value: Json) -> bytes:
    try:
        data = base64.b64decode(value, validate=True)
    except (ValueError, TypeError):
        raise Unsendable from None
    if base64.b64encode(data).decode() != value:
        raise Unsendable
    return data
