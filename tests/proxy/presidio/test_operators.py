"""The operators of Presidio's anonymizer: they rewrite in the worker, and what they cannot do is refused."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from proxy.app import CannotRun
from proxy.presidio.apart import Presidio
from proxy.presidio.settings import PresidioSettings
from redaction.operators import Way
from redaction.scanner import Scanner, Unreadable
from tests.wire import answering, perform, reply, wall

KEY = secrets.token_hex(8)
SALT = secrets.token_hex(8)
CLASSES = """
import time
from presidio_anonymizer.operators import Operator, OperatorType

class Initials(Operator):
    def operate(self, text, params=None):
        return params["mark"].join(part[0] for part in text.split("@")[0].split("."))
    def validate(self, params=None):
        if "mark" not in params:
            raise ValueError("needs a mark")
    def operator_name(self):
        return "initials"
    def operator_type(self):
        return OperatorType.Anonymize

def upper(text):
    return text.upper()

def breaks(text):
    return '"},{"' if "@" in text else text

def sleeps(text):
    if "@" in text:
        time.sleep(60)
    return text
"""
OPERATORS = {
    "short": {"operator": "mask", "with": {"masking_char": "#", "chars_to_mask": 4, "from_end": True}},
    "sealed": {"operator": "encrypt", "with": {"key": KEY}},
    "salted": {"operator": "hash", "with": {"hash_type": "sha512", "salt": SALT}},
    "fixed": {"operator": "replace", "with": {"new_value": "somebody"}},
    "initials": {"operator": "writers:Initials", "with": {"mark": "-"}},
    "upper": {"operator": "writers:upper", "with": {}},
    "breaks": {"operator": "writers:breaks", "with": {}},
    "sleeps": {"operator": "writers:sleeps", "with": {}},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("writers")
    (folder / "writers.py").write_text(CLASSES)
    return folder


@pytest.fixture(scope="module")
def presidio(home: Path) -> Iterator[Presidio]:
    made = Presidio(PresidioSettings(text_s=2, code=str(home), operators=OPERATORS))
    made.kinds()
    yield made
    made.close()


def scanner(presidio: Presidio, operator: str) -> Scanner:
    ways = frozenset({("EMAIL_ADDRESS", Way("presidio", operator))})
    return Scanner(frozenset({"EMAIL_ADDRESS"}), ways, operate=presidio.operate)


def written(presidio: Presidio, operator: str, value: str = "ann.lee@example.com") -> str:
    cleaned = scanner(presidio, operator).clean_json(f'{{"a": ["to {value}"], "n": 1.50}}').value
    found = re.fullmatch(r'\{"a": \["to (.*)"\], "n": 1\.50\}', cleaned)
    assert found
    return found[1]


def test_each_of_presidios_operators_writes(presidio: Presidio) -> None:
    assert written(presidio, "short") == "ann.lee@example####"
    assert written(presidio, "fixed") == "somebody"
    assert written(presidio, "redact") == ""
    assert written(presidio, "replace") == "<EMAIL_ADDRESS>"
    assert written(presidio, "keep") == "ann.lee@example.com"
    assert written(presidio, "salted") == hashlib.sha512(f"ann.lee@example.com{SALT}".encode()).hexdigest()
    random = {written(presidio, "hash") for _ in range(2)}
    assert len(random) == 2
    assert all(re.fullmatch("[0-9a-f]{64}", each) for each in random)


def test_what_it_encrypts_can_be_read_with_the_key(presidio: Presidio) -> None:
    sealed = base64.urlsafe_b64decode(written(presidio, "sealed"))
    reader = Cipher(algorithms.AES(KEY.encode()), modes.CBC(sealed[:16])).decryptor()
    padded = reader.update(sealed[16:]) + reader.finalize()
    unpadder = PKCS7(128).unpadder()
    assert unpadder.update(padded) + unpadder.finalize() == b"ann.lee@example.com"


def test_classes_and_functions_of_the_operator_write(presidio: Presidio) -> None:
    assert written(presidio, "initials") == "a-l"
    assert written(presidio, "upper") == "ANN.LEE@EXAMPLE.COM"


def test_text_bytes_and_strings_within_strings_are_written_too(presidio: Presidio) -> None:
    fixed = scanner(presidio, "fixed")
    assert fixed.needs_presidio
    assert fixed.clean_text("to ann@example.com!").value == "to somebody!"
    assert fixed.clean(b'{"a":"ann@example.com"}', "application/json", None).value == b'{"a":"somebody"}'
    assert fixed.clean_json(r'{"a": "{\"b\": \"ann@example.com\"}"}').value == r'{"a": "{\"b\": \"somebody\"}"}'
    assert fixed.clean(b"<a>ann@example.com</a>", "text/xml", None).value == b"<a>somebody</a>"


@pytest.mark.parametrize(
    ("operator", "says"),
    [("breaks", "cannot stand in JSON"), ("sleeps", "in time"), ("nothing", "an operator of Presidio failed")],
)
def test_what_it_cannot_write_is_not_shown(operator: str, says: str, presidio: Presidio) -> None:
    with pytest.raises(Unreadable, match=says):
        written(presidio, operator)


def test_where_nobody_asks_it_the_kind_is_written() -> None:
    ways = frozenset({("EMAIL_ADDRESS", Way("presidio", "fixed"))})
    assert Scanner(frozenset({"EMAIL_ADDRESS"}), ways).clean_text("to ann@example.com").value == "to <EMAIL_ADDRESS>"


TOOL = "{says: Read., call: GET /WAY, reply: {redact: [EMAIL_ADDRESS], operators: {EMAIL_ADDRESS: {presidio: WAY}}}}"
CONFIG = """
presidio:
  time: 20s
  code: HOME
  operators:
    sealed: {operator: encrypt, with: {key: "env:PII_KEY"}}
    salted: {operator: hash, with: {salt: "file:SALT"}}
    initials: {operator: "writers:Initials", with: {mark: "-"}}
