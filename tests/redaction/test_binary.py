import json
from hashlib import sha256

import pytest

from redaction.binary import charset_of, described
from redaction.scanner import Unreadable

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06"


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        (PNG, None),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n\0\x01\x02 ana@example.org", None),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\x03", None),
        (bytes(range(256)) * 20, None),
        (b'{"a": "ana@example.org"}', "utf-8"),
        ("Müller".encode(), "utf-8"),
        (b"\xef\xbb\xbf[1]", "utf-8"),
        ("Müller, ana@example.org".encode("latin-1"), "iso-8859-1"),
        (b"", "utf-8"),
    ],
)
def test_text_is_told_from_what_is_none(body, charset):
    assert charset_of(body) == charset


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_wide_text_is_neither(coding):
    with pytest.raises(Unreadable) as refused:
        charset_of('{"a": "ana@example.org", "ü": 1}'.encode(coding))
    assert refused.value.__context__ is None


def test_what_is_said_of_it():
    assert json.loads(described(PNG, "image/png")) == {
        "sha256": sha256(PNG).hexdigest(),
        "bytes": len(PNG),
        "media_type": "image/png",
    }
    assert json.loads(described(PNG, "image/png ana@example.org"))["media_type"] == ""
