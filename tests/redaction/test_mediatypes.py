"""What a media type says of how its bodies are read."""

from __future__ import annotations

import pytest

from redaction.mediatypes import encoding_of, escaping, is_json, is_markup, named
from redaction.unwrap import FORM, MARKUP, PLAIN


@pytest.mark.parametrize("media_type", ["application/json", "application/problem+json", "text/json"])
def test_json(media_type: str) -> None:
    assert is_json(media_type)
    assert not is_markup(media_type)
    assert escaping(media_type) is (PLAIN if media_type.startswith("text/") else None)


@pytest.mark.parametrize("media_type", ["application/xml", "text/html", "image/svg+xml"])
def test_markup(media_type: str) -> None:
    assert is_markup(media_type)
    assert not is_json(media_type)
    assert escaping(media_type) is MARKUP
    assert named(media_type)


@pytest.mark.parametrize("media_type", ["text/plain", "text/x-python", "application/yaml", "application/toml"])
def test_text(media_type: str) -> None:
    assert escaping(media_type) is PLAIN
    assert named(media_type) is None


@pytest.mark.parametrize("media_type", ["image/png", "application/pdf", "text/event-stream", "application/jsonp", ""])
def test_what_is_no_text_or_is_read_otherwise(media_type: str) -> None:
    assert escaping(media_type) is None
    assert not is_json(media_type)


def test_names_of_values_stand_in_tables_and_forms() -> None:
    assert named("text/csv")
    assert escaping("application/x-www-form-urlencoded") is FORM
    assert named("application/x-www-form-urlencoded")


@pytest.mark.parametrize(
    ("body", "named", "spoken"),
    [
        ("é".encode(), "latin-1", "utf-8"),
        ("é".encode(), "cp1252", "utf-8"),
        ("é".encode("latin-1"), "latin-1", "latin-1"),
        (b"e", "cp1252", "cp1252"),
        ("é".encode(), "ascii", "ascii"),
        (b"\xff", "utf-8", "utf-8"),
    ],
)
def test_utf_8_is_read_as_such_where_any_bytes_would_do(body: bytes, named: str, spoken: str) -> None:
    assert encoding_of(body, named) == spoken
