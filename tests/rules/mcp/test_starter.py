import json

import pytest

from rules.definitions import definitions, written
from rules.examples import failures, run
from rules.lint import lint
from rules.load import load
from rules.mcp.starter import backend_file, effect_of, policy_file, started
from rules.openapi.policy import Roles
from tests.rules.helpers import NOW, corpus
from tests.rules.mcp.hub import CREATE, FILE, README, REVIEW, SEARCH


def folder(path, found):
    """The files that an import writes."""
    made = started(found)
    (path / "hub.definitions.json").write_bytes(written(found))
    backend = {"backend": "hub", "url": "https://hub.test/mcp", "mcp": "hub.definitions.json"}
    (path / "hub.yaml").write_text(backend_file(["Hub 1."], backend, made))
    (path / "hub.policy.yaml").write_text(policy_file("hub", made, Roles()))
    return made


@pytest.mark.parametrize(
    ("name", "annotations", "effect"),
    [
        ("search_issues", {"readOnlyHint": True}, "read"),
        ("search_issues", {}, "write"),
        ("search_issues", None, "write"),
        ("get_user", {"readOnlyHint": "yes"}, "write"),
        ("update_user", {"readOnlyHint": True}, "read"),
        ("delete_user", {"readOnlyHint": True}, "irreversible"),
        ("delete_user", {"destructiveHint": False}, "irreversible"),
        ("create_issue", {"destructiveHint": True}, "irreversible"),
        ("create_issue", {"destructiveHint": False}, "write"),
        ("create_issue", "x", "write"),
        ("set_permissions", {}, "admin"),
        ("set_permissions", {"readOnlyHint": True}, "admin"),
    ],
)
def test_a_guess_is_the_graver_of_name_and_annotations(name, annotations, effect):
    assert effect_of(name, {"annotations": annotations}) == effect


def test_the_files_load_and_their_examples_hold(tmp_path):
    made = folder(tmp_path, definitions([SEARCH, CREATE], [REVIEW], [README], [FILE], "Search first."))
    rules = load(tmp_path)
    assert made.left == []
    assert {tool.name for tool in rules.catalog.tools.values() if tool.is_chosen} == {
        "hub.search_issues", "hub.issue_create", "hub.prompts/review", "hub.resources/readme", "hub.resources/file",
    }  # fmt: skip
    assert all(tool.guessed for tool in rules.catalog.tools.values() if tool.is_chosen and tool.is_function)
    assert rules.catalog.tools["hub.search_issues"].effect == "read"
    assert rules.catalog.tools["hub.issue_create"].mcp.name == "issue.create"
    assert rules.examples
    assert failures(run(rules, NOW)) == ()
    assert not [one for one in lint(rules, tmp_path) if one.level == "error"]


def test_what_seems_to_ask_may_be_asked_again(tmp_path):
    tools = [{"name": name} for name in ("get_weather", "create_issue", "delete_issue")]
    folder(tmp_path, definitions([*tools, {**tools[0], "name": "get_time", "annotations": {"readOnlyHint": True}}]))
    tools = load(tmp_path).catalog.tools
    once = {short: tools[f"hub.{short}"].once is not None for short in ("get_weather", "create_issue", "delete_issue")}
    assert once == {"get_weather": False, "create_issue": True, "delete_issue": True}
    assert (tools["hub.get_weather"].effect, tools["hub.get_time"].effect) == ("write", "read")


def test_names_that_rules_cannot_have_are_made_and_do_not_meet(tmp_path):
    tools = [{"name": name} for name in ("a.b", "a_b", "a-b", "a/b", "9", "世界", "x" * 90, "x" * 91)]
    same = [{"uri": f"a://{number}", "name": "page"} for number in range(3)]
    folder(tmp_path, definitions(tools, resources=same))
    catalog = load(tmp_path).catalog
    named = {tool.mcp.name for tool in catalog.tools.values() if tool.is_chosen}
    assert named == {*(tool["name"] for tool in tools), *(one["uri"] for one in same)}


def test_what_cannot_be_used_is_a_comment(tmp_path):
    bad = {"name": "bad", "inputSchema": {"type": "object", "properties": {"a": {"$ref": "https://evil.test/x"}}}}
    loose = {"name": "loose", "inputSchema": {"type": "object", "properties": {"a": {"pattern": "^(?!x)"}}}}
    level4 = {"uriTemplate": "a://{b*}", "name": "many"}
    twice = [{"uriTemplate": "b://{x}", "name": "one"}, {"uriTemplate": "b://{y}", "name": "two"}]
    made = folder(tmp_path, definitions([bad, loose], templates=[level4, *twice]))
    assert len(made.left) == 4
    text = (tmp_path / "hub.yaml").read_text()
    for words in (
        "tool bad:",
        "tool loose is there, but its contract lacks a pattern",
        "level 4",
        "cannot be told apart from b://{x}",
    ):
        assert words in " ".join(text.replace("\n#", " ").split())
    assert {tool.short for tool in load(tmp_path).catalog.tools.values() if tool.is_chosen} == {
        "loose",
        "resources/one",
    }


def test_a_server_s_texts_do_not_break_out_of_the_files(tmp_path):
    evil = '"}\n  evil: {effect: read}\n# '
    tools = [{"name": evil, "description": evil, "annotations": {"title": evil}}]
    made = folder(tmp_path, definitions(tools, resources=[{"uri": "a://b", "name": evil}]))
    assert (made.count("read"), made.count("write")) == (0, 1)
    (tool,) = [one for one in load(tmp_path).catalog.tools.values() if one.is_chosen and one.is_function]
    assert tool.mcp.name == evil


def test_a_server_that_has_nothing_gives_files_that_load(tmp_path):
    folder(tmp_path, definitions())
    assert not [tool for tool in load(tmp_path).catalog.tools.values() if tool.is_chosen]


def test_the_files_of_real_servers_load_and_their_examples_hold(tmp_path):
    servers = {}
    for record in corpus("mcp/tools.jsonl.gz"):
        servers.setdefault(record["server"], []).append(record["tool"])
    for name, tools in servers.items():
        here = tmp_path / name
        here.mkdir()
        made = folder(here, definitions(tools))
        assert made.left == []
        rules = load(here)
        assert sum(tool.is_chosen for tool in rules.catalog.tools.values()) == len(tools)
        assert failures(run(rules, NOW)) == ()
    assert len(json.dumps(servers)) > 100_000


def test_a_template_without_variables_is_a_resource_but_where_it_is_one_already(tmp_path):
    templates = [{"uriTemplate": README["uri"], "name": "again"}, {"uriTemplate": "git://tree", "name": "tree"}]
    made = folder(tmp_path, definitions([], [], [README], templates))
    assert made.left == [f"template {README['uri']}: it is listed as a resource too"]
    rules = load(tmp_path)
    assert {"hub.resources/readme", "hub.resources/tree"} <= set(rules.catalog.tools)
    assert failures(run(rules, NOW)) == ()
