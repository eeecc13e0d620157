import base64
import json
import random
import time

import pytest

from redaction.detector import all_patterns
from redaction.mediatypes import EVENTS
from redaction.profiles import kinds_of
from redaction.scanner import Scanner, Unreadable
from redaction.streams import flows, stage
from tests.corpora.shared import corpus
from tests.redaction.families import each_family
from tests.redaction.fill import fill
from tests.redaction.hostile import seconds

STANDARD = Scanner(kinds_of("standard"))
EVERY = Scanner(frozenset(pattern.kind for pattern in all_patterns()))
LINES, TEXT = "application/x-ndjson", "text/plain"
MAIL, CARD = "ana@mail.example", "4242 4242 4242 4242"
CODED = base64.b64encode(f"write to {MAIL} today, or call".encode()).decode()
BARE = base64.b64encode(b"nothing at all is said in here to anybody".ljust(len(base64.b64decode(CODED)))).decode()


def run(pieces, media_type=EVENTS, scanner=STANDARD, pause=(), charset=None):
    way = stage(scanner, media_type, charset)
    given = []
    for piece in pieces:
        given += way.feed(piece)
        for each in pause:
            given += getattr(way, each)()
    given += way.close()
    assert way.size == 0
    return b"".join(given)


def cut(body, at):
    return [body[:at], body[at:]]


def events(body):
    """What a reader sees (HTML Standard, 9.2.6): type, last id and data of each event."""
    lines = body.decode().removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")[:-1]
    seen, kind, last, data = [], "", "", []
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                seen.append((kind or "message", last, "\n".join(data)))
            kind, data = "", []
        elif name == "data":
            data.append(value)
        elif name == "event":
            kind = value
        elif name == "id" and "\0" not in value:
            last = value
    return seen


STREAMS = [
    (EVENTS, f"data: {MAIL}\n\n: wait\n\ndata: {CARD}\n\n"),
    (EVENTS, f"\ufeffevent: a\r\nid: 7\r\ndata: x {MAIL}\r\ndata: y\r\n\r\nretry: 10\r\ndata: é {CARD} 日本\r\n\r\n"),
    (EVENTS, f"data: a\rdata: {MAIL}\rid: {MAIL}\r\rdata: b\r\r"),
    (
        EVENTS,
        f'data: {{"a": "{MAIL}",\ndata:  "b": [1.0, 12345678901234567890]}}\n\ndata:{{"e":"ana\\u0040mail.example"}}',
    ),
    (EVENTS, "".join(f'data: {{"delta": {{"text": "{each}"}}}}\n\n' for each in ("to an", "a@mail.ex", "ample now"))),
    (LINES, f'{{"a": "{MAIL}"}}\r\n\n3\n{{"b": "{CARD}", "n": 1.0}}'),
    (LINES, "".join(f'{{"message": {{"content": "{each}"}}}}\n' for each in ("to an", "a@mail.ex", "ample now"))),
    (TEXT, f"é {MAIL} and {CARD}, 日本語 {MAIL}. " + "and so on " * 60 + MAIL),
    (TEXT, f' {{"a": "ana\\u0040mail.example {CARD}"}}'),
    (
        TEXT,
        f"see {CODED}, https://x.example/?q=ana%40mail.example&b=%20c, and\n{CODED}\n{CODED} " + "and on " * 60 + CODED,
    ),
    (LINES, f'{{"a": "{CODED}"}}\n{{"b": "x=ana%40mail.example&c=%20"}}\n'),
    (EVENTS, f'data: {{"a": "data:text/plain;base64,{CODED}"}}\n\ndata: x=ana%40mail.example\n\n'),
    (EVENTS, "".join(f'data: {{"delta": {{"text": "{CODED[at : at + 9]}"}}}}\n\n' for at in range(0, len(CODED), 9))),
]


@pytest.mark.parametrize(("media_type", "text"), STREAMS)
@pytest.mark.parametrize("pause", [(), ("pause",)])
def test_where_and_when_it_was_cut_does_not_matter(media_type, text, pause):
    body = text.encode()
    whole = run([body], media_type)
    assert whole != body
    for secret in (b"ana", b"4242", CODED.encode()):
        assert secret not in whole
    for at in range(len(body) + 1):
        cleaned = run(cut(body, at), media_type, pause=pause)
        # A pause may show a CR to be a whole end of a line; the LF behind it says nothing then.
        assert cleaned == whole or (pause and events(cleaned) == events(whole)), at
    assert run([body[at : at + 1] for at in range(len(body))], media_type) == whole


@pytest.mark.parametrize(("media_type", "text"), STREAMS)
def test_what_holds_nothing_stays_byte_for_byte(media_type, text):
    for at in range(0, len(CODED), 9):
        text = text.replace(CODED, BARE).replace(CODED[at : at + 9], BARE[at : at + 9])
    body = (
        text.replace(MAIL, "nothing")
        .replace("%40", "")
        .replace("4242", "7")
        .replace("@", "")
        .replace("\\u0040", "")
        .encode()
    )
    assert run([body[at : at + 7] for at in range(0, len(body), 7)], media_type) == body


