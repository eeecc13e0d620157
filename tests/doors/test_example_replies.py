"""What `toolwall test` says of an answer is what the sidecar does with it: the same answers through both."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from rules.load import load
from rules.returned import Reply, returned
from tests.wire import Stage, Wall, answering, reply, staged

REPLIES = "replies: {200: {application/json: {type: [object, array]}, text/plain: {maxLength: 60}}, 204: {}}"
TOOLS = f"""
  plain: {{call: GET /plain}}
  mails: {{call: GET /mails, reply: {{redact: [EMAIL_ADDRESS]}}}}
  bare: {{call: GET /bare, reply: {{redact: off}}}}
  passing: {{call: GET /passing, reply: {{on_error: pass}}}}
  small: {{call: GET /small, reply: {{most_bytes: 40}}}}
  strict: {{call: GET /strict, {REPLIES}}}
  lenient: {{call: GET /lenient, {REPLIES}, reply: {{contract: report}}}}
"""
MAIL, CARD = "ann@mail.example", "4111111111111111"
ANSWERS = [
    Reply(200, "application/json", b'{"a": [1, true, null], "b": "x"}'),
    Reply(200, "application/json", f'{{"mail": "{MAIL}"}}'.encode()),
    Reply(200, "application/json", f'{{"card": {CARD}, "{MAIL}": ["{MAIL}"]}}'.encode()),
    Reply(200, "application/json", f'"{MAIL}"'.encode()),
    Reply(200, "application/json", b"{not json"),
    Reply(200, "application/json", b"\xff"),
    Reply(200, "application/problem+json", f'{{"a": "{CARD}"}}'.encode()),
    Reply(200, "text/plain", f"mail {MAIL}, card {CARD}".encode()),
    Reply(200, "text/plain", b"nothing to see" * 10),
    Reply(200, "text/event-stream", f"data: {MAIL}\n\n".encode()),
    Reply(200, "application/pdf", b"%PDF"),
    Reply(200, "", b"{}"),
    Reply(200, "", b""),
    Reply(204),
    Reply(404, "application/json", f'{{"a": "{MAIL}"}}'.encode()),
    Reply(500, "text/plain", CARD.encode()),
]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("examples"), TOOLS) as stage:
        yield stage


def wire(answer: Reply) -> bytes:
    if answer.status == 204:
        return b"HTTP/1.1 204 No\r\n\r\n"
    return reply(answer.body, status=f"{answer.status} So", kind=answer.media_type)


@pytest.mark.parametrize("tool", ["plain", "mails", "bare", "passing", "small", "strict", "lenient"])
def test_examples_and_the_sidecar_agree(house: Stage, tool: str) -> None:
    async def play(w: Wall) -> None:
        rules = load(w.folder / "rules")
        for answer in ANSWERS:
            w.backend.answer = answering(wire(answer))
            end = await w.tell("GET", f"/crm/{tool}")
            told = returned(rules.catalog.tools[f"crm.{tool}"], answer)
            assert bool(told.refused) == (end.reply.headers.get("toolwall-refused") == "reply_refused"), answer
            if not told.refused:
                kinds = {kind for each in told.redacted.values() for kind in each}
                assert kinds == set(end.record.get("redactions", {})), answer
                assert any("passed unchecked" in note for note in told.notes) == (
                    "clean" in end.record.get("passed_unchecked", ()) and tool == "passing"
                ), answer
                assert any("off its contract" in note for note in told.notes) == bool(end.record.get("deviations"))

    house.run(play)


def test_the_answers_are_of_many_kinds(tmp_path: Path) -> None:
    """So that the two do not agree because nothing ever happens."""
    with staged(tmp_path, TOOLS) as stage:
        tools = load(stage.wall.folder / "rules").catalog.tools.values()
    ends = [returned(tool, answer) for tool, answer in product(tools, ANSWERS)]
    assert sum(bool(end.refused) for end in ends) > 20
    assert sum(bool(end.redacted) for end in ends) > 20
    assert sum(bool(end.notes) for end in ends) > 5
