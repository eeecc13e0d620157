import pytest

from rules.explain import explain
from rules.load import load
from tests.rules.helpers import CRM, facts, ruleset

POLICY = """
    rules:
      - id: readers
        allow: [crm.search, crm.refund]
        to: {roles: [support]}
        when: args.amount_cents <= 500
      - id: bots
        allow: crm.search
        to: {agents: [bot], principals: [p1]}
      - id: no-eve
        deny: crm.search
        to: {users: [eve]}
      - id: no-root
        deny: crm.refund
        when: args.order_id == 1
      - id: wipers
        allow: crm.wipe
"""
REFUND = {"order_id": 2, "amount_cents": 400}


def told(folder, tool, args, *roles, **who):
    rules = ruleset(folder, POLICY)
    return explain(rules, facts(rules, tool, args, *roles, **who))


def lines(explanation):
    return [one.as_text() for one in explanation.reasons]


def test_each_rule_says_how_it_came_out_and_why(tmp_path):
    found = told(tmp_path, "crm.search", {"q": "x"}, "support", user="ann")
    assert [(one.rule.id, one.matched) for one in found.reasons] == [
        ("readers", None),
        ("bots", None),
        ("no-eve", False),
    ]
    first, second, third = lines(found)
    assert first.startswith("policy.yaml:2: readers (allow) cannot tell: `args.amount_cents <= 500` cannot be answered")
    assert "args.amount_cents missing" in first
    assert second == "policy.yaml:6: bots (allow) cannot tell: it is about agents bot; this caller's agent is unknown"
    assert third == "policy.yaml:9: no-eve (deny) does not match: it is about users eve"


@pytest.mark.parametrize(
    ("tool", "args", "roles", "outcome", "change"),
    [
        ("crm.rename", {"id": 1, "name": "x"}, ["support"], "unknown_tool", "no rule allows crm.rename: add one"),
        ("crm.refund", REFUND, ["billing"], "unknown_tool", "readers would allow it, but it is about roles support"),
        ("crm.refund", {"order_id": 2}, ["support"], "schema_violation", "/amount_cents: it is missing"),
        (
            "crm.refund",
            {"order_id": 2, "amount_cents": 900},
            ["support"],
            "denied",
            "readers would allow it, but `args.amount_cents <= 500` is false with args.amount_cents = 900",
        ),
        (
            "crm.refund",
            {**REFUND, "order_id": 1},
            ["support"],
            "denied",
            "policy.yaml:12: narrow or remove the rule no-root",
        ),
        ("crm.refund", REFUND, ["support"], "approval", "in readers would take the approval away"),
        ("crm.wipe", {}, [], "approval", "nothing: a call to an admin tool always needs an approval"),
        ("crm.search", {"q": "x"}, ["support"], "unknown_tool", "narrow or remove the rule no-eve"),
    ],
)
def test_what_would_change_it_is_said_in_words(tmp_path, tool, args, roles, outcome, change):
    text = told(tmp_path, tool, args, *roles).as_text()
    assert text.splitlines()[0].endswith(f": {outcome}")
    assert change in text


def test_following_the_advice_turns_the_decision_around(tmp_path):
    before = told(tmp_path, "crm.refund", {**REFUND, "order_id": 1}, "support")
    assert before.decision.denied
    policy = tmp_path / "policy.yaml"
    start = policy.read_text().splitlines()
    policy.write_text("\n".join(start[:11] + start[14:]))
    rules = load(tmp_path)
    assert not explain(rules, facts(rules, "crm.refund", {**REFUND, "order_id": 1}, "support")).decision.denied


def test_long_values_are_cut_and_strange_ones_are_named(tmp_path):
    rules = ruleset(tmp_path, "rules: [{id: a, allow: crm.search, when: args.q == 'x'}]")
    long = explain(rules, facts(rules, "crm.search", {"q": "y" * 1000})).as_text()
    assert "y" * 70 in long
    assert "y" * 81 not in long


def test_the_whole_text(tmp_path):
    rules = ruleset(tmp_path, "rules: [{id: a, allow: crm.refund, to: {roles: [s]}, waive: {approval: tiny}}]")
    text = explain(rules, facts(rules, "crm.refund", REFUND, "s", agent="bot", user="ann")).as_text()
    assert text == "\n".join(
        [
            "crm.refund as p1; roles s; agent bot; user ann: allow",
            "  the tool is declared in crm.yaml:17, effect irreversible",
            "  the arguments fit the contract",
            "  policy.yaml:1: a (allow) matches: it has no condition",
            "  waived: approval, because: tiny; so says policy.yaml:1: a",
            f"Rules revision {rules.revision}",
        ]
    )


def test_everything_in_a_rule_that_is_not_about_the_caller_is_named(tmp_path):
    policy = "rules: [{id: a, allow: crm.search, to: {roles: [r], agents: [bot], users: [u], principals: [p]}}]"
    rules = ruleset(tmp_path, policy)
    (reason,) = explain(rules, facts(rules, "crm.search", {"q": "x"}, "s", agent="other")).reasons
    assert reason.matched is False
    about = "roles r and principals p and agents bot and users u"
    assert reason.why == f"it is about {about}; this caller's user is unknown"


