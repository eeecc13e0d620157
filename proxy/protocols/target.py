"""Request targets (RFC 9112, 3.2): what may stand in a path and a query, and their strict decoding."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import unquote_to_bytes

from proxy.errors import Refusal

# Visible ASCII without the characters that RFC 3986 forbids raw and parsers treat differently.
_ALLOWED = re.compile(r"[!$&'()*+,\-./0-9:;=?@A-Z_a-z~%]+")
# In a query these three as well: RFC 3986 wants them encoded, but browsers and many clients leave them, and everybody
# reads them alike.
_ALLOWED_QUERY = re.compile(r"[!$&'()*+,\-./0-9:;=?@A-Z_a-z~%\[\]|]*")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
# A backend that decodes twice, or more often, would see a dot, a slash, a backslash or a NUL here.
_TWICE = re.compile(r"%(?:25)*(?:2e|2f|5c|00)", re.IGNORECASE)
_SLASH = re.compile(r"%2f", re.IGNORECASE)
_ODD = re.compile(r"[\x00-\x1f\x7f\\]")


def split(target: str) -> tuple[str, str]:
    """Path and raw query of an origin-form target. Raises Refusal `bad_request` for anything ambiguous."""
    if not target.startswith("/"):
        raise _bad("The request target must be a path.", "Use the path alone, without scheme and host.")
    path, _, query = target.partition("?")
    if _ALLOWED.fullmatch(path) is None or not is_encoded(query) or ("%" in path and _BAD_PERCENT.search(path)):
        raise _bad("The request target holds a character that must be percent-encoded, or a broken %-escape.")
    _check_path(path)
    return path, query


def _check_path(path: str) -> None:
    segments = path[1:].split("/")
    if "" in segments[:-1]:
        raise _bad("The path has an empty segment.")
    if "%" not in path and "." not in path:
        return
    for segment in segments:
        text = decode(segment)
        if _ODD.search(text) or any(part.partition(";")[0] in (".", "..") for part in text.split("/")):
            raise _bad("The path has a `.` or `..` segment, a backslash or a control character.")
        if "%" in text and _TWICE.search(text):
            raise _bad("The path holds a doubly encoded separator.")


def decode(segment: str) -> str:
    """A percent-encoded piece as text. Raises Refusal where it is not UTF-8."""
    if "%" not in segment:
        return segment
    try:
        return unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        raise _bad("A percent-encoded part of the request target is not UTF-8.") from None


def has_slash(segment: str) -> bool:
    """Whether a path segment holds an encoded slash, which only a contract can allow."""
    return "%" in segment and _SLASH.search(segment) is not None


def is_encoded(query: str) -> bool:
    """Whether a query or a form holds nothing but characters that may stand there raw, and whole %-escapes."""
    return not query or (
        _ALLOWED_QUERY.fullmatch(query) is not None and not ("%" in query and _BAD_PERCENT.search(query))
    )


def decode_plus(text: str) -> str:
    """A piece of a query or a form as text, in which `+` is a space. Raises Refusal where it is not UTF-8."""
    return decode(text.replace("+", " ")) if "%" in text or "+" in text else text


def pairs(query: str) -> list[tuple[str, str]]:
    """Name and value of each part of a query, decoded. Raises Refusal for a raw `;`."""
    return [(decode_plus(name), decode_plus(value)) for name, value in _split(query)]


def without(query: str, names: Collection[str]) -> str:
    """A raw query without the parts that have one of these names, everything else as it was."""
    return "&".join(part for part in query.split("&") if decode_plus(part.partition("=")[0]) not in names)


def raw_pairs(query: str) -> list[tuple[str, str]]:
    """The decoded name and the raw value of each part of a query. Raises Refusal for a raw `;`."""
    return [(decode_plus(name), value) for name, value in _split(query)]


def _split(query: str) -> list[tuple[str, str]]:
    if ";" in query:
        raise _bad("The query holds a raw `;`, which servers read differently.", "Encode it as %3B.")
    return [part.partition("=")[::2] for part in query.split("&") if part]


def _bad(detail: str, suggestion: str = "Send the canonical form of the URL.") -> Refusal:
    return Refusal("bad_request", detail, suggestion=suggestion)
