"""What the operator adds to Presidio: a registry in its own form, classes, and what is wrong with them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.app import CannotRun
from proxy.presidio.apart import Presidio
from proxy.presidio.settings import PresidioSettings
from redaction.scanner import Scanner, Unreadable
from tests.wire import answering, perform, reply, wall

ROOT = Path(__file__).parents[3]
REGISTRY = r"""
supported_languages: [en, de]
recognizers:
  - CreditCardRecognizer
  - name: ZipRecognizer
    supported_languages:
      - {language: en, context: [zip]}
      - {language: de, context: [plz]}
    patterns: [{name: zip, regex: '\b\d{5}\b', score: 0.05}]
    supported_entity: TOWN_CODE
  - {name: Titles, supported_language: de, deny_list: [Frau Doktor, Herr], supported_entity: TITLE}
  - {name: Weak, supported_entity: WEAK, supported_language: en, score_thresholds: {default: 0.1},
     patterns: [{name: weak, regex: 'W-\d+', score: 0.1}]}
  - {name: UrlRecognizer, enabled: false}
"""
CLASSES = """
from presidio_analyzer import EntityRecognizer, LocalRecognizer, Pattern, PatternRecognizer, RecognizerResult
from presidio_analyzer.predefined_recognizers import AzureAILanguageRecognizer, SpacyRecognizer

class Badge(PatternRecognizer):
    def __init__(self):
        super().__init__(supported_entity="BADGE", patterns=[Pattern("badge", r"\\bEB-\\d{6}\\b", 0.6)])
    def validate_result(self, text):
        return int(text[-6:]) % 7 == 0

class Ship(LocalRecognizer):
    def __init__(self):
        super().__init__(supported_entities=["SHIP"])
    def load(self): pass
    def analyze(self, text, entities, nlp_artifacts=None):
        at = text.find("Vasa")
        return [RecognizerResult("SHIP", at, at + 4, 0.9)] if at >= 0 else []

class Beyond(Ship):
    def __init__(self):
        LocalRecognizer.__init__(self, supported_entities=["BEYOND"])
    def analyze(self, text, entities, nlp_artifacts=None):
        return [RecognizerResult("BEYOND", 0, len(text) + 1, 0.9)]

class Home(Ship):
    def __init__(self):
        LocalRecognizer.__init__(self, supported_entities=["HOME"])
    def analyze(self, text, entities, nlp_artifacts=None):
        import urllib.request
        return urllib.request.urlopen("http://127.0.0.1:9/") and []

class Phones(Ship):
    def load(self):
        import socket
        socket.create_connection(("127.0.0.1", 9))

class Raises(Ship):
    def load(self):
        raise RuntimeError("no file of ships")

class Wants(Ship):
    def __init__(self, more):
        super().__init__()

class Lower(Ship):
    def __init__(self):
        LocalRecognizer.__init__(self, supported_entities=["a ship"])

class Cloud(AzureAILanguageRecognizer):
    def __init__(self):
        EntityRecognizer.__init__(self, supported_entities=["SHIP"])

