"""Models of transformers and GLiNER: where they may lie, and that one finds names at any place of a long text.

PyTorch is five gigabytes, so the long form makes an environment of its own for it; TOOLWALL_NER names a Python that has
torch, transformers and gliner already.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from proxy.presidio.ner import located

ROOT = Path(__file__).parents[3]
PLAY = """
import json, sys
from pathlib import Path
from proxy.presidio.apart import Presidio
from proxy.presidio.settings import PresidioSettings
from redaction.scanner import Scanner, Unreadable
presidio = Presidio(PresidioSettings(registry=sys.argv[1], text_s=60, memory=8 << 30))
scanner = Scanner(frozenset({"presidio:PERSON"}), foreign=presidio.detector)
said = {"kinds": sorted(presidio.kinds()), "cleaned": []}
for text in json.load(sys.stdin):
    try:
        said["cleaned"].append(scanner.clean_text(text).value)
    except Unreadable as why:
        said["cleaned"].append(f"unreadable: {why}")
presidio.close()
print(json.dumps(said))
"""
PROSE = "please call in today the order was sent to "


def test_a_model_is_a_folder_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "bert").mkdir()
    block: dict[str, Any] = {"name": "Mine", "class_name": "HuggingFaceNerRecognizer", "model_name": "bert"}
    assert list(located(block, tmp_path)) == []
    assert block["model_name"] == str(tmp_path / "bert")
    for name in ("HuggingFaceNerRecognizer", "MedicalNERRecognizer", "GLiNERRecognizer"):
        assert [key for key, _ in located({"name": name}, tmp_path)] == ["name"]
        assert [key for key, _ in located({"name": name, "model_name": "a/b"}, tmp_path)] == ["model_name"]
    assert list(located({"name": "UrlRecognizer", "model_name": "a/b"}, tmp_path)) == []


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python with PyTorch, that sees this one's packages too."""
    if found := os.environ.get("TOOLWALL_NER"):
        return found
    venv = tmp_path_factory.mktemp("ner") / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    subprocess.run([venv / "bin" / "pip", "install", "--quiet", "torch", "transformers", "gliner"], check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    ours = Path(sysconfig.get_paths()["purelib"])
    (venv / "lib" / version / "site-packages" / "ours.pth").write_text(f"{ours}\n")
    return str(venv / "bin" / "python")


@pytest.fixture(scope="module")
def models(python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    run(python, "tests/proxy/ner_models.py", str(folder))
    return folder


def run(python: str, *words: str, given: str = "") -> str:
    done = subprocess.run(
        [python, "-W", "ignore", *words],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def cleaned(python: str, folder: Path, registry: str, texts: list[str]) -> list[str]:
    (folder / "registry.yaml").write_text(registry)
    said = json.loads(run(python, "-c", PLAY, str(folder / "registry.yaml"), given=json.dumps(texts)).splitlines()[-1])
    assert said["kinds"] == ["PERSON", "presidio:PERSON"]
    found: list[str] = said["cleaned"]
    return found


@pytest.mark.full
def test_a_model_of_transformers_finds_names_at_any_place_of_a_long_text(python: str, models: Path) -> None:
    registry = """
recognizers:
  - {name: HuggingFaceNerRecognizer, model_name: bert, label_mapping: {PER: PERSON}, threshold: 0.5,
     chunk_size: 120, chunk_overlap: 40}
"""
    places = range(0, 360, 9)
    texts = [(PROSE * 10)[:at].rpartition(" ")[0] + " carla weiss " + PROSE * 4 for at in places]
    hard = ["the build took nine minutes", "e" * 5_000, "e.e-" * 1_000]
    *named, plain, long, dense = cleaned(python, models, registry, [*texts, *hard])
    assert [text for text in named if "carla" in text or "weiss" in text or "<PERSON>" not in text] == []
    assert plain == hard[0]
    assert "carla" not in long
    assert dense.startswith("e.e-")  # whatever it takes for a name there, it is read piece by piece
    # more tokens than the model reads: Presidio would cut them off
    whole = registry.replace("chunk_size: 120, chunk_overlap: 40", "chunk_size: 400, chunk_overlap: 40")
    refused = "unreadable: a piece of the text has more tokens than the model reads"
    assert cleaned(python, models, whole, ["e-" * 200]) == [refused]


@pytest.mark.full
def test_a_model_of_gliner_reads_a_text_whole_or_not_at_all(python: str, models: Path) -> None:
    registry = """
recognizers:
  - {name: GLiNERRecognizer, model_name: gliner, entity_mapping: {person: PERSON}, threshold: 0.0, map_location: cpu}
"""
    few, long, dense = cleaned(python, models, registry, ["please call ana novak", PROSE * 20, "a.b." * 60])
    assert few.count("<PERSON>") >= 1
    assert re.sub("<PERSON>| ", "", few + long) == ""  # this one takes every word for a name, to the last
    # more words than it reads: it would leave out the rest
    assert dense == "unreadable: a piece of the text has more words than the model reads"