"""


def test_on_the_wire(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PII_KEY", KEY)
    (tmp_path / "salt").write_text(SALT + "\n")
    config = CONFIG.replace("HOME", str(home)).replace("SALT", str(tmp_path / "salt"))
    ways, seen = ("initials", "salted"), {}
    tools = "\n".join(f"  {way}: {TOOL.replace('WAY', way)}" for way in ways)

    async def play() -> None:
        async with wall(tmp_path, tools, config=config) as w:
            w.backend.answer = answering(reply(b'{"id": 7, "mail": "ann.lee@example.com"}'))
            for way in ways:
                told = await w.tell("GET", f"/crm/{way}")
                assert told.record["redactions"] == {"EMAIL_ADDRESS": 1}
                seen[way] = told.reply.body

    perform(play())
    digest = hashlib.sha256(f"ann.lee@example.com{SALT}".encode()).hexdigest()
    assert seen == {
        "initials": b'{"id": 7, "mail": "a-l"}',
        "salted": f'{{"id": 7, "mail": "{digest}"}}'.encode(),
    }


@pytest.mark.parametrize(
    ("operator", "way", "says"),
    [
        ("", "initials", r"crm\.yaml:\d+:1: get: there is no operator 'initials'"),
        ("{operator: encrypt, with: {key: env:NO_SUCH}}", "redact", "NO_SUCH.*not set"),
        *(
            pytest.param(*each, marks=pytest.mark.full)
            for each in (
                ("{operator: 'writers:nobody'}", "redact", "writers:nobody"),
                ("{operator: encrypt, with: {key: short}}", "redact", "mine.*128, 192 or 256"),
                ("{operator: encrpt}", "redact", "mine.*encrpt"),
                ("{operator: 'writers:Initials'}", "redact", "mine.*needs a mark"),
                ("{operator: hash, with: {salt: file:nowhere}}", "redact", "nowhere.*cannot be read"),
            )
        ),
    ],
)
def test_on_the_wire_it_does_not_start(operator: str, way: str, says: str, home: Path, tmp_path: Path) -> None:
    config = f"presidio: {{code: {home}, operators: {{mine: {operator}}}}}\n" if operator else ""

    async def play() -> None:
        with pytest.raises(CannotRun, match=says):
            async with wall(tmp_path, f"  get: {TOOL.replace('WAY', way)}", config=config):
                pass

    perform(play())


def test_too_long_a_value_is_not_given_to_it() -> None:
    few = Presidio(PresidioSettings(most_characters=3))
    with pytest.raises(Unreadable, match="more than 3 characters"):
        few.operate("redact", "EMAIL_ADDRESS", "four")
    few.close()
