"""The listing: who sees what, under which names, in which forms."""

from __future__ import annotations

import gzip
import json
import os
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from rules.decide import Ruleset
from rules.facts import Principal
from rules.listing import (
    FORMATS,
    MOST_DESCRIPTION,
    MOST_EXAMPLES,
    MOST_NAME,
    MOST_SCHEMA,
    Format,
    Listed,
    approval,
    functions,
    listed,
    rendered,
    visible,
)
from rules.load import load
from rules.openapi import Document, contracts, files
from rules.rule import Effect, Rule
from tests.rules.helpers import CRM, ruleset
from tests.rules.mcp.hub import hub

POLICY = """
    rules:
      - {id: reads, allow: [crm.get_customer, crm.search], to: {roles: [support]}}
      - {id: renames, allow: crm.rename, to: {roles: [support]}, when: args.id > 5}
      - {id: refunds, allow: crm.refund, to: {roles: [billing]}, when: args.amount_cents < 100}
      - {id: no-search, deny: crm.search, to: {roles: [trainee]}}
      - {id: some-not, deny: crm.get_customer, to: {roles: [trainee]}, when: args.customer_id == 7}
    examples:
      - {as: {roles: [support]}, call: crm.search, args: {q: Meier}, expect: allow}
      - {as: {roles: [support, boss]}, call: crm.search, args: {q: Boss}, expect: allow}
      - {as: {roles: [support]}, call: crm.search, args: {q: 7}, expect: deny}
      - {as: {roles: [support], user: ann}, call: crm.search, args: {q: Ann}, expect: allow}
      - {as: {roles: [support], id: eve}, call: crm.search, args: {q: Eve}, expect: allow}
"""


def who(*roles: str, **more: str) -> Principal:
    return Principal("p1", frozenset(roles), **more)


def names(rules: Ruleset, *roles: str) -> list[str]:
    return [tool.name for tool in visible(rules, who(*roles))]


def one(rules: Ruleset, tool: str, *roles: str) -> Listed:
    return next(each for each in listed(rules, who(*roles)) if each.tool.name == tool)


def test_who_sees_what(tmp_path: Path) -> None:
    rules = ruleset(tmp_path, POLICY)
    assert names(rules) == []
    assert names(rules, "support") == ["crm.get_customer", "crm.rename", "crm.search"]
    assert names(rules, "billing") == ["crm.refund"]
    assert names(rules, "support", "trainee") == ["crm.get_customer", "crm.rename"]
    assert [each.tool.name for each in listed(rules, who("support"), "crm.s*")] == ["crm.search"]
    assert listed(rules, who("support"), "crm.refund") == ()


def test_a_deny_that_cannot_tell_hides_as_it_denies(tmp_path: Path) -> None:
    rules = ruleset(tmp_path, "rules: [{id: a, allow: 'crm.*'}, {id: b, deny: crm.search, to: {agents: [rogue]}}]")
    assert "crm.search" not in [tool.name for tool in visible(rules, who())]
    assert "crm.search" in [tool.name for tool in visible(rules, who(agent="mine"))]


@pytest.mark.parametrize(
    ("tool", "policy", "need"),
    [
        ("search", "{id: a, allow: crm.search}", "never"),
        ("search", "{id: a, allow: crm.search, require: {approval: {by: boss, within: 1m}}}", "always"),
        ("refund", "{id: a, allow: crm.refund}", "always"),
        ("refund", "{id: a, allow: crm.refund, when: args.amount_cents < 5}", "always"),
        ("refund", '{id: a, allow: crm.refund, waive: {approval: "small"}}', "never"),
        (
            "refund",
            "{id: a, allow: crm.refund}, {id: b, allow: crm.refund, waive: {approval: s}, when: args.order_id < 5}",
            "always",
        ),
        (
            "refund",
            "{id: a, allow: crm.refund, when: args.order_id > 5}, "
            '{id: b, allow: crm.refund, waive: {approval: "small"}, when: args.order_id < 5}',
            "sometimes",
        ),
        (
            "search",
            "{id: a, allow: crm.search}, "
            "{id: b, allow: crm.search, when: args.q == 'x', require: {approval: {by: boss, within: 1m}}}",
            "sometimes",
        ),
        ("wipe", "{id: a, allow: crm.wipe}", "always"),
    ],
)
def test_whether_a_human_is_asked(tmp_path: Path, tool: str, policy: str, need: str) -> None:
    rules = ruleset(tmp_path, f"rules: [{policy}]")
    assert approval(rules, who(), rules.catalog.tools[f"crm.{tool}"]) == need


