from pathlib import Path

import pytest

from redaction.sparing import ALL, NOTHING_SPARED, Sparing
from rules.load import RulesError, load
from tests.rules.helpers import write

FIVE = ("JWT", "US_SSN", "IBAN_CODE", "CREDIT_CARD", "EMAIL_ADDRESS")
MANY = ", ".join(f"{{at: x, kinds: {kind}}}" for kind in FIVE)
TOOLS = "backend: crm\nurl: https://crm.test\n{backend}tools:\n  n: {{says: Look., call: GET /n{tool}}}\n"


def loaded(folder: Path, tool: str, backend: str = "") -> Sparing:
    said = f", reply: {tool}" if tool else ""
    write(folder, crm=TOOLS.format(tool=said, backend=f"reply: {backend}\n" if backend else ""))
    return load(folder).catalog.tools["crm.n"].reply.sparing


def test_places_kinds_and_what_a_backend_says(tmp_path: Path) -> None:
    assert loaded(tmp_path, "{redact: standard}") == NOTHING_SPARED
    made = loaded(tmp_path, "{except: [/id, {at: [ref, /a/*], kinds: [PHONE_NUMBER]}], only: /x}")
    phone = frozenset({"PHONE_NUMBER"})
    assert made.left == {("/id", ALL), ("ref", phone), ("/a/*", phone)}
    assert made.only == {"/x"}
    assert loaded(tmp_path, "", "{except: id}").left == {("id", ALL)}
    assert loaded(tmp_path, "{except: /b}", "{except: id, only: c}").left == {("/b", ALL)}
    assert loaded(tmp_path, "{except: /b}", "{except: id, only: c}").only == {"c"}


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("{except: /a~2}", "~"),
        ("{except: [id, items/id]}", "did you mean /items/id?"),
        ("{except: /}", 'redact: "off"'),
        ("{only: '*'}", 'redact: "off"'),
        ("{except: []}", "empty list"),
        ("{except: {at: /id}}", "kinds"),
        ("{except: {at: /id, kinds: NONSENSE}}", "NONSENSE"),
        ("{redact: [EMAIL_ADDRESS], except: {at: /id, kinds: JWT}}", "is not taken out here"),
        (f"{{except: [{MANY}]}}", "different sets"),
        ("{except: [/a, /b], only: [c, /b]}", "tools.n.reply.only: names /b, and so does `except`"),
        ("{redact: 'off', except: /a}", "tools.n.reply.except: says how"),
        ("{redact: 'off', only: /a}", "tools.n.reply.only: says how"),
        ("{redact: 'off', binary: hash}", "tools.n.reply.binary: says how"),
    ],
)
def test_what_can_never_hold_is_a_load_error(tmp_path: Path, said: str, problem: str) -> None:
    with pytest.raises(RulesError) as refused:
        loaded(tmp_path, said)
    assert problem in str(refused.value)
    assert "crm.yaml:" in str(refused.value)
