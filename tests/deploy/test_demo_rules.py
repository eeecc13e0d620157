"""The demo's configuration, which newcomers copy: whole, true to the desk's document, and no wider than it says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from proxy.config import load_config
from rules.decide import Decision
from rules.facts import Facts, Principal, Run
from rules.load import load

DEMO = Path(__file__).parents[2] / "deploy" / "demo"
RULES = load(DEMO / "rules")
SPEC: dict[str, Any] = json.loads((DEMO / "openapi.json").read_text())
OPERATIONS = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, operations in SPEC["paths"].items()
    for method, operation in operations.items()
}
ARGS: dict[str, dict[str, Any]] = {
    "desk.get_customer": {"customer_id": 7},
    "desk.delete_customer": {"customer_id": 7},
    "desk.get_order": {"order_id": 7},
    "desk.get_ticket": {"ticket_id": 7},
    "desk.add_note": {"ticket_id": 7, "text": "Called back."},
    "desk.create_refund": {"order_id": 7, "amount_cents": 4999, "reason": "Charged twice."},
}


def decide(principal: Principal, tool: str, args: dict[str, Any]) -> Decision:
    run = Run(id="demo", step=1)
    now = datetime(2026, 1, 5, tzinfo=UTC)
    return RULES.decide(Facts(tool=RULES.catalog.tools[tool], args=args, principal=principal, run=run, now=now))


def outcome(decision: Decision) -> str:
    return decision.code or ("approval" if decision.obligations else "allow")


def role(name: str) -> Principal:
    return Principal(id="somebody", roles=frozenset({name}))


@pytest.mark.parametrize("example", RULES.examples, ids=lambda example: f"line {example.line}")
def test_each_example_comes_out_as_it_says(example: Any) -> None:
    assert outcome(decide(example.principal, example.tool, dict(example.args))) == example.expect


def test_each_tool_is_an_operation_of_the_document_and_each_operation_a_tool() -> None:
    tools = {tool.short: (tool.method, tool.path) for tool in RULES.catalog.tools.values()}
    assert tools == {name: (method, path) for name, (method, path, _) in OPERATIONS.items()}


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_tool_takes_the_arguments_of_its_operation(name: str) -> None:
    _, _, operation = OPERATIONS[name]
    tool = RULES.catalog.tools[f"desk.{name}"]
    expected = {(each["name"], each["in"]) for each in operation.get("parameters", []) if each["in"] != "header"}
    assert {(param.wire, param.place) for param in tool.params} == expected
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    assert set(tool.body_wire.values()) == set(body.get("properties", {}))


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_answer_is_cleaned(name: str) -> None:
    reply = RULES.catalog.tools[f"desk.{name}"].reply
    assert {"EMAIL_ADDRESS", "CREDIT_CARD", "IBAN_CODE", "PHONE_NUMBER", "AWS_ACCESS_KEY_ID"} <= reply.redact
    assert reply.on_error == "refuse"


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_stranger_sees_no_tool(name: str) -> None:
    for stranger in (role("guest"), Principal(id="support"), role("Support"), role("")):
        assert outcome(decide(stranger, f"desk.{name}", ARGS.get(f"desk.{name}", {}))) == "unknown_tool"


@pytest.mark.parametrize(
    ("who", "tools"),
    [
        ("support", {"add_note": "allow", "create_refund": "approval"}),
        ("billing", {"add_note": "unknown_tool", "create_refund": "approval"}),
    ],
)
def test_who_may_do_what(who: str, tools: dict[str, str]) -> None:
    read = {name: "allow" for name in OPERATIONS if name.startswith(("get_", "list_"))}
    hidden = {"delete_customer": "unknown_tool", "export_everything": "unknown_tool"}
    found = {name: outcome(decide(role(who), f"desk.{name}", ARGS.get(f"desk.{name}", {}))) for name in OPERATIONS}
    assert found == read | hidden | tools


@pytest.mark.parametrize("text", ["http://x.test", "see HTTPS://x.test/a", "ftp://x"])
def test_no_note_carries_a_link(text: str) -> None:
    assert outcome(decide(role("support"), "desk.add_note", {"ticket_id": 7, "text": text})) == "denied"


def test_nothing_irreversible_happens_without_a_human() -> None:
    risky = [tool.name for tool in RULES.catalog.tools.values() if tool.effect in ("irreversible", "admin")]
    assert sorted(risky) == ["desk.create_refund", "desk.delete_customer", "desk.export_everything"]
    for tool in risky:
        outcomes = {
            outcome(decide(role(who), tool, ARGS.get(tool, {}))) for who in ("support", "billing", "privacy", "admin")
        }
        assert outcomes == {"approval", "unknown_tool"}


def test_the_agent_is_support_and_nothing_more() -> None:
    settings = load_config(DEMO / "toolwall.yaml")
    (listener,) = settings.listeners
    assert listener.identity.static is not None
    assert listener.identity.static.roles == {"support"}
    assert listener.place.host == "127.0.0.1"
    assert settings.rules == DEMO / "rules"
    assert settings.ledger.arguments == "redacted"
