"""The demo's story must find out a wall that is none: each broken promise is told by name."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from proxy import demo, story
from proxy.story import Reply, Step, Told

READ = Step(says="Read", method="GET", target="/customers/7", status=200, holds=("<EMAIL_ADDRESS>",))
REFUSED = Step(says="Obey", method="POST", target="/refunds", status=403, code="denied", body={"order_id": 7})
ARRIVED = {"number": 1, "method": "GET", "target": "/customers/7", "body": ""}
CLEAN = Reply(200, {"toolwall-call": "c1"}, '{"email": "<EMAIL_ADDRESS>"}')
NO = Reply(403, {"toolwall-call": "c2", "toolwall-refused": "denied"}, '{"executed": "no", "detail": "Ask less."}')
OK = [{"kind": "call", "outcome": "ok"}]
SAID_NO = [{"kind": "call", "outcome": "refused"}]
SECRETS = frozenset({"ada@example.org"})


class Through(BaseHTTPRequestHandler):
    """A wall that lets everything through to the desk: what the story must never call good."""

    def pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        desk: int = self.server.desk  # type: ignore[attr-defined]
        answer = story.send(desk, self.command, self.path.removeprefix("/desk"), json.loads(body) if body else None)
        self.send_response(answer.status)
        self.send_header("Toolwall-Call", "c1")
        self.send_header("Content-Length", str(len(answer.text.encode())))
        self.end_headers()
        self.wfile.write(answer.text.encode())

    do_GET = do_POST = pass_on  # noqa: N815 - the names that http.server calls

    def log_message(self, *_: object) -> None:
        """Keep the output of the tests clean."""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[int]:
    with demo.ExitStack() as stack:
        yield demo.start_desk(stack, tmp_path)[1]


@pytest.fixture
def no_wall(desk: int) -> Iterator[int]:
    server = ThreadingHTTPServer((story.HOST, 0), Through)
    server.desk = desk  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_without_a_wall_no_step_comes_out_as_told(desk: int, no_wall: int, tmp_path: Path) -> None:
    told, secrets = story.tell(no_wall, desk, tmp_path / "ledger"), story.planted(desk)
    found = [row.faults(secrets) for row in told]
    assert len(found) == len(story.STORY)
    assert all("the ledger does not tell it as it was" in faults for faults in found)
    assert found[-1] == ["the ledger does not tell it as it was"]  # a harmless note: all else is as it should be
    assert all(len(faults) > 1 for faults in found[:-1])
    assert "values that no model may see" in " ".join(found[0])
    refunds = [faults for row, faults in zip(told, found, strict=True) if row.step.target == "/refunds"]
    assert all("the desk got something else than was promised" in faults for faults in refunds)


def test_with_nobody_listening_every_step_fails(desk: int, tmp_path: Path) -> None:
    told = story.tell(demo.free_port(), desk, tmp_path)
    assert all(row.reply.status == 0 and row.faults(SECRETS) for row in told)


def test_without_a_desk_there_is_no_story(tmp_path: Path) -> None:
    with pytest.raises(story.DemoError, match="the desk did not answer GET /__seen"):
        story.tell(demo.free_port(), demo.free_port(), tmp_path)
    with pytest.raises(story.DemoError, match="the desk did not answer GET /admin/export"):
        story.planted(demo.free_port())


def test_what_is_planted_is_asked_of_the_desk(desk: int) -> None:
    planted = story.planted(desk)
    customer = story.send(desk, "GET", "/customers/7").json()
    assert {customer[name] for name in ("email", "phone", "card", "iban")} <= planted
    assert any(value.startswith("AK" + "IA") for value in planted)
    assert any(value in story.send(desk, "GET", "/tickets/7").text for value in planted if value.count(" ") == 3)


def test_kept_promises_are_no_faults() -> None:
    assert Told(READ, [ARRIVED], CLEAN, OK).faults(SECRETS) == []
    assert Told(REFUSED, [], NO, SAID_NO).faults(SECRETS) == []


def test_a_write_must_be_in_the_ledger_before_and_after() -> None:
    step = Step(says="Note", method="POST", target="/tickets/7/notes", status=200, body={"text": "Called."})
    arrived = {"method": "POST", "target": "/tickets/7/notes", "body": '{"text":"Called."}'}
    assert Told(step, [arrived], CLEAN, [{"kind": "intent"}, *OK]).faults(SECRETS) == []
    assert Told(step, [arrived], CLEAN, OK).faults(SECRETS) == ["the ledger does not tell it as it was"]


@pytest.mark.parametrize("kept", [[], SAID_NO, OK + OK, [{"kind": "intent"}, *OK], [{"kind": "intent"}]])
def test_a_ledger_that_tells_it_otherwise_is_found_out(kept: list[dict[str, Any]]) -> None:
    assert Told(READ, [ARRIVED], CLEAN, kept).faults(SECRETS) == ["the ledger does not tell it as it was"]


@pytest.mark.parametrize(
    ("seen", "reply", "fault"),
    [
        ([ARRIVED], CLEAN._replace(status=502), "the status is 502, not 200"),
        ([ARRIVED], CLEAN._replace(text="{}"), "the answer lacks <EMAIL_ADDRESS>"),
        ([ARRIVED], CLEAN._replace(text="<EMAIL_ADDRESS> ada@example.org"), "the answer holds 1 values that"),
        ([ARRIVED], CLEAN._replace(headers={"toolwall-call": "c", "x": "ada@example.org"}), "the answer holds 1"),
        ([ARRIVED], CLEAN._replace(headers=NO.headers), "it is refused as 'denied', not as ''"),
        ([], CLEAN, "the desk got something else"),
        ([ARRIVED, ARRIVED], CLEAN, "the desk got something else"),
        ([ARRIVED | {"target": "/customers/8"}], CLEAN, "the desk got something else"),
        ([ARRIVED | {"body": "{}"}], CLEAN, "the desk got something else"),
        ([ARRIVED | {"body": "{"}], CLEAN, "the desk got something else"),
    ],
)
def test_a_broken_promise_about_an_answer(seen: list[dict[str, Any]], reply: Reply, fault: str) -> None:
    assert [found for found in Told(READ, seen, reply, OK).faults(SECRETS) if found.startswith(fault)]


@pytest.mark.parametrize(
    ("seen", "reply", "fault"),
    [
        ([ARRIVED], NO, "the desk got something else"),
        ([], NO._replace(status=200), "the status is 200, not 403"),
        ([], NO._replace(text='{"executed": "unknown"}'), "the refusal does not say `executed: no`"),
        ([], NO._replace(text="<html>"), "the refusal does not say `executed: no`"),
        ([], NO._replace(text="[]"), "the refusal does not say `executed: no`"),
        ([], NO._replace(headers={"toolwall-call": "c"}), "it is refused as '', not as 'denied'"),
    ],
)
def test_a_broken_promise_about_a_refusal(seen: list[dict[str, Any]], reply: Reply, fault: str) -> None:
    assert [found for found in Told(REFUSED, seen, reply, SAID_NO).faults(SECRETS) if found.startswith(fault)]


def refusal(*errors: Any) -> Reply:
    return Reply(422, {}, json.dumps({"errors": errors}))


def test_the_agent_mends_its_call_by_the_answer_alone() -> None:
    step = Step(says="", method="GET", target="/tickets?status=urgent&limit=4", status=200)
    told = refusal({"path": "/status", "problem": "is not one of them", "example": "open"})
    assert story.mended(step, told).target == "/tickets?status=open&limit=4"


@pytest.mark.parametrize(
    "error", [{"path": "/status", "problem": "no"}, {"example": 1}, "status", None, {"path": ["/status"]}]
)
def test_the_agent_mends_nothing_without_an_example(error: Any) -> None:
    step = Step(says="", method="GET", target="/tickets?status=urgent", status=200)
    assert story.mended(step, refusal(error)).target == "/tickets?status=urgent"


def drawn(*told: Told) -> str:
    console = Console(file=StringIO(), width=140)
    console.print(story.table(list(told), SECRETS))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_the_table_says_what_was_asked_what_arrived_and_what_came_back() -> None:
    shown = drawn(Told(READ, [ARRIVED], CLEAN, OK), Told(REFUSED, [], NO, SAID_NO))
    for text in ("GET /desk/customers/7", "GET /customers/7", "<EMAIL_ADDRESS>", "nothing", "403 denied", "Ask less."):
        assert text in shown
    assert shown.count("✓") == 2


def test_the_table_says_what_was_not_kept() -> None:
    shown = drawn(Told(replace(READ, holds=("[bold]",)), [ARRIVED], CLEAN, OK))
    assert "✗ the answer lacks [bold]" in shown
    assert "✓" not in shown


def test_a_long_answer_is_cut_around_what_was_cleaned() -> None:
    long = CLEAN._replace(text="a" * 500 + "<EMAIL_ADDRESS>" + "b" * 500)
    shown = story.excerpt(Told(READ, [ARRIVED], long, []))
    assert "<EMAIL_ADDRESS>" in shown
    assert shown.startswith("...a")
    assert shown.endswith("<EMAIL_ADDRESS>" + "b" * story.MARGIN + "...")
    assert len(shown) == story.CUT + 6


def test_the_table_shows_how_to_mend_a_call() -> None:
    reply = NO._replace(text=json.dumps({"errors": [{"path": "/status", "problem": "is unknown", "example": "open"}]}))
    assert story.excerpt(Told(REFUSED, [], reply, [])) == '/status is unknown, for example "open"'