@pytest.mark.parametrize("form", FORMATS)
def test_all_that_a_model_is_told(tmp_path: Path, form: Format) -> None:
    rules = ruleset(tmp_path, POLICY)
    (each,) = rendered(listed(rules, who("billing")), form)["tools"]
    says = "Pay money back. Cannot be undone. Each call waits until a human has approved it."
    schema = {
        "type": "object",
        "properties": {
            "order_id": {"type": "integer"},
            "amount_cents": {"type": "integer", "minimum": 1, "examples": [4999]},
        },
        "required": ["order_id", "amount_cents"],
        "additionalProperties": False,
    }
    example = {"order_id": 1, "amount_cents": 4999}
    shown = {**schema, "examples": [example]}
    assert (
        each
        == {
            "openai": {
                "type": "function",
                "function": {"name": "crm__refund", "description": says, "parameters": shown},
            },
            "anthropic": {"name": "crm__refund", "description": says, "input_schema": shown},
            "mcp": {
                "name": "crm__refund",
                "description": says,
                "inputSchema": shown,
                "annotations": {"readOnlyHint": False, "destructiveHint": True},
                "_meta": {
                    "toolwall/tool": "crm.refund",
                    "toolwall/effect": "irreversible",
                    "toolwall/approval": "always",
                },
            },
            "json": {
                "name": "crm.refund",
                "function": "crm__refund",
                "says": "Pay money back.",
                "effect": "irreversible",
                "approval": "always",
                "method": "POST",
                "path": "/crm/refunds",
                "arguments": {
                    "order_id": {"in": "body", "name": "order_id"},
                    "amount_cents": {"in": "body", "name": "amount_cents"},
                },
                "input": schema,
                "examples": [example],
                "body": ["application/json", "application/*+json"],
            },
        }[form]
    )


def test_where_a_host_chose_the_backend_paths_are_its_own(tmp_path: Path) -> None:
    rules = ruleset(tmp_path, POLICY)
    (tool,) = rendered(listed(rules, who("support"), "crm.get_*", "crm"), "json")["tools"]
    assert (tool["method"], tool["path"]) == ("GET", "/customers/{customer_id}")
    assert tool["arguments"] == {"customer_id": {"in": "path", "name": "customer_id"}}
    assert listed(rules, who("support"), "*", "kb") == ()


def test_how_arrays_and_forms_travel(tmp_path: Path) -> None:
    tools = """
        backend: crm
        url: https://crm.test
        tools:
          post:
            call: POST /things/{id}
            effect: write
            body: application/x-www-form-urlencoded
            args:
              id: {type: integer}
              ids: {type: array, items: {type: integer}}
              tags: {type: array, items: {type: string}}
            in:
              ids: {query: {name: "ids[]", style: pipeDelimited, explode: false}}
              tags: {body: {name: "tags[]"}}
    """
    rules = ruleset(tmp_path, "rules: [{id: a, allow: 'crm.*'}]", tools)
    (tool,) = rendered(listed(rules, who()), "json")["tools"]
    assert tool["arguments"] == {
        "id": {"in": "path", "name": "id"},
        "ids": {"in": "query", "name": "ids[]", "style": "pipeDelimited", "explode": False},
        "tags": {"in": "body", "name": "tags[]", "style": "form", "explode": True},
    }
    assert tool["body"] == ["application/x-www-form-urlencoded"]


def test_where_the_callers_own_credential_goes(tmp_path: Path) -> None:
    tools = """
        backend: crm
        url: https://crm.test
        credential: [{send: {header: X-Api-Key}, from: caller}, {send: bearer, from: caller}]
        tools:
          get: {call: GET /things}
    """
    rules = ruleset(tmp_path, "rules: [{id: a, allow: 'crm.*'}]", tools)
    (tool,) = rendered(listed(rules, who()), "json")["tools"]
    assert [slot["send"] for slot in tool["credentials"]] == ["header", "bearer"]
    assert tool["credentials"][0]["name"].lower() == "x-api-key"


