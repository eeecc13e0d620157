import json

import pytest

from rules.definitions import definitions, written
from rules.facts import Principal
from rules.load import load
from rules.mcp import templates
from rules.mcp.meaning import MEANINGS
from rules.mcp.plumbing import ASKED, PLUMBING
from rules.tools import Remote
from tests.rules.helpers import corpus, facts, problems, write
from tests.rules.mcp.hub import CREATE, FILE, HUB, README, REVIEW, SEARCH, accept, hub, wrong

AGENT = Principal("a1")


def test_definitions_become_tools(tmp_path):
    rules = hub(tmp_path)
    tool = rules.catalog.tools["hub.search_issues"]
    assert tool.mcp == Remote("tools/call", "search_issues", (("Region", ("region",)),))
    assert (tool.says, tool.effect, tool.method, tool.path) == ("Find issues.", "read", "POST", "/")
    assert tool.contract.names == {"q", "region"}
    assert (tool.replies is not None, tool.reply.contract, tool.caching is not None) == (True, "enforce", True)
    assert (tool.file, tool.line) == ("hub.yaml", 5)
    create = rules.catalog.tools["hub.create"]
    assert create.mcp == Remote("tools/call", "issue.create")
    assert (create.says, create.effect, create.guessed, create.once is not None) == (
        "Open an issue.",
        "write",
        True,
        True,
    )
    assert (create.replies, create.reply.contract) == (None, "off")
    review = rules.catalog.tools["hub.prompts/review"]
    assert (review.short, review.mcp) == ("prompts/review", Remote("prompts/get", "review"))
    assert review.contract.check({"change": "x"}) == ()
    backend = rules.catalog.backends["hub"]
    assert backend.mcp == definitions([SEARCH, CREATE], [REVIEW], [README], [FILE], "Search first.")
    assert str(backend.url) == "https://hub.test/mcp"


def test_a_tool_is_found_by_what_the_server_calls_it(tmp_path):
    catalog = hub(tmp_path).catalog
    found = catalog.remote("hub", "tools/call", "issue.create")
    assert found is catalog.tools["hub.create"]
    assert catalog.remote("hub", "tools/call", "create") is None
    assert catalog.remote("hub", "prompts/get", "review") is catalog.tools["hub.prompts/review"]
    assert catalog.remote("other", "tools/call", "issue.create") is None
    assert catalog.match("hub", "POST", "/") is None


def test_a_resource_has_its_uri_and_templates_come_by_how_much_they_say(tmp_path):
    other = {"uriTemplate": "a://{x}", "name": "x"}
    text = HUB + '      short: {template: "a://{x}"}\n'
    catalog = hub(tmp_path, text=text, templates=[other, FILE]).catalog
    assert catalog.remote("hub", "resources/read", "repo://readme") is catalog.tools["hub.resources/readme"]
    assert [tool.short for tool in catalog.templates("hub")] == ["resources/file", "resources/short"]
    assert catalog.templates("other") == ()
    long, _ = catalog.templates("hub")
    assert long.contract.check({"uri": "repo://acme/site/src/x.py"}) == ()
    assert all(long.contract.check({"uri": uri}) for uri in ("repo://a", "repo://a/b/../x", FILE["uriTemplate"], ""))


def test_what_the_file_does_not_name_does_not_exist(tmp_path):
    rules = hub(
        tmp_path,
        text="backend: hub\nurl: https://hub.test\nmcp: hub.definitions.json\n",
        policy="rules: [{id: a, allow: hub.roots/list}]",
    )
    assert {name for name, tool in rules.catalog.tools.items() if not tool.is_plumbing} == {
        f"hub.{method}" for method in ASKED
    }


def test_plumbing_is_there_and_what_a_server_asks(tmp_path):
    catalog = hub(tmp_path).catalog
    for method in PLUMBING:
        assert catalog.tools[f"hub.mcp/{method}"].mcp == Remote(method, plumbing=True)
    for method in ASKED:
        assert catalog.tools[f"hub.{method}"].mcp == Remote(method)
        assert not catalog.tools[f"hub.{method}"].is_plumbing
    assert catalog.tools["hub.mcp/stream"].timeout_s == 24 * 3600
    assert catalog.tools["hub.mcp/ping"].timeout_s == 30


def seen(rules, principal=AGENT):
    return {name for name, tool in rules.catalog.tools.items() if rules.visible(principal, tool)}


def plumbing():
    return {f"hub.mcp/{method}" for method in PLUMBING}


