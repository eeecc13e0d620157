"""Other people's URLs through the door: a path that is forwarded is the path that was judged, byte for byte."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote, unquote_plus

from tests.corpora.shared import corpus
from tests.wire import perform, wall

# A tool for each depth up to four, whose arguments come back in the Record as they were judged.
TOOLS = "\n".join(
    f'  deep{n}: {{says: Read., call: "GET /{"/".join("{" + c + "}" for c in "abcd"[:n])}",'
    f" args: {{{', '.join(c + ': {}' for c in 'abcd'[:n])}, q: {{optional: true}}}}}}"
    for n in range(1, 5)
)
RAW_LINE = re.compile(r"[\x21-\xff]+")


def targets() -> list[str]:
    """The inputs as they would stand in a request line: below the prefix where they begin with a slash, and as they
    are; and the same behind a word, as the value of a query.
    """
    found = []
    for record in corpus("http/wpt_url/urls"):
        text = record["input"].encode("utf-8", "surrogatepass").decode("latin-1")
        if RAW_LINE.fullmatch(text):
            path = re.sub(r"^[a-z]+:/*[^/?#]*", "", text, flags=re.IGNORECASE)
            found += [text, "/crm" + (path if path.startswith("/") else "/" + path), "/crm/a?q=" + text]
    return found


def test_what_was_judged_is_what_arrives(tmp_path: Path) -> None:
    asked = targets()

    async def play() -> None:
        async with wall(tmp_path, TOOLS, config="ledger: {arguments: redacted}\nbounds: {idle: 1s, body: 1s}") as w:
            forwarded = 0
            for target in asked:
                raw = f"GET {target} HTTP/1.1\r\nHost: {w.host}\r\nConnection: close\r\n\r\n".encode("latin-1")
                told = await w.tell_raw(raw)
                if not told.reached:
                    assert 400 <= told.reply.status < 500, target
                    continue
                forwarded += 1
                arrived = told.reached[0].split(b" ")[1].decode("latin-1")
                sent = target.removesuffix("?") if target.count("?") == 1 else target  # an empty query is none
                assert arrived == "/api" + sent.removeprefix("/crm")
                judged = told.record.get("arguments", {})
                path, _, query = arrived.removeprefix("/api/").partition("?")
                segments = [unquote(segment) for segment in path.split("/")]
                assert not {".", "..", ""}.intersection(segments[:-1]), target
                assert not re.search(r"[\\\x00-\x1f]", "".join(segments)), target
                shown = [judged[name] for name in "abcd" if name in judged]
                if "<" not in json.dumps(judged):  # nothing was redacted
                    assert segments == shown, target
                    assert unquote_plus(query.removeprefix("q=")) == judged.get("q", ""), target
            assert forwarded > len(asked) / 10

    perform(play())
