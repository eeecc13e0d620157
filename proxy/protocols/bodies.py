"""The body of a request by its media type: JSON, a form, parts, text, or bytes."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Any

from proxy.errors import Refusal
from proxy.protocols import fields, multipart, placing, strictjson, target
from proxy.protocols.arguments import gather, json, scalar
from proxy.protocols.head import bad
from proxy.protocols.multipart import Part
from proxy.protocols.placing import Placed
from rules.kinds import Kind
from rules.problems import Problem
from rules.tools import Tool
from rules.wire import FORM_TYPE, MULTIPART_TYPE

_JSON_TYPE = re.compile(r"application/(?:json|[a-z0-9.+-]+\+json)")
_UTF8 = re.compile(r'charset="?utf-?8"?', re.IGNORECASE)


def read(placed: Placed, tool: Tool, content_type: str, body: bytes) -> tuple[bytes, str]:
    """Put the arguments of a body that is not empty into `placed`.

    Returns the body to send on, and its Content-Type where that is another one than came, else an empty text. All but
    parts go on byte for byte: their grammar leaves one reading.
    """
    kind, _, parameters = content_type.partition(";")
    kind = kind.strip().lower()
    if not is_accepted(kind, tool.body_types):
        raise _wrong_type(tool)
    if kind == MULTIPART_TYPE:
        parts = multipart.parse(body, parameters)
        _place(placed, tool, *_parts(tool, parts, placed.most_depth))
        return multipart.made(parts)
    if _JSON_TYPE.fullmatch(kind):
        _refuse_other_charsets(parameters)
        placing.body(placed, tool, strictjson.parse(body, placed.most_depth))
    elif kind == FORM_TYPE:
        _refuse_other_charsets(parameters)
        _place(placed, tool, *_form(tool, body, placed.most_depth))
    elif tool.whole_body:
        placed.arguments["body"] = _text(body, parameters) if kind.startswith("text/") else _base64(body)
    else:
        placed.problems.append(Problem("", "the body must be a JSON object or a form"))
    return body, ""


def is_json(content_type: str) -> bool:
    """Whether a Content-Type is one of JSON."""
    return _JSON_TYPE.fullmatch(content_type.partition(";")[0].strip().lower()) is not None


def is_accepted(kind: str, types: tuple[str, ...]) -> bool:
    """Whether a media type is one of `types`, which may be ranges such as `image/*` or `application/*+json`."""
    if kind in types and "*" not in kind:
        return True
    major, slash, minor = kind.partition("/")
    if not (major and slash and minor) or not re.fullmatch(r"[a-z0-9!#$&^_.+/-]+", kind):
        return False
    suffix = "+" + minor.rpartition("+")[2] if "+" in minor else ""
    return any(one in types for one in ("*/*", f"{major}/*", f"{major}/*{suffix}"))


def _wrong_type(tool: Tool) -> Refusal:
    known = ", ".join(one for one in tool.body_types if "*+" not in one)
    return bad("The body's Content-Type is not one that this tool takes.", f"Send one of: {known}.")


def _refuse_other_charsets(parameters: str) -> None:
    if parameters.strip() and not _UTF8.fullmatch(parameters.strip()):
        raise bad("The body is UTF-8.", "Send the Content-Type without further parameters.")


def _text(body: bytes, parameters: str) -> str:
    _refuse_other_charsets(parameters)
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise bad("The body is not valid UTF-8.", "Send text as UTF-8.") from None


def _base64(data: bytes) -> str:
    return b64encode(data).decode()


def _place(placed: Placed, tool: Tool, known: dict[str, Any], strange: dict[str, Any]) -> None:
    """The fields of a form. Names that nobody declared are left to the contract where it is open."""
    if (tool.whole_body or tool.body_open) and fields.are_taken_for(strange, tool.form):
        raise bad(
            "Some servers take a field's name for another's, or for the method.", "Use the names of the contract."
        )
    if tool.whole_body:
        placed.arguments["body"] = {**strange, **known}
        return
    placed.arguments.update(known)
    placing.others(placed, tool, strange)


def _form(tool: Tool, body: bytes, most_depth: int) -> tuple[dict[str, Any], dict[str, Any]]:
    text = body.decode("latin-1")
    if not target.is_encoded(text):
        raise bad("The form holds a character that must be percent-encoded, or a broken %-escape.", "Encode it.")
    pairs = target.raw_pairs(text)
    known, strange = fields.collect(tool.form, pairs, target.decode_plus, most_depth)
    return known, _strange(tool, [(name, target.decode_plus(raw)) for name, raw in strange], most_depth)


def _strange(tool: Tool, pairs: fields.Pairs, most_depth: int) -> dict[str, Any]:
    """Values of names that nobody declared."""
    found: dict[str, list[str]] = {}
    for name, text in pairs:
        found.setdefault(name, []).append(text)
    return {name: gather(texts, tool.body_rest, "body", most_depth) for name, texts in found.items()}


def _parts(tool: Tool, parts: list[Part], most_depth: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parts of text are fields like those of any form; the others are files, or JSON by their type."""
    named: dict[str, list[Part]] = {}
    for part in parts:
        named.setdefault(part.name, []).append(part)
    pairs = [(name, _text(part.data, "")) for name, group in named.items() if _is_text(group) for part in group]
    known, others = fields.collect(tool.form, pairs, str, most_depth)
    strange = _strange(tool, others, most_depth)
    for name, group in named.items():
        if not _is_text(group):
            param = tool.form.own.get(name)
            value = _values(group, param.kind if param else tool.body_rest, most_depth)
            if (param.name if param else name) in (known if param else strange):
                raise bad("A field is given in two ways.", "Send each field once.")
            (known if param else strange)[param.name if param else name] = value
    return known, strange


def _is_text(group: list[Part]) -> bool:
    return all(part.is_text for part in group)


def _values(group: list[Part], kind: Kind, most_depth: int) -> Any:
    """The value of parts with one name, at least one of them no text. One part of JSON may be the whole array."""
    if kind.is_list and (len(group) > 1 or not kind.is_scalar):
        found = [_value(part, kind.item(), most_depth) for part in group]
        return found[0] if len(found) == 1 and isinstance(found[0], list) and not kind.item().is_list else found
    if len(group) > 1:
        raise bad("A field is given more than once.", "Send each field once.")
    return _value(group[0], kind, most_depth)


def _value(part: Part, kind: Kind, most_depth: int) -> Any:
    """A file is base64 text. JSON may come with a filename, as browsers send it, where no text may stand."""
    is_json = _JSON_TYPE.fullmatch(part.media_type) is not None
    if is_json and (part.filename is None or not kind.is_scalar):
        value = json(_text(part.data, ""), most_depth)
        if isinstance(value, str):  # most servers would read the quotes and escapes as well
            raise bad("A part of the multipart body is JSON text.", "Send text as text/plain, without quotes.")
        return value
    return scalar(_text(part.data, ""), kind, most_depth) if part.is_text else _base64(part.data)