def test_who_may_use_something_may_use_the_plumbing(tmp_path):
    assert seen(hub(tmp_path)) == {"hub.search_issues", "hub.create", *plumbing()}
    assert seen(hub(tmp_path, "rules: [{id: a, allow: hub.prompts/review}]")) == {"hub.prompts/review", *plumbing()}
    assert seen(hub(tmp_path, "rules: [{id: a, allow: hub.roots/list}]")) == {"hub.roots/list", *plumbing()}
    assert seen(hub(tmp_path, "rules: [{id: a, allow: 'hub.resources/*', to: {roles: [x]}}]")) == set()


def test_a_deny_counts_for_plumbing_too(tmp_path):
    rules = hub(tmp_path, "rules: [{id: a, allow: hub.*}, {id: b, deny: hub.mcp/tools/list}]")
    assert seen(rules) == {"hub.search_issues", "hub.create", *plumbing() - {"hub.mcp/tools/list"}}
    decision = rules.decide(facts(rules, "hub.mcp/tools/list", {}))
    assert (decision.code, decision.rules) == ("unknown_tool", ("b",))
    rules = hub(tmp_path, "rules: [{id: a, allow: hub.*}, {id: b, deny: hub.mcp/ping, when: run.step > 0}]")
    assert rules.decide(facts(rules, "hub.mcp/ping", {})).code == "denied"


def test_what_is_denied_whatever_the_arguments_is_all_that_a_star_can_mean(tmp_path):
    both = "rules: [{id: a, allow: [hub.*, hub.prompts/*, hub.resources/*]}, {id: b, deny: '*', to: {roles: [x]}}]"
    rules = hub(tmp_path, both)
    assert seen(rules, Principal("p", frozenset({"x"}))) == set()
    assert "hub.prompts/review" in seen(rules)
    rules = hub(tmp_path, "rules: [{id: a, allow: [hub.*, hub.prompts/*]}, {id: b, deny: hub.*, when: 'args.q == 1'}]")
    assert rules.decide(facts(rules, "hub.mcp/initialize", {"protocolVersion": "2025-11-25"})).code == ""
    assert rules.decide(facts(rules, "hub.prompts/review", {"change": "x"})).code == ""


def test_plumbing_needs_no_rule_and_takes_what_the_protocol_says(tmp_path):
    rules = hub(tmp_path)
    decision = rules.decide(facts(rules, "hub.mcp/initialize", {"capabilities": {}}))
    assert (decision.code, decision.rules, decision.obligations) == ("", (), ())


def test_a_call_is_judged_by_the_pinned_schema(tmp_path):
    rules = hub(tmp_path)
    assert rules.decide(facts(rules, "hub.search_issues", {"q": "x"})).code == ""
    for args in ({}, {"q": 1}, {"q": "x", "admin": True}):
        assert rules.decide(facts(rules, "hub.search_issues", args)).code == "schema_violation"


def test_the_backend_s_words_count_for_its_tools(tmp_path):
    more = "reply: {redact: off}\ntimeout: 7s\nlimit: 5/minute\nsays: Issues.\naddresses: [10.0.0.0/8]\n"
    rules = hub(tmp_path, text=HUB.replace("    url", "    url").replace(", cache: 1m", "") + _indented(more))
    tool = rules.catalog.tools["hub.prompts/review"]
    assert (tool.timeout_s, tool.reply.redact, [limit.calls for limit in tool.limits]) == (7.0, frozenset(), [5])
    assert rules.catalog.tools["hub.mcp/ping"].limits == ()
    assert rules.catalog.backends["hub"].says == "Issues."


def _indented(text):
    return "".join(f"    {line}\n" for line in text.splitlines())


def test_the_definitions_are_part_of_the_revision(tmp_path):
    first = hub(tmp_path)
    second = hub(tmp_path, instructions="Search last.")
    assert first.revision != second.revision
    third = hub(tmp_path, tools=[{**SEARCH, "icons": []}, CREATE])
    assert first.catalog.tools["hub.search_issues"].hash != third.catalog.tools["hub.search_issues"].hash
    assert first.catalog.tools["hub.create"].hash == third.catalog.tools["hub.create"].hash


def test_a_damaged_file_stops_the_rules_and_says_what_to_do(tmp_path):
    accept(tmp_path)
    file = tmp_path / "hub.definitions.json"
    file.write_bytes(file.read_bytes().replace(b"Find issues.", b"Find all."))
    (found,) = problems(tmp_path, hub=HUB)
    assert (found.file, found.message) == ("hub.definitions.json", "has another digest than what it holds")
    assert "toolwall mcp accept" in found.hint


