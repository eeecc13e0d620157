import timeit
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.decide import Decision, Effect, Ruleset, terms
from rules.facts import Facts, Principal, Run
from rules.obligations import DEFAULT_APPROVAL_S, Approval
from rules.rule import Rule, To
from rules.schema import Contract, Problem
from rules.tools import Catalog, Reply, Tool
from rules.when import When
from tests.counts import examples
from tests.rules.helpers import NOW, facts, ruleset

BOSS = Approval("boss", 900.0)


def decide(folder, policy, tool, args, *roles, **principal):
    rules = ruleset(folder, policy)
    return rules.decide(facts(rules, tool, args, *roles, **principal))


def outcome(decision):
    return (decision.effect.value, decision.code, decision.rules)


GET = {"customer_id": 7}
READ = "{id: read, allow: crm.get_*, to: {roles: [support]}}"


@pytest.mark.parametrize(
    ("rules", "roles", "expected"),
    [
        (READ, ["support"], ("allow", "", ("read",))),
        (READ, ["billing"], ("deny", "unknown_tool", ())),
        (READ, [], ("deny", "unknown_tool", ())),
        (f"{READ}, {{id: z, allow: '*'}}", ["support"], ("allow", "", ("read", "z"))),
        (f"{READ}, {{id: no, deny: '*'}}", ["support"], ("deny", "unknown_tool", ("no",))),
        (f"{READ}, {{id: no, deny: crm.search}}", ["support"], ("allow", "", ("read",))),
        (f"{READ}, {{id: no, deny: '*', to: {{roles: [guest]}}}}", ["support"], ("allow", "", ("read",))),
        (
            f"{READ}, {{id: no, deny: '*', to: {{roles: [guest]}}}}",
            ["support", "guest"],
            ("deny", "unknown_tool", ("no",)),
        ),
        (f"{READ}, {{id: no, deny: '*', to: {{users: [eve]}}}}", ["support"], ("deny", "unknown_tool", ("no",))),
        (f"{READ}, {{id: no, deny: '*', when: args.customer_id == 7}}", ["support"], ("deny", "denied", ("no",))),
        (f"{READ}, {{id: no, deny: '*', when: args.customer_id == 8}}", ["support"], ("allow", "", ("read",))),
        (f"{READ}, {{id: no, deny: '*', when: args.other == 8}}", ["support"], ("deny", "denied", ("no",))),
        (f"{READ}, {{id: no, deny: '*', when: args.customer_id}}", ["support"], ("deny", "denied", ("no",))),
        ("{id: r, allow: '*', when: args.customer_id < 9}", [], ("allow", "", ("r",))),
        ("{id: r, allow: '*', when: args.customer_id > 9}", [], ("deny", "denied", ())),
        ("{id: r, allow: '*', when: args.other > 9}", [], ("deny", "denied", ())),
        ("{id: r, allow: '*', to: {agents: [bot]}}", [], ("deny", "unknown_tool", ())),
        ("{id: r, deny: '*'}", [], ("deny", "unknown_tool", ())),
        ("{id: r, deny: '*', when: 'false'}", [], ("deny", "unknown_tool", ())),
    ],
)
def test_any_deny_wins_and_doubt_is_a_no(tmp_path, rules, roles, expected):
    assert outcome(decide(tmp_path, f"rules: [{rules}]", "crm.get_customer", GET, *roles)) == expected


def test_a_call_that_breaks_the_contract_is_told_so_before_the_rules_are_asked(tmp_path):
    rules = f"rules: [{READ}, {{id: no, deny: '*', when: 'true'}}]"
    decision = decide(tmp_path, rules, "crm.get_customer", {"customer_id": "7"}, "support")
    assert (decision.code, decision.rules) == ("schema_violation", ())
    assert decision.problems == (Problem("/customer_id", "is a string, must be an integer", 1),)


def test_nobody_learns_the_contract_of_a_tool_that_is_hidden_from_them(tmp_path):
    decision = decide(tmp_path, f"rules: [{READ}]", "crm.get_customer", {"x": 1}, "guest")
    assert (decision.code, decision.problems) == ("unknown_tool", ())


def test_problems_of_placing_come_first_and_are_not_said_twice(tmp_path):
    rules = ruleset(tmp_path, f"rules: [{READ}]")
    plain = facts(rules, "crm.get_customer", {}, "support")
    found = Problem("/customer_id", "is not a number")
    other = Problem("", "holds a name that is not declared")
    judged = Facts(plain.tool, {}, plain.principal, plain.run, NOW, problems=(other, found))
    assert rules.decide(judged).problems == (other, found)
    judged = Facts(plain.tool, GET, plain.principal, plain.run, NOW, problems=(other,))
    assert outcome(rules.decide(judged)) == ("deny", "schema_violation", ())


