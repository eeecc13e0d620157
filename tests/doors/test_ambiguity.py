"""Whatever two readers could understand in two ways is refused before it is judged, and reaches nobody (law 2)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.corpora.cases import cases, named
from tests.wire import Stage, Told, Wall

WORDS = {
    "{long}": "x" * 5_000,
    "{many}": "\r\n".join(f"X-{number}: a" for number in range(200)),
    "{digits}": "1" * 1_001,
    "{open}": "[" * 30_000,
    "{body}": "x" * 70_000,
}


def written(text: str, w: Wall) -> bytes:
    """The bytes of a case's text."""
    hidden = f"GET /crm/things/9 HTTP/1.1\r\nHost: {w.host}\r\nConnection: close\r\n\r\n"
    for word, stands_for in {**WORDS, "{host}": w.host, "{port}": str(w.address[1]), "{hidden}": hidden}.items():
        text = text.replace(word, stands_for)
    return text.encode("latin-1")


def refused(told: Told, code: str) -> None:
    """Nothing reached the backend, the answer is one refusal, and so says the one Record."""
    assert told.reached == []
    assert told.reply.headers["toolwall-refused"] == code or code == "*"
    assert told.reply.json["code"] == told.reply.headers["toolwall-refused"] == told.record["code"]
    assert told.reply.json["executed"] == told.record["executed"] == "no"
    assert told.reply.json["retry"] == "after_fix"
    assert told.reply.status == told.reply.json["status"] == told.record["status"]
    assert told.closed
    assert told.record["outcome"] == "refused"
    assert told.record["attempts"] == 0


@pytest.mark.parametrize("case", cases("requests/targets"), ids=named)
def test_a_target_that_can_be_read_in_two_ways(door: Stage, case: dict[str, Any]) -> None:
    async def play(w: Wall) -> None:
        line = case.get("line", f"{case.get('method', 'GET')} {case.get('target')} HTTP/1.1")
        raw = written(f"{line}\r\nHost: {{host}}\r\n\r\n", w)
        refused(await w.tell_raw(raw), "bad_request")

    door.run(play)


@pytest.mark.parametrize("case", cases("requests/heads"), ids=named)
def test_a_head_that_can_be_read_in_two_ways(door: Stage, case: dict[str, Any]) -> None:
    async def play(w: Wall) -> None:
        host = [] if case.get("bare") else ["Host: {host}"]
        first = f"GET /crm/things/7 {case.get('version', 'HTTP/1.1')}".rstrip()
        raw = written("\r\n".join([first, *host, *case["lines"]]) + "\r\n\r\n", w)
        refused(await w.tell_raw(raw), case.get("code", "bad_request"))

    door.run(play)


@pytest.mark.parametrize("case", cases("requests/framing"), ids=named)
def test_a_length_that_can_be_read_in_two_ways(door: Stage, case: dict[str, Any]) -> None:
    async def play(w: Wall) -> None:
        first = f"POST /crm/any {case.get('version', 'HTTP/1.1')}"
        lines = [first, "Host: {host}", "Content-Type: application/json", *case["lines"]]
        raw = written("\r\n".join(lines) + "\r\n\r\n" + case["body"], w)
        refused(await w.tell_raw(raw), "bad_request")

    door.run(play)


@pytest.mark.parametrize("case", cases("requests/bodies"), ids=named)
def test_a_body_that_can_be_read_in_two_ways(door: Stage, case: dict[str, Any]) -> None:
    async def play(w: Wall) -> None:
        kind = case.get("kind", "application/json")
        body = written(case["body"], w)
        told = await w.tell("POST", "/crm/any", body, [("Content-Type", kind)])
        refused(told, case.get("code", "bad_request"))

    door.run(play)
