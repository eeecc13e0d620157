"""Other people's JSON through the door: what must be rejected is, what must be accepted arrives byte for byte."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from tests.corpora.shared import corpus
from tests.wire import Stage, Wall, perform, wall

TOOLS = """
  any: {says: Write anything., call: POST /any, args: {body: {}}, effect: write}
"""
# Valid by the letter of the grammar; refused here since parsers read them differently.
AMBIGUOUS = {"y_object_duplicated_key", "y_object_duplicated_key_and_value"}


def text_of(case: dict[str, Any]) -> bytes:
    if "repeat" in case:
        unit, count = case["repeat"]
        return str(unit).encode() * int(count)
    return base64.b64decode(case["b64"]) if "b64" in case else str(case["text"]).encode()


def test_json_as_the_grammar_has_it(tmp_path: Path) -> None:
    records = [case for case in corpus("json/parsing/cases") if text_of(case)]
    wrong: list[str] = []

    async def play() -> None:
        async with wall(tmp_path, TOOLS) as w:
            for case in records:
                body = text_of(case)
                told = await w.tell("POST", "/crm/any", body)
                arrived = [request.partition(b"\r\n\r\n")[2] for request in told.reached]
                accepted = told.reply.status == 200 and arrived == [body]
                refused = 400 <= told.reply.status < 500 and arrived == []
                must = {"accept": case["id"] not in AMBIGUOUS, "reject": False}.get(case["expect"], accepted)
                if not (accepted if must else refused):
                    wrong.append(case["id"])

    perform(play())
    assert wrong == []


def test_numbers_beyond_a_double_are_no_ones_guess(door: Stage) -> None:
    async def play(w: Wall) -> None:
        for body, status in ((b"[1e308]", 200), (b"[1e309]", 400), (b"[-1e309]", 400), (b"[1e-400]", 200)):
            assert (await w.tell("POST", "/crm/any", body)).reply.status == status

    door.run(play)
