"""constraints.txt and deploy/slim.txt: everything is pinned, and slim is Toolwall without Presidio's language stack."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.deploy.examples import COMPOSE, lay, on_loopback
from tests.deploy.machine import ROOT, checkout, crm, get, process, rss_mb, run, size_mb, until
from tests.deploy.pins import CONSTRAINTS, SLIM, project, slim_requirements

LANGUAGE = {"presidio-analyzer", "presidio-anonymizer", "spacy", "thinc", "numpy", "blis", "tldextract", "phonenumbers"}
MOST_MB = 200  # of the environment; the image strips 60 MB of debug symbols from it
MOST_RSS_MB = 120
MOST_START_S = 2.0
AGAIN = "run `.venv/bin/python -m tests.deploy.pins`"


@cache
def pins(file: Path) -> dict[str, Requirement]:
    """The pinned packages of a file, by their canonical names."""
    text = re.sub(r"\\\n\s*", " ", file.read_text())
    lines = (re.sub(r"\s--hash.*", "", line) for line in text.splitlines() if line and not line.startswith("#"))
    found = [Requirement(line) for line in lines]
    return {canonicalize_name(each.name): each for each in found}


def version(pin: Requirement) -> str:
    (specifier,) = pin.specifier
    assert specifier.operator == "=="
    return specifier.version


def needed(requirements: list[str]) -> dict[str, list[Requirement]]:
    """What the requirements lead to, by canonical name, as far as this environment's packages tell."""
    found: dict[str, list[Requirement]] = {}
    todo = [Requirement(each) for each in requirements]
    while todo:
        wanted = todo.pop()
        name = canonicalize_name(wanted.name)
        seen = found.setdefault(name, [])
        if str(wanted) not in map(str, seen):
            seen.append(wanted)
            todo += list(_requires(wanted))
    return found


def _requires(wanted: Requirement) -> Iterator[Requirement]:
    try:
        lines = requires(wanted.name) or []
    except PackageNotFoundError:  # the build backend, which pip installs elsewhere
        return
    for each in map(Requirement, lines):
        extras = ("", *wanted.extras)
        if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in extras):
            yield each


def check_pinned(requirements: list[str], file: Path) -> None:
    known = pins(file)
    for name, wanted in needed(requirements).items():
        assert name in known, f"{file.name} does not pin {name}: {AGAIN}"
        for each in wanted:
            assert each.specifier.contains(version(known[name]), prereleases=True), f"{each}: {AGAIN}"


def test_everything_that_make_installs_is_pinned() -> None:
    check_pinned([line for lines in project().values() for line in lines], CONSTRAINTS)


def test_everything_that_slim_needs_is_pinned_to_the_same_versions() -> None:
    check_pinned(slim_requirements(), SLIM)
    assert {name: version(pin) for name, pin in pins(SLIM).items()}.items() <= {
        name: version(pin) for name, pin in pins(CONSTRAINTS).items()
    }.items()


def test_slim_has_no_language_stack() -> None:
    assert not LANGUAGE & pins(SLIM).keys()
    assert pins(CONSTRAINTS).keys() >= LANGUAGE


def test_slim_signs_nothing() -> None:
    signing = {"botocore", "jmespath", "python-dateutil", "six"}
    assert not signing & pins(SLIM).keys()
    assert pins(CONSTRAINTS).keys() >= signing


def test_slim_is_locked_by_hash() -> None:
    blocks = re.split(r"\n(?=[a-z])", SLIM.read_text())[1:]
    assert len(blocks) == len(pins(SLIM))
    assert all("--hash=sha256:" in block for block in blocks)


def test_files_that_do_not_fit_are_noticed(tmp_path: Path) -> None:
    old, less = tmp_path / "old.txt", tmp_path / "less.txt"
    old.write_text("aiohttp==3.0.0\n")
    less.write_text("yarl==1.0\n")
    with pytest.raises(AssertionError, match=r"aiohttp.*tests\.deploy\.pins"):
        check_pinned(["aiohttp>=3.14.3,<4"], old)
    with pytest.raises(AssertionError, match="does not pin aiohttp"):
        check_pinned(["aiohttp>=3.14.3,<4"], less)