REFUND = {"order_id": 1, "amount_cents": 5}
ASK = "{id: ask, allow: crm.refund, require: {approval: {by: boss, within: 15m}}}"
ALSO = "{id: also, allow: crm.refund, require: {approval: {by: audit, within: 1m}}}"
PLAIN = "{id: plain, allow: crm.refund}"
WAIVE = "{id: waive, allow: crm.refund, waive: {approval: they are tiny}}"


@pytest.mark.parametrize(
    ("rules", "needs", "waived"),
    [
        ([PLAIN], (Approval("", DEFAULT_APPROVAL_S),), {}),
        ([ASK], (BOSS,), {}),
        ([ASK, PLAIN], (BOSS,), {}),
        ([ASK, ALSO], (Approval("audit", 60.0), BOSS), {}),
        ([WAIVE], (), {"approval": "they are tiny"}),
        ([WAIVE, PLAIN], (Approval("", DEFAULT_APPROVAL_S),), {}),
        ([WAIVE, ASK], (BOSS,), {}),
    ],
)
def test_an_irreversible_call_needs_an_approval_unless_every_granting_rule_waives_it(tmp_path, rules, needs, waived):
    for number, order in enumerate(permutations(rules)):
        (tmp_path / str(number)).mkdir()
        decision = decide(tmp_path / str(number), f"rules: [{', '.join(order)}]", "crm.refund", REFUND)
        assert (decision.obligations, dict(decision.waived), decision.denied) == (needs, waived, False)


def test_a_rule_that_does_not_grant_adds_and_waives_nothing(tmp_path):
    other = "{id: b, allow: '*', when: 'false', require: {approval: {by: x, within: 1s}}}"
    decision = decide(tmp_path, f"rules: [{{id: a, allow: crm.rename}}, {other}]", "crm.rename", {"id": 1, "name": "x"})
    assert (decision.rules, decision.obligations) == (("a",), ())


def test_an_admin_call_always_needs_an_approval():
    tool = Tool("a.b", "b", "a", "", "GET", "/", (), {}, Contract({}), "admin", 1.0, Reply(), "")
    waiving = Rule("w", Effect.ALLOW, ("*",), waive={"approval": "no"})
    assert terms(tool, [waiving]) == ((Approval("", DEFAULT_APPROVAL_S),), {})


def test_a_tool_is_visible_where_some_arguments_could_pass(tmp_path):
    rules = ruleset(
        tmp_path,
        """
        rules:
          - {id: a, allow: crm.search, to: {roles: [s]}, when: "false"}
          - {id: b, allow: crm.refund, to: {roles: [s]}, require: {approval: {by: x, within: 1m}}}
          - {id: c, allow: crm.rename, to: {roles: [s]}}
          - {id: d, deny: crm.rename, to: {roles: [s]}}
          - {id: e, allow: crm.get_customer, to: {roles: [s]}}
          - {id: f, deny: crm.get_customer, when: "true"}
        """,
    )
    who = Principal("p", frozenset({"s"}))
    seen = {name for name, tool in rules.catalog.tools.items() if rules.visible(who, tool)}
    assert seen == {"crm.search", "crm.refund", "crm.get_customer"}
    assert not any(rules.visible(Principal("p"), tool) for tool in rules.catalog.tools.values())


def test_a_tool_of_other_rules_is_unknown(tmp_path):
    rules = ruleset(tmp_path, "rules: [{id: a, allow: '*'}]")
    stranger = Tool("x.y", "y", "x", "", "GET", "/", (), {}, Contract({}), "read", 1.0, Reply(), "")
    assert not rules.visible(Principal("p"), stranger)
    decision = rules.decide(Facts(stranger, {}, Principal("p"), Run("r", 1), NOW))
    assert outcome(decision) == ("deny", "unknown_tool", ())


# The laws, over rules and calls that nobody chose.

