"""README tells the truth: its rules load, its examples pass, and what it shows of curl is what really comes."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from proxy.config import load_config
from rules import examples
from rules.load import load

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHOWN = "http://127.0.0.1:8080"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def shown() -> list[tuple[str, str]]:
    """Each command that README shows, with the output below it."""
    lines = "".join(blocks("console"))
    return re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", lines, re.MULTILINE)


@pytest.fixture(scope="module")
def door() -> Iterator[str]:
    """The address of a running demo."""
    command = [sys.executable, "-m", "proxy.cli", "demo", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as demo:
        try:
            assert demo.stdout is not None
            yield next(found.group(1) for line in demo.stdout if (found := re.search(r"(http://[\d.:]+)/desk", line)))
        finally:
            demo.send_signal(signal.SIGINT)
            demo.communicate(timeout=20)


def plain(text: str) -> str:
    """Without what is new in every call; README gives JSON room to be read, which what comes has not."""
    with suppress(ValueError):
        text = json.dumps(json.loads(text))
    return re.sub(r'"(call_id|approval_id)": "[0-9a-f]+"', r'"\1": "..."', text).strip()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_what_readme_shows_is_what_comes(door: str) -> None:
    assert len(shown()) == 5
    for command, output in shown():
        words = shlex.split(command.replace(SHOWN, door))
        assert words[0] == "curl"
        came = subprocess.run(words, capture_output=True, text=True, timeout=20, check=True).stdout
        assert plain(came) == plain(output)


def test_the_files_that_readme_shows_load_and_pass(tmp_path: Path) -> None:
    backend, policy, config = blocks("yaml")
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "crm.yaml").write_text(backend)
    (tmp_path / "rules" / "policy.yaml").write_text(policy)
    (tmp_path / "toolwall.yaml").write_text(config)
    settings = load_config(tmp_path / "toolwall.yaml")
    outcomes = examples.run(load(settings.rules), datetime.now(UTC))
    assert len(outcomes) == 3
    assert examples.failures(outcomes) == ()