def test_examples_of_others_are_not_shown(tmp_path: Path) -> None:
    rules = ruleset(tmp_path, POLICY)
    assert one(rules, "crm.search", "support").examples == ({"q": "Meier"},)
    assert one(rules, "crm.search", "support", "boss").examples == ({"q": "Meier"}, {"q": "Boss"})
    (eve,) = listed(rules, Principal("eve", frozenset({"support"}), user="ann"), "crm.search")
    assert [each["q"] for each in eve.examples] == ["Meier", "Ann", "Eve"]
    assert one(rules, "crm.rename", "support").examples  # made from the contract
    more = "".join(
        f"      - {{as: {{roles: [support]}}, call: crm.search, args: {{q: q{n}}}, expect: allow}}\n" for n in range(9)
    )
    assert len(one(ruleset(tmp_path, POLICY + more), "crm.search", "support").examples) == MOST_EXAMPLES


def test_examples_fit_their_contract(tmp_path: Path) -> None:
    rules = ruleset(tmp_path, "rules: [{id: a, allow: 'crm.*'}]")
    for each in listed(rules, who()):
        assert len(each.examples) == 1
        assert each.tool.contract.check(each.examples[0]) == ()


def crm(*tools: str, backend: str = "crm") -> str:
    lines = "".join(f"  {name}: {{says: Read., call: GET /{name}}}\n" for name in tools)
    return f"backend: {backend}\nurl: https://crm.test\ntools:\n{lines}"


def test_names_fit_every_provider_and_lead_back(tmp_path: Path) -> None:
    backends = ["a", "a_", "a__b", "a-b", "b" * 64]
    tools = ["b", "b__c", "b_c", "t" * 64, "u" * 61, "u" * 60, "x-y"]
    for number, backend in enumerate(backends):
        (tmp_path / f"f{number}.yaml").write_text(crm(*tools, backend=backend))
    catalog = ruleset(tmp_path, "rules: []\n".replace("[]", "[{id: x, allow: '*'}]")).catalog
    made = functions(catalog)
    assert made.keys() == catalog.tools.keys()
    assert len(set(made.values())) == len(made)
    for name, function in made.items():
        assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_-]{0,63}", function)
        if not re.search(r"_[0-9a-f]{8,}$", function):
            assert function.replace("__", ".", 1) == name
    assert made["crm.search"] == "crm__search"
    assert made["a.b__c"] == "a__b__c"
    assert len(made[f"a.{'t' * 64}"]) == MOST_NAME
    # A name does not hang on which other tools there are, unless somebody aims at it.
    assert functions(ruleset(tmp_path, "rules: [{id: x, allow: '*'}]").catalog) == made