@pytest.mark.parametrize(
    ("name", "says"),
    [("gone.json", "no file gone.json"), ("../hub.definitions.json", "leads out"), ("x.txt", "ends in .json")],
)
def test_the_file_lies_in_the_rules_folder(tmp_path, name, says):
    folder = tmp_path / "rules"
    folder.mkdir()
    accept(tmp_path)
    found = problems(folder, hub=HUB.replace("hub.definitions.json", name))
    assert says in found[0].message


@pytest.mark.parametrize(
    ("old", "new", "message", "hint"),
    [
        ("search_issues:", "search_issue:", "the definitions have no tool search_issue", "did you mean search_issues?"),
        ("name: issue.create", "name: x", "the definitions have no tool x", "toolwall mcp accept"),
        ("review: {}", "rewiev: {}", "the definitions have no prompt rewiev", "did you mean review?"),
        ("repo://readme", "repo://read", "the definitions have no resource repo://read", "did you mean"),
        ("{+path}", "{path}", "the definitions have no template", "did you mean"),
    ],
)
def test_what_is_not_in_the_definitions_is_an_error_with_a_hint(tmp_path, old, new, message, hint):
    (found,) = wrong(tmp_path, HUB.replace(old, new))
    assert message in found.message
    assert hint in found.hint


def test_two_names_for_one_tool_are_an_error(tmp_path):
    (found,) = wrong(
        tmp_path, HUB.replace("    prompts:", "      again: {name: issue.create, effect: read}\n    prompts:")
    )
    assert found.message == "is the same as another one"
    assert found.path == "tools.again"


def test_templates_that_one_uri_can_fit_are_an_error(tmp_path):
    other = {"uriTemplate": "repo://{who}/{+rest}", "name": "x"}
    text = HUB + '      rest: {template: "repo://{who}/{+rest}"}\n'
    (found,) = wrong(tmp_path, text, templates=[FILE, other])
    assert "rest and file cannot be told apart" in found.message


def test_what_the_backend_restores_is_checked_where_it_has_no_tools_too(tmp_path):
    text = "backend: hub\nurl: https://hub.test\nmcp: hub.definitions.json\nrestore: [NOTHING_SUCH]\n"
    (found,) = wrong(tmp_path, text)
    assert "NOTHING_SUCH" in found.message


def test_so_many_templates_cannot_be_held_against_each_other(tmp_path):
    many = [{"uriTemplate": f"a{one}://{{x}}", "name": "x"} for one in range(templates.MOST + 1)]
    entries = "".join(f'      t{one}: {{template: "a{one}://{{x}}"}}\n' for one in range(len(many)))
    (found,) = wrong(tmp_path, HUB + entries, templates=[FILE, *many])
    assert found.message == f"holds more than {templates.MOST} templates"


@pytest.mark.parametrize(
    ("lists", "says"),
    [
        ({"tools": [{**SEARCH, "inputSchema": {"type": "object", "$ref": "https://evil.test/x"}}, CREATE]}, "cannot"),
        ({"tools": [{**SEARCH, "outputSchema": []}, CREATE]}, "outputSchema must be an object"),
        ({"tools": [{**SEARCH, "inputSchema": None}, CREATE]}, "inputSchema must be an object"),
        ({"prompts": [{"name": "review", "arguments": 1}]}, "list of arguments"),
        ({"templates": [{"uriTemplate": "x://{a*}", "name": "x"}]}, "have no template"),
    ],
)
def test_a_definition_that_cannot_be_used_is_an_error_of_its_entry(tmp_path, lists, says):
    found = wrong(tmp_path, **lists)
    assert {one.file for one in found} == {"hub.yaml"}
    assert any(says in str(one) for one in found)


def test_a_broken_mirror_is_an_error_of_its_entry(tmp_path):
    broken = {"type": "object", "properties": {"a": {"type": "number", "x-mcp-header": "A"}}}
    (found,) = wrong(tmp_path, tools=[{**SEARCH, "inputSchema": broken}, CREATE])
    assert "x-mcp-header" in found.message
    assert "leave it out" in found.hint


def test_a_rule_that_names_nothing_of_the_server_is_an_error(tmp_path):
    accept(tmp_path)
    found = problems(tmp_path, hub=HUB, policy="rules: [{id: a, allow: [hub.prompts/reviews]}]")
    assert [one.hint for one in found] == ["did you mean hub.prompts/review?"]
    (tmp_path / "policy.yaml").write_text("rules: [{id: a, allow: [hub.mcp/ping, hub.sampling/createMessage]}]")
    load(tmp_path)