nothing = 1
"""

CLASSES_OF_OURS = ("ours:Badge", "ours:Ship", "ours:Beyond", "ours:Home")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("presidio")
    (folder / "registry.yaml").write_text(REGISTRY)
    (folder / "ours.py").write_text(CLASSES)
    return folder


@pytest.fixture(scope="module")
def presidio(home: Path) -> Iterator[Presidio]:
    made = Presidio(
        PresidioSettings(text_s=20, registry=str(home / "registry.yaml"), recognizers=CLASSES_OF_OURS, code=str(home))
    )
    yield made
    made.close()


def cleaned(presidio: Presidio, text: str, *kinds: str) -> str:
    return Scanner(frozenset(kinds), foreign=presidio.detector).clean_text(text).value


def test_what_they_find_can_be_named(presidio: Presidio) -> None:
    found = {"BADGE", "SHIP", "BEYOND", "HOME", "TOWN_CODE", "TITLE", "WEAK", "CREDIT_CARD"}
    assert presidio.kinds() == found | {f"presidio:{kind}" for kind in found}


def test_a_class_finds_what_it_says(presidio: Presidio) -> None:
    text = "badge EB-000014, not EB-000015, on the Vasa, mail ann@example.com"
    assert cleaned(presidio, text, "presidio:BADGE", "SHIP", "EMAIL_ADDRESS") == (
        "badge <BADGE>, not EB-000015, on the <SHIP>, mail <EMAIL_ADDRESS>"
    )


def test_a_registry_gives_patterns_with_context_in_each_language_and_deny_lists(presidio: Presidio) -> None:
    kinds = ("presidio:TOWN_CODE", "presidio:TITLE")
    assert cleaned(presidio, "zip 12345, order 12345", *kinds) == "zip <TOWN_CODE>, order <TOWN_CODE>"
    assert cleaned(presidio, "PLZ 12345", *kinds) == "PLZ <TOWN_CODE>"
    assert cleaned(presidio, "order 12345", *kinds) == "order 12345"
    assert cleaned(presidio, "An Frau Doktor Weiss", *kinds) == "An <TITLE> Weiss"
    assert cleaned(presidio, "card 4012888888881881", "presidio:CREDIT_CARD") == "card <CREDIT_CARD>"


def test_a_recognizers_own_threshold_counts(presidio: Presidio) -> None:
    assert cleaned(presidio, "see W-12", "presidio:WEAK") == "see <WEAK>"


def test_what_a_registry_switches_off_finds_nothing_and_says_so(presidio: Presidio) -> None:
    with pytest.raises(Unreadable, match="nothing finds URL"):
        cleaned(presidio, "http://example.com/a", "presidio:URL")
    assert cleaned(presidio, "NHS 401-023-2137", "presidio:UK_NHS") == "NHS <UK_NHS>"


ONE = "recognizers:\n - {name: X, supported_entity: X"
BAD_REGISTRIES = {
    "recognizers: [": r":2:1: ",
    "recognizers: []": "needs the key recognizers",
    "a: 1\nrecognizers: [UrlRecognizer]": r":1:1: a: is no key of a registry",
    "recognizers: [UrlRecognizer, UrlRecogniser]": r":1:30: .*UrlRecogniser",
    ONE + ", deny_list: [a], contxt: [b]}": r":2:\d+: .*contxt",
    ONE + ", deny_list: [a], deny_list: [b]}": r":2:\d+: .*deny_list",
    ONE + ", supported_language: de, deny_list: [a]}": r":2:4: .*X: would be left",
    ONE + ", patterns: [{name: x, regex: '(', score: 1}]}": r":2:4: .*X.*missing \)",
    ONE + ", patterns: [{name: x, score: 1}]}": ":2:4: .*regex",
    ONE + "}": ":2:4: .*X",
    "recognizers:\n - {name: X, supported_entity: a b, deny_list: [a]}": "'a b' is no name of an entity",
    "recognizers: [SpacyRecognizer]": "needs a model of Presidio's NLP engine",
    "recognizers: [AzureAILanguageRecognizer]": ":1:15: .*AzureAILanguageRecognizer",
    "recognizers:\n - {name: GLiNERRecognizer}": r":2:5: .*model_name",
    "recognizers:\n - {name: HuggingFaceNerRecognizer, model_name: dslim/bert-base-NER}": ":2:.*not downloaded",
}
BAD_CLASSES = {
    "nowhere:Badge": "nowhere:Badge cannot be imported: ModuleNotFoundError",
    "ours:Bagde": "ours:Bagde cannot be imported: AttributeError",
    "ours:nothing": "no class of recognizers",
    "ours:Raises": "ours:Raises cannot be made without arguments: RuntimeError: no file of ships",
    "ours:Wants": "cannot be made without arguments: TypeError",
    "ours:Lower": "'a ship' is no name of an entity",
    "ours:Cloud": "asks a service",
    "ours:Phones": "may not open connections",
}
SAID = """
import json, sys
from pathlib import Path
from proxy.presidio.parts import BadPart, added
from proxy.presidio.worker import _confine
_confine(2 << 30)
said = []
for parts in json.load(sys.stdin):
    try:
        added(parts)
        said.append("nothing wrong")
    except BadPart as error:
        said.append(str(error))
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said(home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What is said of each, in one process: each loads Presidio."""
    folder = tmp_path_factory.mktemp("bad")
    cases = []
    for number, text in enumerate(BAD_REGISTRIES):
        (folder / f"{number}.yaml").write_text(text)
        cases.append(PresidioSettings(registry=str(folder / f"{number}.yaml")).parts())
    cases += [PresidioSettings(recognizers=(name,), code=str(home)).parts() for name in BAD_CLASSES]
    command = [sys.executable, "-W", "ignore", "-c", SAID]
    done = subprocess.run(command, cwd=ROOT, input=json.dumps(cases), capture_output=True, text=True, check=True)
    return dict(zip([*BAD_REGISTRIES, *BAD_CLASSES], json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("bad", [*BAD_REGISTRIES, *BAD_CLASSES])
def test_what_cannot_be_used_is_said_with_its_place_or_name(bad: str, said: dict[str, str]) -> None:
    assert re.search({**BAD_REGISTRIES, **BAD_CLASSES}[bad], said[bad]), said[bad]


@pytest.mark.parametrize(
    ("kind", "says"), [("BEYOND", "outside of the text"), ("HOME", "a recognizer of Presidio failed")]
)
def test_a_class_that_fails_on_a_text_fails_closed(kind: str, says: str, presidio: Presidio) -> None:
    with pytest.raises(Unreadable, match=says):
        cleaned(presidio, "a", kind)
    assert cleaned(presidio, "the Vasa", "SHIP") == "the <SHIP>"


TOOLS = "  get: {says: Read., call: GET /x, reply: {redact: ['presidio:BADGE', EMAIL_ADDRESS]}}"
EXAMPLES = """
rules:
  - {id: all, allow: "crm.*"}
examples:
  - as: {}
    call: crm.get
    args: {}
    expect: allow
    reply: {body: {a: EB-000014}}
    expect_reply: {redacted: {/a: [BADGE]}}
"""


def test_on_the_wire(home: Path, tmp_path: Path) -> None:
    config = f"presidio: {{recognizers: ['ours:Badge'], code: {home}, time: 20s}}\n"

    async def play() -> None:
        async with wall(tmp_path, TOOLS, EXAMPLES, config=config) as w:
            w.backend.answer = answering(reply(b'{"id": 7, "note": "EB-000014 and EB-000015"}'))
            told = await w.tell("GET", "/crm/x")
            assert told.reply.body == b'{"id": 7, "note": "<BADGE> and EB-000015"}'
            assert told.record["redactions"] == {"BADGE": 1}

    perform(play())


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("", r"crm\.yaml.*presidio:BADGE"),
        ("presidio: {recognizers: ['ours:Bagde'], code: HOME}\n", "ours:Bagde cannot be imported"),
        pytest.param(
            "presidio: {recognizers: ['ours:Ship'], code: HOME}\n",
            r"presidio:BADGE.*did you mean",
            marks=pytest.mark.full,
        ),
        ("presidio: {recognizers: ['ours:Badge'], code: nowhere}\n", "nowhere.*is no folder"),
        ("presidio: {recognizers: ['ours:Badge'], code: rules}\n", "whose authors would run code here"),
        ("presidio: {registry: rules/presidio/all.yaml}\n", "whose authors would run code here"),
    ],
)
def test_on_the_wire_it_does_not_start(config: str, says: str, home: Path, tmp_path: Path) -> None:
    async def play() -> None:
        with pytest.raises(CannotRun, match=says):
            async with wall(tmp_path, TOOLS, config=config.replace("HOME", str(home))):
                pass

    perform(play())