def test_a_name_that_is_made_to_collide_does_not(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(crm("x", backend="a__b"))
    made = functions(ruleset(tmp_path, "rules: [{id: x, allow: '*'}]").catalog)["a__b.x"]
    backend, _, short = made.partition("__")
    (tmp_path / "b.yaml").write_text(crm(short, backend=backend))
    again = functions(ruleset(tmp_path, "rules: [{id: x, allow: '*'}]").catalog)
    assert again[f"{backend}.{short}"] == made
    assert again["a__b.x"] != made
    assert len(set(again.values())) == len(again)


def test_descriptions_have_an_end_and_keep_what_matters(tmp_path: Path) -> None:
    long = CRM.replace("says: Pay money back.", "says: " + "Pay. " * 1000).replace("says: Find customers.", "")
    rules = ruleset(tmp_path, "rules: [{id: a, allow: 'crm.*'}]", long)
    description = one(rules, "crm.refund").description
    assert len(description) == MOST_DESCRIPTION
    assert description.endswith(" ... Cannot be undone. Each call waits until a human has approved it.")
    assert one(rules, "crm.search").description == "GET /customers Changes nothing."


def test_a_schema_that_no_model_would_read_is_shortened(tmp_path: Path) -> None:
    deep: dict[str, Any] = {"type": "object", "properties": {f"n{n}": {"type": "string"} for n in range(2000)}}
    (tmp_path / "deep.json").write_text(json.dumps(deep))
    tools = """
        backend: crm
        url: https://crm.test
        tools:
          put:
            call: POST /things
            effect: write
            input:
              type: object
              properties: {thing: {$ref: deep.json}, name: {type: string}}
              required: [name]
    """
    rules = ruleset(tmp_path, "rules: [{id: a, allow: 'crm.*'}]", tools)
    (whole,) = rendered(listed(rules, who()), "json")["tools"]
    assert "shortened" not in whole
    assert len(whole["input"]["$defs"]["deep"]["properties"]) == 2000
    for form, word in (("anthropic", "input_schema"), ("mcp", "inputSchema")):
        (entry,) = rendered(listed(rules, who()), form)["tools"]  # type: ignore[arg-type]
        assert len(json.dumps(entry)) < MOST_SCHEMA
        assert entry[word]["properties"] == {"thing": {"type": "object"}, "name": {"type": "string"}}
        assert entry[word]["required"] == ["name"]


def imported(path: Path) -> dict[str, str]:
    """The contracts that the importer writes for a specification, by their path in the folder."""
    data = path.read_bytes()
    document = Document(path.name.removesuffix(".gz"), gzip.decompress(data) if path.suffix == ".gz" else data)
    return {
        name.removeprefix("rules/"): text for name, text in files(contracts(document)).items() if ".policy." not in name
    }


@pytest.mark.full
def test_listings_of_real_apis_stand_alone(tmp_path: Path) -> None:
    """Every schema of every real specification: an object at the top, no way out, no looser than needed to be read."""
    root = os.environ.get("TOOLWALL_CORPORA")
    if not root:
        pytest.skip("TOOLWALL_CORPORA names no folder with the real-world corpora")
    for number, path in enumerate(sorted((Path(root) / "openapi" / "specs").iterdir())):
        folder = tmp_path / str(number)
        for name, text in imported(path).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        catalog = load(folder).catalog
        rules = Ruleset("r", catalog, [Rule("all", Effect.ALLOW, ("*",))])
        tools = listed(rules, who())
        assert len(tools) == len(catalog.tools)
        assert len(set(functions(rules.catalog).values())) == len(tools)
        for each in tools:
            check(each)


def check(each: Listed) -> None:
    (entry,) = rendered([each], "anthropic")["tools"]
    shape = entry["input_schema"]
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", entry["name"])
    assert 0 < len(entry["description"]) <= MOST_DESCRIPTION
    assert shape["type"] == "object"
    assert {"anyOf", "oneOf", "allOf", "not", "$ref", "enum"}.isdisjoint(shape), each.tool.name
    jsonschema.Draft202012Validator.check_schema(shape)
    refs = re.findall(r'"\$ref": "([^"]*)"', json.dumps(shape))
    assert all(ref.startswith("#") for ref in refs), refs
    validator = jsonschema.Draft202012Validator(shape)
    for example in each.examples:
        assert each.tool.contract.check(example) == ()
        assert validator.is_valid(example), (each.tool.name, example)


def test_a_listing_names_how_a_tool_of_an_mcp_server_is_reached(tmp_path: Path) -> None:
    rules = hub(tmp_path, "rules: [{id: a, allow: [hub.*, hub.prompts/*, hub.resources/*, hub.roots/list]}]")
    seen = listed(rules, who())
    assert [each.tool.name for each in seen] == ["hub.create", "hub.search_issues"]
    create, search = rendered(seen, "json")["tools"]
    assert create["mcp"] == {"endpoint": "/hub/mcp", "method": "tools/call", "name": "issue.create"}
    assert not {"path", "method", "arguments"} & create.keys()
    assert search["input"]["required"] == ["q"]
    assert rendered(listed(rules, who(), hosted="hub"), "json")["tools"][0]["mcp"]["endpoint"] == "/mcp"
    assert listed(rules, who(), "hub.prompts/*") == listed(rules, who(), "hub.mcp/*") == ()
    for form in FORMATS:
        assert len(rendered(seen, form)["tools"]) == 2
    assert set(functions(rules.catalog)) == {"hub.create", "hub.search_issues"}
