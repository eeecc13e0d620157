"""Names in running text, by a model that is trained here; in the worker, and on the wire."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.app import CannotRun
from proxy.presidio.apart import Presidio
from proxy.presidio.settings import PresidioSettings
from redaction.engine import ScanError
from redaction.presidio_names import KINDS
from redaction.profiles import UnknownKind, kinds_of
from redaction.scanner import Scanner, Unreadable
from tests.wire import answering, perform, reply, wall

ROOT = Path(__file__).parents[2]
NAMED = frozenset(f"presidio:{kind}" for kind in KINDS)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "names"
    subprocess.run([sys.executable, "-W", "ignore", "tests/redaction/model.py", str(folder)], cwd=ROOT, check=True)
    return folder


@pytest.fixture(scope="module")
def presidio(model: Path) -> Iterator[Presidio]:
    made = Presidio(PresidioSettings(model=str(model), text_s=20))
    yield made
    made.close()


@pytest.mark.full
def test_the_model_is_small(model: Path) -> None:
    assert sum(file.stat().st_size for file in model.rglob("*") if file.is_file()) < 1 << 20


def test_names_are_found_beside_what_has_a_form(presidio: Presidio) -> None:
    kinds = frozenset({"presidio:PERSON", "presidio:LOCATION", "presidio:US_PASSPORT", "EMAIL_ADDRESS"})
    scanner = Scanner(kinds, foreign=presidio.detector)
    text = "Please call Jana Silva in Oslo today, passport 912803456, mail ann@example.com."
    assert scanner.clean_text(text).value == (
        "Please call <PERSON> in <LOCATION> today, passport <US_PASSPORT>, mail <EMAIL_ADDRESS>."
    )
    assert scanner.clean_text("The build took nine minutes and the tests passed.").counts == {}


def test_only_what_is_named_is_taken_out(presidio: Presidio) -> None:
    scanner = Scanner(frozenset({"presidio:LOCATION"}), foreign=presidio.detector)
    assert scanner.clean_text("Jana Silva lives in Oslo.").value == "Jana Silva lives in <LOCATION>."


def test_context_words_still_count_beside_a_model(presidio: Presidio) -> None:
    find = presidio.detector(frozenset({"presidio:US_PASSPORT", "presidio:PERSON"})).find
    assert [found.kind for found in find("his PASSPORT is 912803456")] == ["US_PASSPORT"]
    assert find("the order is 912803456") == []


def test_without_a_model_nothing_says_that_it_found_no_name() -> None:
    assert kinds_of(sorted(NAMED)) == NAMED
    with pytest.raises(UnknownKind, match="model"):
        Presidio().detector(NAMED)
    with pytest.raises(Unreadable, match="no model"):
        Scanner(NAMED).find("Jana Silva")


def test_a_folder_that_holds_no_model_refuses_every_text(tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_text("{}")
    broken = Presidio(PresidioSettings(model=str(tmp_path)))
    with pytest.raises(ScanError, match=r"^Presidio cannot be loaded$"):  # the log says more
        broken.detector(NAMED).find("Jana Silva")
    broken.close()


@pytest.mark.full
def test_20000_texts_no_two_alike_grow_its_process_by_less_than_a_tenth(model: Path) -> None:
    apart = Presidio(PresidioSettings(model=str(model), text_s=20, scans=1_000_000))
    find = apart.detector(frozenset({"presidio:PERSON", "presidio:US_PASSPORT"})).find
    sizes = []
    for first, count in ((0, 4_000), (4_000, 20_000)):
        for number in range(first, first + count):
            words = hashlib.sha256(str(number).encode()).hexdigest()
            find(f"Jana {words[:9]} wrote {words[9:18]} to {words[18:27]}@{words[27:36]}.example, passport {number:09}")
        process = apart._workers[0]._process
        assert process is not None
        pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
        sizes.append(pages * 4)
    apart.close()
    print(sizes)
    assert sizes[1] < 1.1 * sizes[0]


TOOLS = "  get: {says: Read., call: GET /x, reply: {redact: ['presidio:PERSON']}}"


def test_on_the_wire(model: Path, tmp_path: Path) -> None:
    async def play() -> None:
        async with wall(tmp_path, TOOLS, config=f"presidio: {{model: {model}, time: 20s}}\n") as w:
            w.backend.answer = answering(reply(b'{"id": 7, "note": "Jana Silva lives in Oslo."}'))
            told = await w.tell("GET", "/crm/x")
            assert told.reply.body == b'{"id": 7, "note": "<PERSON> lives in Oslo."}'
            assert told.record["redactions"] == {"PERSON": 1}

    perform(play())


def test_on_the_wire_without_a_model_it_does_not_start(tmp_path: Path) -> None:
    async def play() -> None:
        with pytest.raises(CannotRun, match="PERSON"):
            async with wall(tmp_path, TOOLS):
                pass

    perform(play())


def test_on_the_wire_a_folder_that_is_no_model_ends_the_start(tmp_path: Path) -> None:
    async def play() -> None:
        with pytest.raises(CannotRun, match=r"meta\.json"):
            async with wall(tmp_path, TOOLS, config="presidio: {model: nowhere}\n"):
                pass

    perform(play())


@pytest.mark.full
def test_on_the_wire_a_model_that_cannot_be_loaded_ends_the_start(tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_text("{}")

    async def play() -> None:
        with pytest.raises(CannotRun, match="Presidio cannot be loaded"):
            async with wall(tmp_path, TOOLS, config="presidio: {model: .}\n"):
                pass

    perform(play())
