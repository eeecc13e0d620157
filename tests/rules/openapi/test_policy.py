from datetime import UTC, datetime

from rules.coverage import coverage
from rules.examples import failures, run
from rules.load import load
from rules.openapi import Roles, files
from rules.openapi.policy import contract, starter
from tests.rules.openapi.making import imported, loaded

PATHS = {
    "/pets": {
        "get": {"operationId": "listPets"},
        "post": {
            "operationId": "addPet",
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "properties": {"name": {"type": "string", "minLength": 3}},
                            "required": ["name"],
                        }
                    }
                },
            },
        },
    },
    "/pets/{id}": {
        "delete": {
            "operationId": "deletePet",
            "parameters": [
                {"name": "id", "in": "path", "required": True, "schema": {"$ref": "#/components/schemas/Id"}}
            ],
        }
    },
    "/admin/roles": {"put": {"operationId": "setRoles"}},
}
ID = {"Id": {"type": "string", "pattern": "^P-[0-9]{3}$"}}


def ruleset(folder, roles=None):
    found = imported(PATHS, components={"schemas": ID})
    loaded(found, folder)
    (folder / "shop.policy.yaml").write_text(files(found, roles)["shop.policy.yaml"])
    return load(folder)


def test_what_the_effect_says_is_what_the_rules_say(tmp_path):
    rules = {rule.id: rule for rule in ruleset(tmp_path).rules}
    assert {name: (rule.effect.value, rule.tools, sorted(rule.to.roles)) for name, rule in rules.items()} == {
        "shop-reads": ("allow", ("shop.listPets",), ["reader"]),
        "shop-writes": ("allow", ("shop.addPet",), ["writer"]),
        "shop-irreversible": ("allow", ("shop.deletePet",), ["writer"]),
        "shop-admin": ("deny", ("shop.setRoles",), []),
    }
    (approval,) = rules["shop-irreversible"].obligations
    assert approval.by == "approver"


def test_the_examples_come_out_as_expected_and_exercise_every_rule(tmp_path):
    found = ruleset(tmp_path)
    outcomes = run(found, datetime.now(UTC))
    assert failures(outcomes) == ()
    assert coverage(found, outcomes).missing == ()


def test_roles_can_be_named(tmp_path):
    roles = {role for rule in ruleset(tmp_path, Roles("looker", "doer", "boss")).rules for role in rule.to.roles}
    assert roles == {"looker", "doer"}
    assert "by: boss" in (tmp_path / "shop.policy.yaml").read_text()


def test_a_new_operation_is_allowed_by_nothing(tmp_path):
    """Tools are named one by one: what a newer document adds, somebody has to allow."""
    assert all("*" not in pattern for rule in ruleset(tmp_path).rules for pattern in rule.tools)


def test_a_contract_that_no_arguments_fit_has_no_example():
    tool = {"call": "GET /x", "args": {"a": {"type": "string", "pattern": "^a$", "maxLength": 0}}, "effect": "read"}
    text = starter("shop", {"it": tool}, {}, Roles())
    assert "allow:" in text
    assert "examples:" not in text


def test_without_tools_there_is_nothing_to_allow():
    assert all(line.startswith("#") for line in starter("shop", {}, {}, Roles()).splitlines())


def test_the_contract_of_a_tool_is_that_of_the_loader(tmp_path):
    found = imported(PATHS, components={"schemas": ID})
    tools = loaded(found, tmp_path)
    assert {name: contract(tool) for name, tool in found.tools.items()} == {
        name: tool.contract.schema for name, tool in tools.items()
    }
