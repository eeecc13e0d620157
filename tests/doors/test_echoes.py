"""What was put back into a call must not be read in its answer, however the call and the answer are written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from proxy.app import CannotRun
from tests.doors.test_pseudonyms import KEYS, RUN, body_of, house, seen, sent
from tests.wire import perform

NAME = "Ana Níguez"


def test_a_value_that_was_sent_within_a_word_does_not_come_back_within_it(tmp_path: Path) -> None:
    async def play() -> None:
        async with house(tmp_path) as (w, desk):
            await seen(w, desk, {"first_name": "Ana", "last_name": "Lopez", "cvv": 123})
            for said, reached in (
                ("x<PERSON_1>x", "xAnax"),
                ("<PERSON_1><PERSON_2>", "AnaLopez"),
                ("<PERSON_1>さん", "Anaさん"),
                ("1<CVV_1>2", "11232"),
                ("<b><PERSON_1></b>s", "<b>Ana</b>s"),
            ):
                told = await sent(w, "/crm/echo", {"text": said})
                assert json.loads(body_of(told.reached[0])) == {"text": reached}
                assert told.reply.json == {"text": said}
            desk.says = b'{"fruit": "Banana, Anakin"}'
            told = await w.tell("GET", "/crm/find?q=%3CPERSON_1%3E", headers=[RUN])
            assert told.reply.body == desk.says

    perform(play())


@pytest.mark.parametrize(
    "write",
    [quote, quote_plus, lambda name: quote(name).replace("%C3%AD", "%c3%ad"), lambda name: json.dumps(name)[1:-1]],
    ids=["percent", "plus", "small", "json"],
)
def test_an_echo_is_seen_in_each_of_its_spellings(tmp_path: Path, write: Callable[[str], str]) -> None:
    async def play() -> None:
        async with house(tmp_path) as (w, desk):
            assert await seen(w, desk, {"full_name": NAME}) == {"full_name": "<PERSON_1>"}
            desk.says, desk.kind = f"see {write(NAME)}.".encode(), "text/plain"
            desk.headers = (f"Location: /api/find?q={write(NAME)}",) if "%" in write(NAME) else ()
            told = await w.tell("GET", "/crm/find?q=%3CPERSON_1%3E", headers=[RUN])
            assert b"q=Ana" in told.reached[0]
            assert b"PERSON_1" in told.reply.body
            assert b"guez" not in told.reply.raw

    perform(play())


@pytest.mark.parametrize("key", ["on_error: pass", "binary: pass"])
def test_a_backend_that_gets_values_has_no_answers_that_pass_unseen(tmp_path: Path, key: str) -> None:
    async def play() -> None:
        with pytest.raises(CannotRun, match=rf"crm\.yaml:\d+:\d+: tools\.read\.call: .*`{key}`"):
            async with house(tmp_path, KEYS.replace("{operators", f"{{{key}, operators")):
                pass

    perform(play())
