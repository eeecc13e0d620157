"""The demo as its user sees it: real processes, real ports, and nothing left behind however it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from proxy import demo, story

ROOT = Path(__file__).parents[2]
DEMO = [sys.executable, "-m", "proxy.cli", "demo"]
SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)",
]


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as server:
        server.bind((story.HOST, 0))
        server.listen()
        yield server.getsockname()[1]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# The pieces


def test_its_files_are_those_of_the_checkout() -> None:
    assert demo.folder() == ROOT / "deploy" / "demo"
    assert (demo.folder() / "desk.py").is_file()


def test_prepares_a_copy_with_the_ports_filled_in(tmp_path: Path) -> None:
    config = demo.prepare(tmp_path, door=1001, admin=1002, desk=1003)
    read = yaml.safe_load(config.read_text())
    assert [listener["bind"] for listener in read["listeners"]] == ["127.0.0.1:1001"]
    assert read["admin"]["bind"] == "127.0.0.1:1002"
    assert yaml.safe_load((tmp_path / "rules" / "desk.yaml").read_text())["url"] == "http://127.0.0.1:1003"
    assert {file.name for file in (tmp_path / "rules").iterdir()} == {"desk.yaml", "policy.yaml"}


def test_refuses_to_fill_in_files_that_were_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = tmp_path / "changed"
    (changed / "rules").mkdir(parents=True)
    (changed / "rules" / "desk.yaml").write_text("backend: desk\n")
    (changed / "toolwall.yaml").write_text((demo.folder() / "toolwall.yaml").read_text())
    monkeypatch.setattr(demo, "folder", lambda: changed)
    (tmp_path / "work").mkdir()
    with pytest.raises(story.DemoError, match=r"desk\.yaml must hold 'url: http"):
        demo.prepare(tmp_path / "work", 1001, 1002, 1003)


def test_takes_the_port_that_was_named() -> None:
    port = demo.free_port()
    assert demo.pick_port(port) == port


def test_refuses_a_named_port_that_is_taken(taken: int) -> None:
    with pytest.raises(story.DemoError, match=f"port {taken} is in use; name another"):
        demo.pick_port(taken)


def test_goes_to_another_port_where_the_usual_one_is_taken(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "PORT", taken)
    assert demo.pick_port(None) not in (0, taken)


def test_takes_the_usual_port_or_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "PORT", demo.free_port())
    assert demo.pick_port(None) == demo.PORT
    assert demo.pick_port(0) not in (0, demo.PORT)


def test_tells_the_last_words_of_a_process_that_ended(tmp_path: Path) -> None:
    talk = [sys.executable, "-c", "for n in range(99): print('line', n)\nraise SystemExit(7)"]
    with (
        demo.running("sidecar", talk, tmp_path) as process,
        pytest.raises(story.DemoError, match=r"(?s)the sidecar ended with exit code 7.*line 98") as told,
    ):
        demo.wait_for(process, lambda: None)
    assert "line 50" not in str(told.value)


def test_does_not_wait_for_ever(tmp_path: Path) -> None:
    with (
        demo.running("desk", SLEEP, tmp_path) as process,
        pytest.raises(story.DemoError, match=r"the desk was not ready after 0\.3 s"),
    ):
        demo.wait_for(process, lambda: None, within_s=0.3)


@pytest.mark.parametrize("command", [SLEEP, STUBBORN])
def test_no_process_outlives_its_block(command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "STOP_S", 0.3)
    with pytest.raises(KeyboardInterrupt), demo.running("desk", command, tmp_path) as process:  # noqa: PT012
        demo.wait_for(process, lambda: "up" in process.log.read_text() or None)
        raise KeyboardInterrupt
    assert not alive(process.popen.pid)


# The whole


def run(*words: str, temp: Path) -> subprocess.Popen[str]:
    env = os.environ | {"TMPDIR": str(temp), "COLUMNS": "120"}
    return subprocess.Popen(
        [*DEMO, *words], cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def processes_in(temp: Path) -> dict[int, str]:
    """Number and command line of the processes that work in this temporary folder."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found[int(file.parent.name)] = file.read_text(errors="replace").replace("\0", " ")
    return {number: line for number, line in found.items() if str(temp) in line}


def read_until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout
    said = ""
    while text not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    return said


def test_the_story_comes_out_as_told_and_leaves_nothing(tmp_path: Path) -> None:
    process = run("--once", "--port", "0", temp=tmp_path)
    said, _ = process.communicate(timeout=90)
    assert process.returncode == 0, said
    assert f"{len(story.STORY)} of {len(story.STORY)} steps came out as told" in said
    assert "✗" not in said
    assert list(tmp_path.iterdir()) == []
    assert processes_in(tmp_path) == {}


@pytest.mark.parametrize(
    "number", [signal.SIGINT, *(pytest.param(each, marks=pytest.mark.full) for each in (signal.SIGTERM, signal.SIGHUP))]
)
def test_serves_after_the_story_until_it_is_told_to_end(number: signal.Signals, tmp_path: Path) -> None:
    process = run("--port", "0", temp=tmp_path)
    said = read_until(process, "Ctrl-C ends the demo")
    url = re.search(r"http://127\.0\.0\.1:(\d+)/desk/customers/7", said)
    assert url
    assert "<EMAIL_ADDRESS>" in story.send(int(url[1]), "GET", "/desk/customers/7").text
    process.send_signal(number)
    rest, _ = process.communicate(timeout=30)
    assert process.returncode == 0, said + rest
    assert "Traceback" not in rest
    assert list(tmp_path.iterdir()) == []
    assert processes_in(tmp_path) == {}


def test_ends_when_a_process_of_it_dies(tmp_path: Path) -> None:
    process = run("--port", "0", temp=tmp_path)
    read_until(process, "Ctrl-C ends the demo")
    (desk,) = (number for number, line in processes_in(tmp_path).items() if "desk.py" in line)
    os.kill(desk, signal.SIGKILL)
    rest, _ = process.communicate(timeout=30)
    assert process.returncode == 3
    assert "the desk ended with exit code -9" in rest
    assert processes_in(tmp_path) == {}


def test_says_when_its_port_is_taken(taken: int, tmp_path: Path) -> None:
    process = run("--once", "--port", str(taken), temp=tmp_path)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 3
    assert f"port {taken} is in use" in " ".join(said.split())


@pytest.mark.parametrize("number", demo.BREAKING_OFF)
def test_what_breaks_us_off_waits_until_a_process_is_known(number: signal.Signals) -> None:
    done, before = [], [signal.getsignal(each) for each in demo.BREAKING_OFF]
    with pytest.raises(KeyboardInterrupt), demo._uninterrupted():  # noqa: PT012
        os.kill(os.getpid(), number)
        time.sleep(0.01)
        done.append(number)
    assert done == [number]
    assert [signal.getsignal(each) for each in demo.BREAKING_OFF] == before


def test_can_be_broken_off_while_it_starts(tmp_path: Path) -> None:
    process = run("--once", "--port", "0", temp=tmp_path)
    while not processes_in(tmp_path):  # it reads of every process of the machine
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 1
    assert list(tmp_path.iterdir()) == []
    assert processes_in(tmp_path) == {}
