"""Presidio apart: what does not answer in time is ended, and the text counts as unreadable."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, sleep

import pytest

from proxy.presidio.apart import Presidio
from proxy.presidio.settings import PresidioSettings
from proxy.scanning import UNTIL
from redaction.engine import ScanError
from redaction.scanner import Scanner
from tests.wire import Wall, answering, perform, reply, wall

KINDS = frozenset({"presidio:URL", "presidio:US_PASSPORT"})
QUADRATIC = "http://" + "a." * 9_000
"""Presidio's expression for URLs takes seconds for it."""


@pytest.fixture(scope="module")
def presidio() -> Iterator[Presidio]:
    with pytest.MonkeyPatch.context() as ours:
        ours.setenv("CRM_TOKEN", "hunter2hunter2")
        made = Presidio(PresidioSettings(text_s=0.9))
        yield made
        made.close()


def pid(presidio: Presidio) -> int:
    process = presidio._workers[0]._process
    assert process is not None
    return process.pid


@pytest.mark.full
def test_a_new_process_takes_over_between_two_texts_and_no_text_is_lost() -> None:
    few = Presidio(PresidioSettings(scans=20, text_s=20))
    find = few.detector(KINDS).find
    find("warm")
    first, seen = pid(few), set[int]()
    until = monotonic() + 60
    with ThreadPoolExecutor(4) as threads:
        while len(seen) < 3 and monotonic() < until:  # two successors
            texts = [f"see http://example.com/{number}" for number in range(8)]
            found = list(threads.map(find, texts))
            assert [[each.kind for each in one] for one in found] == [["URL"]] * 8
            seen.add(pid(few))
    few.close()
    assert len(seen) == 3
    assert first in seen
    for one in seen:
        with pytest.raises(ProcessLookupError):
            os.kill(one, 0)


def test_a_successor_that_cannot_load_leaves_the_process_at_work(tmp_path: Path) -> None:
    registry = tmp_path / "registry.yaml"
    registry.write_text("recognizers: [UrlRecognizer]")
    few = Presidio(PresidioSettings(scans=3, text_s=20, registry=str(registry)))
    find = few.detector(KINDS).find
    find("warm")
    first = pid(few)
    registry.write_text("recognizers: [")
    tried = set[int]()
    while len(tried) < 2:  # the second one shows that the first was given up
        assert len(find("see http://example.com/a")) == 1
        if (successor := few._workers[0]._next) is not None:
            tried.add(successor.pid)
        sleep(0.01)
    assert pid(few) == first
    few.close()


def test_a_scanner_finds_by_it_what_our_patterns_do_not(presidio: Presidio) -> None:
    scanner = Scanner(KINDS | {"EMAIL_ADDRESS"}, foreign=presidio.detector)
    assert scanner.needs_presidio
    text = "passport 912803456, mail \ud83d ann@example.com, see http://example.com/a"
    assert scanner.clean_text(text).value == "passport <US_PASSPORT>, mail \ud83d <EMAIL_ADDRESS>, see <URL>"
    assert scanner.clean_json('{"passport": "912803456", "order": "912803456"}').value == (
        '{"passport": "<US_PASSPORT>", "order": "912803456"}'
    )
    detectors = {finding.detector for finding in scanner.find("http://example.com/a")}
    assert detectors == {"presidio:UrlRecognizer"}


def test_it_is_killed_at_its_time_and_comes_back(presidio: Presidio) -> None:
    find = presidio.detector(KINDS).find
    find("warm")
    before, started = pid(presidio), monotonic()
    with pytest.raises(ScanError, match="not done in time"):
        find(QUADRATIC)
    assert monotonic() - started < 30  # without the kill it runs on for as long as the text likes
    assert pid(presidio) != before
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)
    assert [finding.kind for finding in find("http://example.com/a")] == ["URL"]


def test_a_process_that_died_is_started_anew(presidio: Presidio) -> None:
    find = presidio.detector(KINDS).find
    find("warm")
    os.kill(pid(presidio), signal.SIGKILL)
    with pytest.raises(ScanError, match="ended"):
        find("http://example.com/a")
    assert len(find("http://example.com/a")) == 1


def test_the_time_of_the_whole_scan_counts_too(presidio: Presidio) -> None:
    find = presidio.detector(KINDS).find
    find("warm")
    before = pid(presidio)
    token = UNTIL.set(monotonic() - 1)
    try:
        with pytest.raises(ScanError, match="in time"):
            find("http://example.com/a")
    finally:
        UNTIL.reset(token)
    assert pid(presidio) == before  # it was not asked, so it is not to blame


def test_a_text_that_is_too_long_is_not_given_to_it() -> None:
    short = Presidio(PresidioSettings(most_characters=10))
    with pytest.raises(ScanError, match="more than 10 characters"):
        short.find(KINDS, "12345678901", "")
    short.close()


def test_one_that_cannot_load_says_why() -> None:
    small = Presidio(PresidioSettings(memory=1 << 20))
    with pytest.raises(ScanError):
        small.find(KINDS, "http://example.com/a", "")
    small.close()


def test_it_does_not_begin_again_once_it_is_closed() -> None:
    closed = Presidio()
    closed.close()
    with pytest.raises(ScanError, match="closed"):
        closed.find(KINDS, "a", "")


def test_the_process_knows_nothing_of_our_environment(presidio: Presidio) -> None:
    presidio.detector(KINDS).find("warm")
    assert os.environ["CRM_TOKEN"] == "hunter2hunter2"
    seen = Path(f"/proc/{pid(presidio)}/environ").read_bytes()
    assert b"hunter2" not in seen
    assert b"PATH=" in seen


TOOLS = """
  strict: {says: Read., call: GET /strict, reply: {redact: ["presidio:URL", EMAIL_ADDRESS]}}
  lax: {says: Read., call: GET /lax, reply: {redact: ["presidio:URL", EMAIL_ADDRESS], on_error: pass}}
"""
POLICY = "rules:\n  - {id: all, allow: crm.*}\n"


def test_on_the_wire_what_is_not_read_in_time_is_refused_or_marked(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, POLICY, config="presidio: {time: 900ms}\nbounds: {scan: 4s}\n") as w:
            assert await clean(w)
            await hostile(w)
            assert await comes_back(w)

    async def clean(w: Wall) -> bool:
        w.backend.answer = answering(reply(b'{"a": "see http://example.com/a and ann@example.com"}'))
        told = await w.tell("GET", "/crm/strict")
        return told.reply.body == b'{"a": "see <URL> and <EMAIL_ADDRESS>"}'

    async def comes_back(w: Wall) -> bool:
        """As soon as it is loaded again."""
        for _ in range(10):
            if await clean(w):
                return True
        return False

    async def hostile(w: Wall) -> None:
        body = json.dumps({"a": QUADRATIC}).encode()
        w.backend.answer = answering(reply(body))
        told = await w.tell("GET", "/crm/strict")
        assert told.reply.status == 502
        assert told.reply.headers["toolwall-refused"] == "reply_refused"
        assert b"a.a." not in told.reply.body
        told = await w.tell("GET", "/crm/lax")
        assert told.reply.body == body
        assert told.reply.headers["toolwall-unchecked"] == "clean"
        assert told.record["passed_unchecked"] == ["clean"]
        notes = json.dumps(told.record["notes"])  # it was not done in time, or is not loaded again
        assert "Presidio" in notes or "checked in time" in notes

    perform(play())