@each_family
def test_each_kind_across_events(family):
    for pattern in family:
        assert_hidden_across_events(pattern)


def assert_hidden_across_events(pattern):
    text = "and so they said " * 3 + fill(pattern.yes[0]) + " and so they said" * 3
    dice = random.Random(7)

    def sent(*pieces):
        return b"".join(
            b"data: " + json.dumps({"choices": [{"delta": {"content": p}}]}).encode() + b"\n\n" for p in pieces
        )

    def told(body):
        return "".join(json.loads(data)["choices"][0]["delta"]["content"] for _, _, data in events(body))

    for edit in EVERY.edits(text):
        hidden = text[edit.start : edit.end]
        for at in dice.sample(range(edit.start, edit.end), min(8, len(hidden))):
            assert hidden not in told(run([sent(text[:at], text[at:])], scanner=EVERY)), (pattern.name, at)


def test_event_streams_of_others():
    for case in corpus("http/sse/streams"):
        chunks = [base64.b64decode(each) for each in case["chunks_b64"]]
        body = b"".join(chunks)
        assert run(chunks) == body
        seen = [{"type": kind, "id": last, "data": data} for kind, last, data in events(run(chunks, pause=("pause",)))]
        assert seen == case["events"] or case["group"] == "comments"  # there only comments are told
        for at in range(len(body)):
            assert run(cut(body, at)) == body


def test_events_and_comments_go_on_at_once():
    way = stage(STANDARD, EVENTS, None)
    assert b"".join(way.feed(b": wait\n")) == b": wait\n"
    assert b"".join(way.feed(b"data: 1\n\nda")) == b"data: 1\n\n"
    assert b"".join(way.feed(b'ta: {"delta": "ana@')) == b""
    assert b"".join(way.feed(b'"}\n\n: wait\n')) == b": wait\n"
    assert b"".join(way.pause()) == b""
    assert b"".join(way.rest()) == b'data: {"delta": "ana@"}\n\n'


@pytest.mark.parametrize(
    ("media_type", "good", "bad"),
    [
        (EVENTS, b"data: 1\n\n", b"data: \xff\n\n"),
        (LINES, b"1\n", b"{\n"),
        (LINES, b"1\n", b"\xff\n"),
        (TEXT, b"one ", b"\xff"),
    ],
)
def test_what_cannot_be_checked_comes_behind_what_could(media_type, good, bad):
    pieces = stage(STANDARD, media_type, None).feed(good + bad + good)
    if media_type != TEXT:
        assert next(pieces) == good
    with pytest.raises(Unreadable) as refused:
        list(pieces)
    assert refused.value.__context__ is None or refused.value.__suppress_context__
    passing = stage(STANDARD, media_type, None, passes=True)
    given = [*passing.feed(good + bad + good), *passing.feed(good), *passing.close()]
    assert b"".join(given) == good + bad + good + good
    assert len(passing.faults) == 1


def test_types_and_charsets():
    assert not flows("application/json")
    for media_type, charset in [("text/html", None), (TEXT, "utf-7"), (EVENTS, "latin1"), (LINES, "latin1")]:
        with pytest.raises(Unreadable):
            stage(STANDARD, media_type, charset)
    body = f"é {MAIL}".encode("latin-1")
    assert run([body], TEXT, charset="latin1") == "é <EMAIL_ADDRESS>".encode("latin-1")
    with pytest.raises(Unreadable):
        run([b'{"a": '], TEXT + "x")


@pytest.mark.parametrize(
    ("media_type", "piece"),
    [
        *((EVENTS, piece) for piece in (b"x", b"\r", b"data: x\n", b":\n", b'data: {"delta":"1"}\n\n')),
        *((LINES, piece) for piece in (b"[", b"\r", b"1\n")),
        *((TEXT, piece) for piece in (b"x", b"1 ", b"-----BEGIN ", b"a.a@")),
    ],
)
def test_hostile_streams_cost_no_more_than_their_length(media_type, piece):
    def cost(times):
        way, started = stage(STANDARD, media_type, None), time.process_time()
        for _ in range(times):
            for _ in way.feed(piece * 20):
                pass
        return time.process_time() - started

    assert cost(400) < 0.5 + 40 * cost(40)


@pytest.mark.parametrize("media_type", ["application/x-ndjson", "text/event-stream"])
def test_a_line_without_an_end_behind_one_costs_no_more_than_its_bytes(media_type: str) -> None:
    """Once an end was looked for from each of its bytes: 7 s for 64 KB, on the loop that serves all callers."""

    def feed() -> None:
        made = stage(STANDARD, media_type, None, False)
        for before in (b"1", *[b'"'] * 3):
            list(made.feed(before + b'\n"' + b"x" * 65_000))

    assert seconds(feed, 0.1) <= 0.1