CONTRACT = Contract({"properties": {"n": {}, "m": {}}})
TOOLS = [
    Tool(f"b.{name}", name, "b", "", "GET", f"/{name}", (), {}, CONTRACT, effect, 1.0, Reply(), "")
    for name, effect in (("a", "read"), ("c", "irreversible"), ("d", "admin"))
]
some = st.frozensets(st.sampled_from(["x", "y"]), max_size=1)
rules_of = st.builds(
    Rule,
    id=st.uuids().map(str),
    effect=st.sampled_from([Effect.ALLOW, Effect.ALLOW, Effect.DENY]),
    tools=st.sampled_from([("b.a",), ("b.*",), ("*",), ("b.c", "b.d")]),
    to=st.builds(To, roles=some, users=some),
    when=st.sampled_from([None, None, "args.n > 1", "args.m == 'x'", "args.n", "principal.id == 'p'"]).map(
        lambda text: When(text) if text else None
    ),
    obligations=st.sampled_from([(), (BOSS,), (Approval("audit", 60.0),)]),
    waive=st.sampled_from([{}, {"approval": "one"}, {"approval": "two"}]),
)
calls = st.builds(
    Facts,
    tool=st.sampled_from(TOOLS),
    peer=st.just(""),
    problems=st.just(()),
    args=st.dictionaries(st.sampled_from(["n", "m", "zzz"]), st.sampled_from([0, 2, "x", True, None, 2**70, "\ud800"])),
    principal=st.builds(Principal, id=st.just("p"), roles=some, user=st.sampled_from(["", "x", "y"])),
    run=st.just(Run("r", 1)),
    now=st.just(NOW),
)


def judge(rules):
    return Ruleset("rev", Catalog(tools=TOOLS), rules)


@given(st.lists(rules_of, max_size=6), calls, st.randoms(use_true_random=False))
@settings(max_examples=examples(300), deadline=None, database=None)
def test_the_order_of_rules_never_matters(rules, call, random):
    first = judge(rules).decide(call)
    random.shuffle(rules)
    assert judge(rules).decide(call) == first


@given(st.lists(rules_of, max_size=6), rules_of, calls)
@settings(max_examples=examples(300), deadline=None, database=None)
def test_a_further_deny_never_allows_and_a_further_allow_never_softens(rules, one, call):
    before, after = judge(rules).decide(call), judge([*rules, one]).decide(call)
    if one.effect is Effect.DENY:
        assert after.denied or not before.denied
    elif not before.denied:
        assert not after.denied
        assert {need.by for need in before.obligations} - {""} <= {need.by for need in after.obligations}


@given(st.lists(rules_of, max_size=6), calls)
@settings(max_examples=examples(300), deadline=None, database=None)
def test_what_is_allowed_is_visible_granted_and_never_denied(rules, call):
    judged = judge(rules)
    decision = judged.decide(call)
    assert decision.denied == bool(decision.code)
    assert decision.revision == "rev"
    if decision.code != "unknown_tool":
        assert judged.visible(call.principal, call.tool)
    if not decision.denied:
        assert decision.rules == tuple(sorted(decision.rules))
        assert all(one.effect is Effect.ALLOW for one in rules if one.id in decision.rules)
        assert call.tool.effect != "admin" or decision.obligations


@pytest.mark.parametrize("args", [None, 5, [], "x", {1: 2}, {"n": object()}, {"n": {1, 2}}, {"n": float("nan")}])
def test_no_facts_make_it_raise(args):
    judged = judge([Rule("r", Effect.ALLOW, ("*",), when=When("args.n == 1"))])
    call = Facts(TOOLS[0], args, Principal("p"), Run("r", 1), NOW)
    assert judged.decide(call).denied


def test_deep_arguments_are_refused_and_end_nothing():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    judged = judge([Rule("r", Effect.ALLOW, ("*",), when=When("args.n == args.m"))])
    call = Facts(TOOLS[0], {"n": deep, "m": deep}, Principal("p"), Run("r", 1), NOW)
    assert judged.decide(call).code == "schema_violation"
    while deep:
        deep = deep.pop()


def test_a_decision_costs_little_beside_its_conditions(tmp_path):
    many = ", ".join(f"{{id: r{i}, allow: crm.rename, to: {{roles: [r{i}]}}}}" for i in range(200))
    rules = ruleset(tmp_path, f"rules: [{READ}, {many}]")
    call = facts(rules, "crm.get_customer", GET, "support")
    few = min(timeit.repeat(lambda: rules.decide(call), number=2000, repeat=5)) / 2000
    contract = min(timeit.repeat(lambda: call.tool.contract.check(call.args), number=2000, repeat=5)) / 2000
    assert few < 40 * contract


def test_the_representation_names_the_revision_and_the_size(tmp_path):
    rules = ruleset(tmp_path, f"rules: [{READ}]")
    assert repr(rules) == f"Ruleset({rules.revision}, Catalog(1 backends, 5 tools), 1 rules)"
    assert Decision(Effect.DENY, "denied", "r").denied
