"""Kinds of the author's own, through the real door, in both directions."""

from __future__ import annotations

from pathlib import Path

from tests.wire import answering, perform, reply, wall

DETECTORS = """
[[pattern]]
name = "badge"
kind = "EMPLOYEE_BADGE"
says = "A badge of this company: EB and six figures."
regex = '\\bEB-\\d{6}\\b'
yes = ["badge EB-{digit:6}"]
no = ["EB-12345"]
"""
TOOLS = '  get: {says: Read one., call: "GET /things/{id}", args: {id: {type: string}}}\n'
KEYS = "reply: {redact: [EMPLOYEE_BADGE]}\noutgoing: {refuse: [EMPLOYEE_BADGE]}"


def rules_with_detectors(tmp_path: Path) -> Path:
    folder = tmp_path / "rules" / "detectors"
    folder.mkdir(parents=True)
    (folder / "ours.toml").write_text(DETECTORS)
    return tmp_path


def test_an_answer_holds_none(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(rules_with_detectors(tmp_path), TOOLS, backend_keys=KEYS) as w:
            w.backend.answer = answering(reply(b'{"who": "EB-123456", "mail": "ann@example.com", "no": "EB-12345"}'))
            told = await w.tell("GET", "/crm/things/7")
            assert told.reply.body == b'{"who": "<EMPLOYEE_BADGE>", "mail": "ann@example.com", "no": "EB-12345"}'
            assert told.record["redactions"] == {"EMPLOYEE_BADGE": 1}

    perform(play())


def test_an_argument_tells_none(tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(rules_with_detectors(tmp_path), TOOLS, backend_keys=KEYS) as w:
            told = await w.tell("GET", "/crm/things/EB-123456")
            assert (told.reply.status, told.reply.json["code"]) == (422, "unsafe_argument")
            assert told.reached == []
            assert "EB-123456" not in told.reply.raw.decode()

    perform(play())
