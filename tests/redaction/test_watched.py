"""Known secrets during one look: the same is taken out, and whose it was is remembered."""

from __future__ import annotations

from base64 import b64encode

import pytest

from redaction import streams
from redaction.known import Known
from redaction.scanner import Unreadable
from redaction.watched import Watched

ONE, TWO, FIXED = "kestrel-9Xw4pQ7t", "osprey-3Vb8nK1s", "merlin-7Hd2fJ5g"
KNOWN = Known([ONE, TWO, FIXED], {ONE: "one", TWO: "two"})


@pytest.mark.parametrize(
    ("data", "tags"),
    [
        (b'{"a": "nothing"}', set()),
        (f'{{"a": "{ONE}"}}'.encode(), {"one"}),
        (f'{{"a": "{TWO}", "b": {{"{ONE}": 1}}}}'.encode(), {"one", "two"}),
        (f'{{"a": "{FIXED}"}}'.encode(), {""}),
        (b'{"a": "' + b64encode(b"x" + ONE.encode()) + b'"}', {"one"}),
        (f'{{"a": "{ONE.encode().hex()}"}}'.encode(), {"one"}),
    ],
)
def test_what_is_taken_out_is_the_same(data: bytes, tags: set[str]) -> None:
    watched = Watched(KNOWN)
    assert watched.clean(data, "application/json", None) == KNOWN.clean(data, "application/json", None)
    assert watched.clean_json(data.decode()) == KNOWN.clean_json(data.decode())
    assert watched.clean_text(data.decode()) == KNOWN.clean_text(data.decode())
    assert watched.text(data.decode()) == KNOWN.text(data.decode())
    assert watched.edits(data.decode()) == KNOWN.edits(data.decode())
    assert watched.spared(data.decode(), ()) == frozenset()
    assert watched.tags == tags


@pytest.mark.parametrize("charset", [None, "utf-16"])
def test_what_cannot_be_taken_out_is_remembered_too(charset: str | None) -> None:
    watched = Watched(KNOWN)
    with pytest.raises(Unreadable):
        watched.clean(b"\x89PNG\xff" + ONE.encode("utf-16-le" if charset else "utf-8") + b"\xff", "image/png", charset)
    assert watched.tags == {"one"}


def test_in_a_stream_it_is_seen_across_pieces() -> None:
    watched = Watched(KNOWN)
    stage = streams.stage(watched, "text/plain", None)
    out = b"".join(piece for part in (b"a ", TWO[:5].encode(), TWO[5:].encode(), b" b") for piece in stage.feed(part))
    assert out + b"".join(stage.close()) == b"a <KNOWN_SECRET> b"
    assert watched.tags == {"two"}