@pytest.fixture(scope="module")
def slim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Toolwall as deploy/slim.txt says, in an environment of its own."""
    venv = tmp_path_factory.mktemp("slim") / "venv"
    run(sys.executable, "-m", "venv", venv)
    pip = (venv / "bin" / "pip", "install", "--no-deps")
    run(*pip, "-r", SLIM)
    pinned = os.environ | {"PIP_CONSTRAINT": str(CONSTRAINTS), "PIP_BUILD_CONSTRAINT": str(CONSTRAINTS)}
    run(*pip, checkout(tmp_path_factory.mktemp("source")), env=pinned)
    return venv


def toolwall(venv: Path, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return run(venv / "bin" / "toolwall", *words, check=False, input=text, cwd=venv)


@pytest.mark.alone
@pytest.mark.full
def test_slim_cleans_all_that_the_profiles_name(slim: Path) -> None:
    done = toolwall(slim, "redact", text=json.dumps({"to": "ada@example.com"}))
    assert (done.returncode, done.stdout) == (0, '{"to": "<EMAIL_ADDRESS>"}')


@pytest.mark.alone
@pytest.mark.full
def test_slim_refuses_a_rule_that_needs_presidio(slim: Path, tmp_path: Path) -> None:
    change = {
        "redact: standard": "redact: [EMAIL_ADDRESS, 'presidio:UK_NHS']",
        "state: /var/lib/toolwall": f"state: {tmp_path}/s",
    }
    lay(COMPOSE / "toolwall.yaml", COMPOSE / "rules", tmp_path, change)
    done = toolwall(slim, "run", "-c", str(tmp_path / "toolwall.yaml"))
    assert done.returncode == 3
    assert re.search(
        r"crm\.yaml:\d+:\d+: .*'presidio:UK_NHS'.*Presidio, which may find it, is not installed", done.stderr
    )
    assert not (tmp_path / "s").exists()
    full = run(sys.executable, "-m", "proxy.cli", "redact", "--profile", "presidio:UK_NHS", input="x", cwd=ROOT)
    assert full.stdout == "x"  # where Presidio is installed, the same name is known


@pytest.mark.alone
@pytest.mark.full
def test_slim_refuses_a_rule_that_signs(slim: Path, tmp_path: Path) -> None:
    keys = {name: tmp_path / name for name in ("access_key", "secret_key")}
    for name, file in keys.items():
        file.write_text(f"kestrel-9Xw4pQ7t-{name}")
    files = ", ".join(f"{name}: {file}" for name, file in keys.items())
    signs = f"credential: {{file: {{{files}}}, send: {{sigv4: {{region: eu-central-1, service: s3}}}}}}"
    lay(COMPOSE / "toolwall.yaml", COMPOSE / "rules", tmp_path, {"state: /var/lib/toolwall": f"state: {tmp_path}/s"})
    file = tmp_path / "rules" / "crm.yaml"
    file.write_text(f"{signs}\n{file.read_text()}")
    done = toolwall(slim, "run", "-c", str(tmp_path / "toolwall.yaml"))
    assert done.returncode == 3
    assert "crm.yaml:1:1: credential: sigv4 needs the package botocore" in done.stderr
    assert "pip install 'toolwall[aws]'" in done.stderr
    assert "kestrel" not in done.stderr


@pytest.mark.alone
@pytest.mark.full
def test_slim_is_light(slim: Path, tmp_path: Path) -> None:
    run(slim / "bin" / "pip", "uninstall", "--yes", "pip", "setuptools")
    size = size_mb(slim)
    with crm() as backend:
        port, _, key = on_loopback(tmp_path, backend)
        took = 60.0
        for _ in range(5):  # the best one counts: other work on this machine is no fault of ours
            with process(slim / "bin" / "toolwall", "run", "-c", tmp_path / "toolwall.yaml") as sidecar:
                took = min(took, until(lambda: get(port, "/crm/customers/7", Toolwall_Key=key), sidecar))
                reply, resident = get(port, "/crm/customers/7", Toolwall_Key=key), rss_mb(sidecar.pid)
            if took < MOST_START_S:
                break
    print(f"slim: {size:.0f} MB installed, {resident:.0f} MB resident, first answer after {took:.2f} s")
    assert reply == (200, '{"id":7,"email":"<EMAIL_ADDRESS>"}')
    assert size < MOST_MB
    assert resident < MOST_RSS_MB
    assert took < MOST_START_S
