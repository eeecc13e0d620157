import pytest

from rules.lint.places import Places
from rules.load import load
from tests.rules.helpers import write

CRM = """
    backend: crm
    url: https://crm.test
    tools:
      short:
        call: GET /a
        args:
          n: {type: integer}
          m: {type: integer}
      long:
        call: POST /b
        effect: write
        timeout: 5s
        input:
          type: object
          properties:
            n: {type: integer}
"""
POLICY = """
    rules:
      - id: a
        allow: crm.*
        when: |
          true
"""


@pytest.fixture
def rules(tmp_path):
    return load(write(tmp_path, crm=CRM, policy=POLICY))


def test_lines_of_keys(tmp_path, rules):
    places = Places(tmp_path)
    short, long = rules.catalog.tools["crm.short"], rules.catalog.tools["crm.long"]
    assert places.argument(short, "m") == ("crm.yaml", 8)
    assert places.argument(long, "n") == ("crm.yaml", 16)
    assert places.argument(short, "nope") == ("crm.yaml", 6)
    assert places.tool(short, "says") == ("crm.yaml", 4)
    assert places.tool(long, "effect") == ("crm.yaml", 11)
    assert places.rule(rules.rules[0], "when") == ("policy.yaml", 4)
    assert places.rule(rules.rules[0], "to") == ("policy.yaml", 2)
    assert places.backend("crm.yaml", "url") == ("crm.yaml", 2)


def test_whether_a_key_was_written(tmp_path, rules):
    places = Places(tmp_path)
    assert places.chosen(rules.catalog.tools["crm.long"], "timeout")
    assert not places.chosen(rules.catalog.tools["crm.short"], "timeout")


def test_files_that_are_gone_or_were_never_there(tmp_path, rules):
    for places in (Places(None), Places(tmp_path / "elsewhere")):
        tool = rules.catalog.tools["crm.long"]
        assert places.argument(tool, "n") == ("crm.yaml", 9)
        assert places.rule(rules.rules[0], "when") == ("policy.yaml", 2)
        assert places.backend("crm.yaml", "url") == ("crm.yaml", 1)
        assert places.chosen(tool, "timeout")