def test_two_servers_and_an_api_live_in_one_folder(tmp_path):
    accept(tmp_path)
    second = HUB.replace("backend: hub", "backend: hub2")
    api = "{backend: crm, url: https://c.test, tools: {t: {call: POST /, effect: write}}}"
    catalog = load(write(tmp_path, hub=HUB, hub2=second, crm=api)).catalog
    assert catalog.remote("hub2", "tools/call", "search_issues") is catalog.tools["hub2.search_issues"]
    assert catalog.match("crm", "POST", "/") is not None


def test_every_real_server_loads_and_every_input_schema_compiles(tmp_path):
    servers = {}
    for record in corpus("mcp/tools.jsonl.gz"):
        servers.setdefault(record["server"].replace("_", "-"), []).append(record["tool"])
    for name, tools in servers.items():
        (tmp_path / f"{name}.json").write_bytes(written(definitions(tools)))
        entries = {tool["name"]: {"effect": "write"} for tool in tools}
        whole = {"backend": name, "url": f"https://{name}.test/mcp", "mcp": f"{name}.json", "tools": entries}
        (tmp_path / f"{name}.yaml").write_text(json.dumps(whole))
    catalog = load(tmp_path).catalog
    found = [tool for tool in catalog.tools.values() if tool.mcp and tool.mcp.method == "tools/call"]
    assert len(found) == sum(map(len, servers.values())) > 300
    for tool in found:
        made = tool.contract.example()
        if isinstance(made, dict):
            assert tool.contract.check(made) == ()
            assert tool.contract.check({**made, "nobody declared this": 1})


def test_what_the_lists_in_the_specification_s_examples_hold_can_be_used():
    kinds = {"tools": "tools", "prompts": "prompts", "resources": "resources", "resourceTemplates": "templates"}
    count = 0
    for record in corpus("mcp/spec_examples.jsonl.gz"):
        value = record["value"]
        for member, kind in kinds.items():
            listed = value.get("result", value).get(member) if isinstance(value, dict) else None
            for name, one in definitions(**{kind: listed if isinstance(listed, list) else []}).of(kind).items():
                assert MEANINGS[kind](name, one).contract.names
                count += 1
    assert count >= 2


def test_every_tool_of_the_specification_s_examples_loads(tmp_path):
    tools = [one["value"] for one in corpus("mcp/spec_examples.jsonl.gz") if one["type"] == "Tool"]
    for number, tool in enumerate(tools):
        (tmp_path / f"s{number}.json").write_bytes(written(definitions([tool])))
        entry = {"name": tool["name"], "effect": "read"}
        whole = {"backend": f"s{number}", "url": "https://s.test", "mcp": f"s{number}.json", "tools": {"t": entry}}
        (tmp_path / f"s{number}.yaml").write_text(json.dumps(whole))
    catalog = load(tmp_path).catalog
    assert [catalog.tools[f"s{number}.t"].mcp.name for number in range(len(tools))] == [one["name"] for one in tools]
    assert len(tools) >= 6


SHAPED = HUB.replace("tools:", "reply: {keep: [id], longest: 50}\n    tools:", 1)


def test_what_the_backend_says_of_parts_holds_for_its_tools_alone(tmp_path):
    tools = hub(tmp_path, text=SHAPED).catalog.tools
    shaped = {name for name, tool in tools.items() if tool.reply.shaping}
    assert shaped == {"hub.search_issues", "hub.create"}
    assert tools["hub.mcp/rest"].call == "tools/call toolwall_rest"
    assert not tools["hub.mcp/rest"].reply.redact


@pytest.mark.parametrize("reply", ["{}", "{keep: [id]}", "{drop: [id]}"])
def test_without_bounds_there_is_no_rest(tmp_path, reply):
    text = HUB.replace("tools:", f"reply: {reply}\n    tools:", 1).replace("reply: {}", "says: A hub.")
    assert "hub.mcp/rest" not in hub(tmp_path, text=text).catalog.tools


def test_a_rule_may_name_the_rest_whether_there_is_one_or_not(tmp_path):
    policy = "rules: [{id: all, allow: [hub.*]}, {id: no, deny: hub.mcp/rest}]"
    hub(tmp_path, policy)
    hub(tmp_path, policy, text=SHAPED)


def test_a_tool_of_the_name_that_gives_the_rest_is_left_out_or_nothing_is_cut(tmp_path):
    named = {**SEARCH, "name": "toolwall_rest"}
    text = SHAPED.replace("search_issues: {effect: read, cache: 1m}", "found: {name: toolwall_rest, effect: read}")
    [problem] = wrong(tmp_path, text, tools=[named, CREATE])
    assert problem.path == "tools.found"
    assert "leave it out" in problem.hint
    hub(tmp_path, text=text.replace(", longest: 50", ""), tools=[named, CREATE])