def test_values_of_all_that_a_condition_asks_for_are_shown(tmp_path):
    when = "args.q == 'x' && args['limit'] > 1 && 'a' in principal.roles && run.step > 1 && time.getHours() > 1 "
    rules = ruleset(tmp_path, f'rules: [{{id: a, allow: crm.search, when: "{when} && network.peer != tool.name"}}]')
    (reason,) = explain(rules, facts(rules, "crm.search", {"q": "x", "limit": 2}, "b")).reasons
    assert reason.why.endswith(
        'with args.q = "x", args.limit = 2, principal.roles = ["b"], run.step = 1, time = 2026-03-04T05:06:07+00:00, '
        'network.peer = "10.0.0.9", tool.name = "crm.search"'
    )


def test_a_word_inside_of_a_text_is_no_fact(tmp_path):
    rules = ruleset(tmp_path, """rules: [{id: a, allow: crm.search, when: 'args.q == "principal.id or time"'}]""")
    (reason,) = explain(rules, facts(rules, "crm.search", {"q": "x"})).reasons
    assert reason.why == '`args.q == "principal.id or time"` is false with args.q = "x"'
    rules = ruleset(
        tmp_path, """rules: [{id: a, allow: crm.search, when: 'principal.id != "principal.none args.no"'}]"""
    )
    (reason,) = explain(rules, facts(rules, "crm.search", {"q": "x"})).reasons
    assert reason.why.endswith('is true with principal.id = "p1"')


def test_a_hidden_tool_says_so_and_shows_what_else_is_wrong(tmp_path):
    text = told(tmp_path, "crm.refund", {"order_id": 2}, "billing").as_text()
    assert "it is hidden: whatever the arguments" in text
    assert "  the arguments break the contract:\n    /amount_cents is missing" in text


def test_needs_say_who_asks_for_them(tmp_path):
    policy = """
    rules:
      - {id: one, allow: crm.refund, to: {roles: [s]}, require: {approval: {by: boss, within: 15m}}}
      - {id: two, allow: crm.refund, to: {roles: [s]}, require: {approval: {by: audit, within: 1h}}}
      - {id: three, allow: crm.refund, to: {roles: [t]}, require: {approval: {by: boss, within: 1m}}}
      - {id: wipers, allow: crm.wipe}
    """
    rules = ruleset(tmp_path, policy)
    lines = explain(rules, facts(rules, "crm.refund", REFUND, "s")).as_text().splitlines()
    assert "  needs an approval by audit within 1h; so says policy.yaml:3: two" in lines
    assert "  needs an approval by boss within 15m; so says policy.yaml:2: one" in lines
    lines = explain(rules, facts(rules, "crm.wipe", {})).as_text().splitlines()
    assert "  needs an approval by any approver within 15m; so says its effect, admin" in lines


def test_a_guessed_effect_is_told_as_a_guess(tmp_path):
    rules = ruleset(
        tmp_path,
        "rules: [{id: a, allow: '*'}]",
        CRM.replace("effect: irreversible", "effect: irreversible\n        guessed: true"),
    )
    assert (
        "effect irreversible (guessed by the importer)" in explain(rules, facts(rules, "crm.refund", REFUND)).as_text()
    )


def test_without_the_arguments_only_what_is_certain_is_told(tmp_path):
    rules = ruleset(tmp_path, POLICY)
    blind = explain(rules, facts(rules, "crm.refund", {}, "support"), blind=True)
    assert blind.outcome == "depends on the arguments, which are not known"
    assert (blind.problems, blind.terms, blind.changes) == ((), (), ())
    readers, no_root = blind.reasons
    assert (readers.matched, no_root.matched) == (None, None)
    assert no_root.why == "`args.order_id == 1` asks for arguments, which are not known"
    hidden = explain(rules, facts(rules, "crm.refund", {}, "billing"), blind=True)
    assert hidden.outcome == "unknown_tool"
    assert hidden.changes == ("policy.yaml:2: readers would allow it, but it is about roles support",)
    wipe = explain(rules, facts(rules, "crm.wipe", {}), blind=True)
    assert [one.matched for one in wipe.reasons] == [True]


def test_limits_say_who_set_them(tmp_path):
    crm = CRM.replace("    tools:", "    limit: 100/minute\n    tools:")
    policy = "rules: [{id: r, allow: crm.search, require: {limit: [20/hour, {at_once: 2, per: run}]}}]"
    rules = ruleset(tmp_path, policy, crm)
    found = explain(rules, facts(rules, "crm.search", {"q": "x"}))
    assert found.outcome == "allow"
    assert found.terms == (
        "at most 100 calls in 1m for all callers together; so says the contract in crm.yaml",
        "at most 20 calls in 1h for each principal and tool; so says policy.yaml:1: r",
        "at most 2 calls at once for each run; so says policy.yaml:1: r",
    )
    assert "at most 2 calls at once for each run" in found.as_text()
