"""Presidio is run in processes of its own, so that what it loads and where it calls can be watched."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Any step towards the network ends the process, in C's resolver too.
NO_NETWORK = """
import os, socket
def refuse(*_, **__):
    os.write(2, b"went for the network"); os._exit(9)
for name in ("getaddrinfo", "gethostbyname", "create_connection"):
    setattr(socket, name, refuse)
socket.socket.connect = socket.socket.connect_ex = socket.socket.sendto = refuse
"""


def run(code: str, home: Path) -> str:
    """What the code prints, run in a fresh interpreter with an empty home."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=ROOT,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_our_own_kinds_load_nothing_of_presidio(tmp_path: Path) -> None:
    code = """
import sys, pkgutil, importlib, redaction
for module in pkgutil.iter_modules(redaction.__path__):
    importlib.import_module("redaction." + module.name)
from redaction.scanner import Scanner
from redaction.profiles import kinds_of
Scanner(kinds_of("standard")).clean_text("ana@example.com")
print([m for m in ("presidio_analyzer", "spacy", "tldextract", "phonenumbers", "numpy") if m in sys.modules])
"""
    assert run(code, tmp_path) == "[]"


def test_presidios_kinds_are_found_without_a_call_home(tmp_path: Path) -> None:
    code = f"""{NO_NETWORK}
from redaction.scanner import Scanner
scanner = Scanner(frozenset({{"presidio:US_PASSPORT", "presidio:UK_NHS", "presidio:CRYPTO", "EMAIL_ADDRESS"}}))
print(scanner.needs_presidio)
coin = "16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ"
print(scanner.clean_text(f"passport 912803456, NHS 401-023-2137, {{coin}}, ana@example.com").value)
print(scanner.clean_json('{{"passport": "912803456", "order": "912803456", "nhs\\\\u0020no": "401-023-2137"}}').value)
import tldextract
print(tldextract.extract("mail.example.co.uk").fqdn)
"""
    assert run(code, tmp_path).splitlines() == [
        "True",
        "passport <US_PASSPORT>, NHS <UK_NHS>, <CRYPTO>, <EMAIL_ADDRESS>",
        '{"passport": "<US_PASSPORT>", "order": "912803456", "nhs\\u0020no": "<UK_NHS>"}',
        "mail.example.co.uk",
    ]
    assert list(tmp_path.rglob("*suffix*")) == []


def test_the_guard_of_these_tests_sees_a_call_home(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="went for the network"):
        run(f"{NO_NETWORK}\nimport urllib.request\nurllib.request.urlopen('http://127.0.0.1:9/')", tmp_path)


def test_without_presidio_its_kinds_are_refused_and_ours_are_not(tmp_path: Path) -> None:
    code = """
import sys
sys.modules["presidio_analyzer"] = None
from redaction.profiles import UnknownKind, kinds_of
from redaction.scanner import Scanner
print(Scanner(kinds_of(["JWT"])).needs_presidio)
for make in (kinds_of, lambda kinds: Scanner(frozenset(kinds))):
    try:
        make(["presidio:CRYPTO"])
    except UnknownKind as error:
        print(error)
"""
    said = "nothing finds the kind 'presidio:CRYPTO'; Presidio, which may find it, is not installed"
    assert run(code, tmp_path).splitlines() == ["False", said, said]


BOUNDED = """
from redaction import presidio
from redaction.scanner import Scanner, Unreadable
scanner = Scanner(frozenset({"presidio:URL"}))
for text in ("a" * (presidio.MOST_CHARACTERS + 1), "http://" + "a." * 9_000):
    try:
        print(scanner.find(text))
    except Unreadable as error:
        print(error)
print(len(scanner.find("http://example.com/a")))
"""
ENTITIES = """
from redaction.presidio import recognizers
found = recognizers()
print(all(kind in made.supported_entities for kind, all_made in found.items() for made in all_made))
print(sorted({"CRYPTO", "UK_NHS", "US_PASSPORT", "MEDICAL_LICENSE", "DE_TAX_ID", "PERSON"} - set(found)))
"""
WORDS = """
from redaction.presidio import Recognizers
find = Recognizers(frozenset({"US_PASSPORT"})).find
for text, key in (
    ("passport 912803456", ""),
    ("His PASSPORT, we were told: 912803456", ""),
    ("passport one two three four five six 912803456", ""),
    ("912803456 is the passport", ""),
    ("passports 912803456", ""),
    ("912803456", "passport"),
    ("912803456", ""),
):
    print([(each.kind, each.score, text[each.start:each.end]) for each in find(text, key)])
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """What these three say, in one process: each would load Presidio."""
    code = "\nprint('and')\n".join((BOUNDED, ENTITIES, WORDS))
    return [part.split("\n") for part in run(code, tmp_path_factory.mktemp("home")).split("\nand\n")]


def test_what_presidio_cannot_check_in_time_or_size_is_refused(said: list[list[str]]) -> None:
    assert said[0] == [
        "Presidio is not given texts of more than 20000 characters",
        "an expression of Presidio ran for more than 1.0 s",
        "1",
    ]


def test_each_entity_of_presidio_has_a_recognizer_that_says_so(said: list[list[str]]) -> None:
    assert said[1] == ["True", "['PERSON']"]


def test_words_around_raise_a_score_as_in_presidio(said: list[list[str]]) -> None:
    """A pattern of 0.05 gets 0.4 by a word among the five before it, in any case, or by the name of its value."""
    found = "[('US_PASSPORT', 0.4, '912803456')]"
    assert said[2] == [found, found, "[]", "[]", "[]", found, "[]"]
