"""What the media type of a body says of how to read it."""

from collections.abc import Callable, Iterable
from functools import partial

from redaction import named_text
from redaction.finding import Finding
from redaction.keys import Keys
from redaction.unwrap import FORM, MARKUP, PLAIN, Escaping

Named = Callable[[str, Keys], Iterable[Finding]]

CHARSETS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "iso-8859-1": "latin-1",
    "latin1": "latin-1",
    "windows-1252": "cp1252",
}
ANY_BYTES = frozenset({"latin-1", "cp1252"})
"""Encodings in which nearly every body is a text."""

EVENTS = "text/event-stream"
LINES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"})
_TABLES = {"text/csv": ",", "application/csv": ",", "text/tab-separated-values": "\t"}
_MARKUP = frozenset({"application/xml", "text/xml", "text/html"})
_TEXT = frozenset({"application/yaml", "application/x-yaml", "application/javascript", "application/toml"})


def encoding_of(body: bytes, named: str) -> str:
    """How a body reads for which an encoding is named. Whole UTF-8 is read as such where any bytes would do: hardly a
    text is that by chance, while servers name Latin-1 for whatever they send, and readers of JSON look at no name.
    """
    if named in ANY_BYTES and not body.isascii():
        try:
            body.decode()
            return "utf-8"
        except UnicodeDecodeError:
            pass
    return named


def is_json(media_type: str) -> bool:
    """Whether bodies of the type are JSON."""
    return media_type == "application/json" or media_type.endswith("+json") or media_type == "text/json"


def is_markup(media_type: str) -> bool:
    """Whether they are XML or HTML."""
    return media_type in _MARKUP or media_type.endswith("+xml")


def escaping(media_type: str) -> Escaping | None:
    """How characters are escaped in a type of text; None for what is no text."""
    if media_type == "application/x-www-form-urlencoded":
        return FORM
    if is_markup(media_type):
        return MARKUP
    if media_type in _TEXT or (media_type.startswith("text/") and media_type != EVENTS):
        return PLAIN
    return None


def named(media_type: str) -> Named | None:
    """What knows where names of values stand in a type of text, if anything does."""
    if media_type in _TABLES:
        return partial(named_text.in_table, mark=_TABLES[media_type])
    if media_type == "application/x-www-form-urlencoded":
        return named_text.in_form
    return named_text.in_markup if is_markup(media_type) else None
